#include "apps/agent_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "live/clock.h"

namespace gyre::apps {

using server::JsonText;

std::string_view outcome_of(const TaskExit& exit) {
  if (exit.stopped) return "stopped";
  switch (exit.kind) {
    case TaskExit::Kind::Exited:
      return exit.code == 0 ? "succeeded" : "failed";
    case TaskExit::Kind::Signaled:
      return "signaled";
    case TaskExit::Kind::StartFailed:
      return "start_failed";
    case TaskExit::Kind::Lost:
      return "lost";
  }
  return "lost";
}

JsonText AgentLog::line(std::string_view level, std::string_view message) const {
  JsonText out;
  server::begin_line(out, live::system_clock_source()().real, level, message);
  out.member("node", node_);
  return out;
}

JsonText AgentLog::task_line(std::string_view level, std::string_view message,
                             const act::TaskKey& key, std::string_view trace) const {
  JsonText out = line(level, message);
  out.member("job", key.job.value).member("attempt", key.attempt).member("rank", key.rank);
  server::add_trace(out, trace);
  return out;
}

void AgentLog::notice(std::string_view text) {
  JsonText out = line("info", text);
  lines_->write(server::end_line(out));
}

void AgentLog::ordered(const act::Order& order) {
  if (const auto* over = std::get_if<act::ReleaseTask>(&order)) {
    const std::lock_guard guard(mutex_);
    traces_.erase(over->key);
    return;
  }
  const auto* task = std::get_if<act::TaskStart>(&order);
  if (task == nullptr) return;
  const auto trace = std::find_if(task->env.rbegin(), task->env.rend(),
                                  [](const auto& one) { return one.first == "TRACEPARENT"; });
  if (trace == task->env.rend()) return;
  const std::lock_guard guard(mutex_);
  traces_[task->key] = trace->second;
}

std::string AgentLog::trace_of(const act::TaskKey& key) {
  const std::lock_guard guard(mutex_);
  const auto known = traces_.find(key);
  return known == traces_.end() ? "" : known->second;
}

void AgentLog::started(const act::TaskKey& key, const StartStages&) {
  JsonText out = task_line("info", fmt::format("task {} has started", act::to_string(key)), key,
                           trace_of(key));
  lines_->write(server::end_line(out));
}

void AgentLog::ended(const act::TaskKey& key, const TaskExit& exit) {
  const std::string_view outcome = outcome_of(exit);
  const bool fine = outcome == "succeeded" || outcome == "stopped";
  JsonText out = task_line(fine ? "info" : "warn",
                           fmt::format("task {} has ended: {}", act::to_string(key), outcome), key,
                           trace_of(key));
  out.member("outcome", outcome).member("code", exit.code);
  if (!exit.message.empty()) out.member("detail", exit.message);
  lines_->write(server::end_line(out));
}

void AgentLog::repaired(const act::RepairOver& over) {
  JsonText out =
      line(over.good ? "info" : "warn", over.good ? "a repair is done" : "a repair has failed");
  out.member("detail", over.detail);
  lines_->write(server::end_line(out));
}

}  // namespace gyre::apps
