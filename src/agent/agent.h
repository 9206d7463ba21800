#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "act/agent_protocol.h"
#include "act/executor.h"
#include "act/node_repairs.h"
#include "act/task_artifacts.h"
#include "act/task_exec.h"
#include "act/task_logs.h"
#include "act/task_usage.h"
#include "agent/first_words.h"
#include "agent/images.h"
#include "domain/gpu_sample.h"

namespace gyre::agent {

/// What looks after a node's tasks for a server: does as it is told and reports what becomes of
/// them, whatever carries the words. Keeps each outcome until the server releases the task, so that
/// none is lost with a connection. Thread-safe.
class Agent final : public act::TaskListener {
 public:
  /// `logs` and `artifacts` are those of the executor's tasks, and outlive the agent. The executor
  /// ends first: it tells the agent what it must know to its own end; so does `execs`, without
  /// which no commands run in tasks. `onlooker`, which may be null, hears what the executor tells,
  /// and outlives the executor. `repairs` end as the executor does; without them the hardware is
  /// not repaired. So do `images`; without them none are told of, or fetched ahead. `usages`, which
  /// may be null, are of the executor's tasks too, and outlive the agent.
  Agent(act::Executor& executor, const act::TaskLogs& logs, act::TaskExecs* execs = nullptr,
        const act::TaskArtifacts* artifacts = nullptr, act::TaskListener* onlooker = nullptr,
        act::NodeRepairs* repairs = nullptr, Images* images = nullptr,
        const act::TaskUsages* usages = nullptr);
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  /// From now on reports go to `sink`; nullptr: nowhere, and commands in tasks are ended, since
  /// nobody has their output. When it returns the former one is not used any more.
  void report_to(act::ReportSink* sink);

  /// The tasks and the logs of a Hello.
  std::vector<act::FoundTask> tasks() const;
  std::vector<act::TaskKey> logs() const { return logs_.kept(); }

  /// Carries one order out; of a GrantLease it only takes the protocol that was agreed upon. Waits
  /// only to discard, some seconds at most.
  void obey(const act::Order& order);

  /// What the probe has found, in the order of the Hello's devices. Said where a server is
  /// connected that wants to know it.
  void gpus_seen(const std::vector<GpuReading>& gpus);

  /// Says which images the node holds, where a server is connected that wants to know it, and they
  /// have changed since it was told. To be called now and then, with the beat.
  void tell_images();

  /// Says what running tasks have used, where a server is connected that wants to know it. To be
  /// called with a beat: it does nothing where reading it took a fiftieth of the time since.
  void tell_usage();

  void started(const act::TaskKey& key, const StartStages& stages) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;

 private:
  struct Known {
    std::optional<StartStages> started;
    std::optional<TaskExit> exit;
    std::optional<Duration> spoke;  // its first output came so long after its start
    bool adopted = false;           // its start was not seen
  };

  void carry_out(const act::TaskStart& task);
  void carry_out(const act::AdoptTask& order);
  void carry_out(const act::StopTask& order);
  void carry_out(const act::ReleaseTask& order);
  void carry_out(const act::DiscardTask& order);
  void carry_out(const act::ReadLog& order);
  void carry_out(const act::GrantLease& grant);
  void carry_out(const act::ExecOrder& order);
  void carry_out(const act::ReadArtifact& order);
  void carry_out(const act::RepairOrder& order);
  void carry_out(const act::FetchImage& order);
  void carry_out(const act::FreezeTask& order) { executor_.freeze(order.key, order.frozen); }
  std::string obstacle() const;
  bool repeat(const act::TaskKey& key, bool adopted);
  void spoke(const act::TaskKey& key, Duration after);
  bool wants(std::uint32_t protocol);
  void say(act::Report report);

  act::Executor& executor_;
  const act::TaskLogs& logs_;
  act::TaskExecs* const execs_;
  const act::TaskArtifacts* const artifacts_;
  act::TaskListener* const onlooker_;
  act::NodeRepairs* const repairs_;
  Images* const images_;
  const act::TaskUsages* const usages_;
  mutable std::mutex mutex_;
  std::map<act::TaskKey, Known> known_;  // started or adopted in this life, not released
  std::map<act::TaskKey, bool> left_;    // by an earlier life, not taken up; true: it has ended
  std::mutex sink_mutex_;
  act::ReportSink* sink_ = nullptr;
  std::uint32_t protocol_ = 0;                          // with that sink; 0: not agreed yet
  std::vector<GpuFacts> gpus_told_ = {};                // to that sink
  std::uint64_t images_told_ = 0;                       // so has this: which version; 0: none
  bool usage_told_ = false;                             // so has this: that some tasks run
  std::chrono::steady_clock::time_point next_usage_{};  // of the thread that beats
  FirstWords first_words_;                              // ends before what it tells
};

}  // namespace gyre::agent
