#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/controller.h"

namespace gyre::control {

inline constexpr Duration kHour = seconds(3600);

inline JobSpec job_of(std::int32_t gpus, std::int32_t nodes = 1) {
  JobSpec spec;
  spec.tasks = {{nodes, {}}};
  spec.tasks[0].request.gpus = gpus;
  return spec;
}

inline JobSpec with(JobSpec spec, Duration expected) {
  spec.expected_duration = expected;
  return spec;
}

inline JobSpec with_priority(JobSpec spec, int priority, bool preemptible = false) {
  spec.priority = priority;
  spec.preemptible = preemptible;
  return spec;
}

/// A controller, told things one by one; remembers what it commanded.
class ControllerTest : public ::testing::Test {
 protected:
  explicit ControllerTest(std::string_view policy = "preemptive") : core_(Config{}) {
    tell(PolicySet{*policy_by_name(policy)});
    tell(QueueSet{{"default", ""}});
  }

  const Decisions& tell(Event::Body body) {
    const Decisions& decisions = core_.step({now_, EventSeq{++seq_}, std::move(body)});
    for (const Command& command : decisions.commands) commands_.push_back(command);
    return decisions;
  }
  void use(std::string_view policy) { tell(PolicySet{*policy_by_name(policy)}); }

  NodeId add_node(std::int32_t gpus, std::string model = "A100", std::string rack = "") {
    const NodeId id{static_cast<std::uint32_t>(core_.cluster().nodes().size())};
    NodeSpec spec{"n" + std::to_string(id.value),
                  "",
                  std::move(model),
                  gpus,
                  {81920},
                  {64000},
                  {524288},
                  true};
    spec.location.rack = std::move(rack);
    tell(NodeJoined{id, spec});
    return id;
  }

  JobId submit(const JobSpec& spec) {
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, spec, {}});
    return id;
  }

  void start_all(JobId id) {
    const Job& job = *core_.jobs().find(id);
    for (std::int32_t rank = 0; rank < task_count(job.spec->tasks); ++rank) {
      tell(TaskStarted{id, job.attempt, rank});
    }
  }
  void end_all(JobId id, TaskExit exit = {}) {
    const std::int32_t attempt = job(id).attempt;
    const std::int32_t count = task_count(job(id).spec->tasks);
    for (std::int32_t rank = 0; rank < count; ++rank) tell(TaskEnded{id, attempt, rank, exit});
  }
  JobId submit_running(const JobSpec& spec) {
    const JobId id = submit(spec);
    start_all(id);
    return id;
  }

  const Job& job(JobId id) const { return *core_.jobs().find(id); }
  JobState state(JobId id) const { return job(id).state; }
  WaitReason reason(JobId id) const { return core_.explain(job(id)).reason; }

  Time now_;
  std::uint64_t seq_ = 0;
  Controller core_;
  std::vector<Command> commands_;
};

}  // namespace gyre::control
