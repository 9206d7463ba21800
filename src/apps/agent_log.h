#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "act/agent_protocol.h"
#include "act/executor.h"
#include "server/trace/json_lines.h"

namespace gyre::apps {

/// How a task ended, in one word: "succeeded", "failed", "signaled", "stopped", "start_failed" or
/// "lost".
std::string_view outcome_of(const TaskExit& exit);

/// An agent's structured log: what it tells the person who started it, starts and ends of tasks
/// with their jobs' trace ids, and repairs. Thread-safe.
class AgentLog final : public act::TaskListener {
 public:
  AgentLog(std::unique_ptr<server::JsonLines> lines, std::string node)
      : lines_(std::move(lines)), node_(std::move(node)) {}

  void notice(std::string_view line);
  /// Remembers whose trace a task belongs to, until the task is released.
  void ordered(const act::Order& order);
  void started(const act::TaskKey& key, const StartStages& stages) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;
  void repaired(const act::RepairOver& over);

 private:
  std::string trace_of(const act::TaskKey& key);
  server::JsonText line(std::string_view level, std::string_view message) const;
  server::JsonText task_line(std::string_view level, std::string_view message,
                             const act::TaskKey& key, std::string_view trace) const;

  const std::unique_ptr<server::JsonLines> lines_;
  const std::string node_;
  std::mutex mutex_;
  std::map<act::TaskKey, std::string> traces_;  // of tasks that are not released
};

}  // namespace gyre::apps
