// What holds in every history, for every policy.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <ostream>

#include "base/rng.h"
#include "control/controller.h"

namespace gyre {
void PrintTo(const PolicySpec& policy, std::ostream* out) { *out << policy.name; }
}  // namespace gyre

namespace gyre::control {
namespace {

/// Draws events that a world could send, answering the controller's own commands.
class RandomWorld {
 public:
  RandomWorld(std::uint64_t seed, const PolicySpec& policy) : rng_(seed) {
    pending_.push_back(PolicySet{policy});
    if (rng_.below(2) == 0) pending_.push_back(QueueSet{quota({"top", ""})});
    const bool governed = !pending_.empty() && std::holds_alternative<QueueSet>(pending_.back());
    for (const std::string name : {"default", "more"}) {
      QueueSpec queue{name, ""};
      if (governed) queue.parent = "top";
      pending_.push_back(QueueSet{governed ? quota(queue) : queue});
    }
    pending_.push_back(QueueSet{governed ? quota({"besides", ""}) : QueueSpec{"besides", ""}});
    pending_.push_back(QueueSet{{"other", "p"}});
    nodes_ = static_cast<std::uint32_t>(1 + rng_.below(6));
    for (std::uint32_t i = 0; i < nodes_; ++i) {
      const auto gpus = static_cast<std::int32_t>(rng_.below(9));
      const std::string partition = rng_.below(4) == 0 ? "p" : "";
      const std::string model = rng_.below(2) == 0 ? "A100" : "T4";
      pending_.push_back(NodeJoined{
          {i}, {"n" + std::to_string(i), partition, model, gpus, {}, {16000}, {65536}, true}});
    }
  }

  Event next(const Controller& core) {
    if (rng_.below(3) == 0) now_ = now_ + milliseconds(static_cast<std::int64_t>(rng_.below(9000)));
    if (const auto wakeup = core.next_wakeup(); wakeup && rng_.below(2) == 0) {
      now_ = std::max(now_, *wakeup);
    }
    return {now_, EventSeq{++seq_}, body(core)};
  }

  Event tick() { return {now_, EventSeq{++seq_}, Tick{}}; }

  void answer(const Commands& commands) {
    for (const Command& command : commands) {
      if (const auto* start = std::get_if<StartGang>(&command.body)) {
        for (const TaskPlacement& task : start->placement) {
          tasks_.push_back({start->job, start->attempt, task.rank, task.node, false});
        }
      }
      if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) {
        tasks_.push_back({anew->job, anew->attempt, anew->task.rank, anew->task.node, false});
      }
    }
  }

 private:
  struct Task {
    JobId job;
    std::int32_t attempt;
    std::int32_t rank;
    NodeId node;
    bool started;
  };

  Event::Body body(const Controller& core) {
    if (!pending_.empty()) {
      Event::Body first = pending_.front();
      pending_.pop_front();
      return first;
    }
    const std::uint64_t dice = rng_.below(20);
    if (dice < 7) return submission(core);
    if (dice == 7) return JobStopRequested{{1 + rng_.below(core.jobs().last().value + 1)}};
    if (dice == 8) return node_event(core);
    if (dice == 9 && rng_.below(4) == 0) return QueueSet{quota({"default", ""})};
    if (dice == 9 && rng_.below(4) == 0) return use_event(core);
    if (dice == 9) return Tick{};
    return tasks_.empty() ? submission(core) : task_event();
  }

  /// Other prices, other rules about idle jobs, or a job that does not use its GPUs.
  Event::Body use_event(const Controller& core) {
    const std::uint64_t dice = rng_.below(4);
    if (dice == 0) {
      PriceList prices;
      prices.gpu_hour = Money{static_cast<std::int64_t>(rng_.below(5'000'000))};
      prices.cpu_hour = Money{static_cast<std::int64_t>(rng_.below(50))};
      return PriceSet{rng_.below(4) == 0 ? std::nullopt : std::optional(prices)};
    }
    if (dice == 1) return IdleSet{{5, seconds(5), seconds(5), {"besides"}}};
    const JobId id{1 + rng_.below(core.jobs().last().value + 1)};
    const Job* job = core.jobs().find(id);
    return GpuUseSeen{{id, job == nullptr ? 1 : job->attempt, rng_.below(4) != 0,
                       static_cast<std::int64_t>(rng_.below(100'000)), true, seconds(5)}};
  }

  /// Some quota, however little sense it makes.
  QueueSpec quota(QueueSpec queue) {
    const auto some = [&](std::uint64_t below) { return std::int64_t(rng_.below(below)); };
    queue.weight = 1 + some(3);
    if (rng_.below(2) == 0) queue.guaranteed.gpu_milli = some(9) * 1000;
    if (rng_.below(4) == 0) queue.guaranteed.cpu_milli = some(16'000);
    if (rng_.below(3) == 0) queue.gpu_milli_max = queue.guaranteed.gpu_milli + some(9) * 1000;
    if (rng_.below(4) == 0) queue.jobs_max = some(5);
    if (rng_.below(4) == 0) queue.gpu_seconds_max = some(400);
    if (rng_.below(2) == 0) queue.half_life = seconds(64 + some(600));
    queue.gpu_time_window = seconds(60 + some(600));
    return queue;
  }

  Event::Body submission(const Controller& core) {
    JobSpec spec;
    if (rng_.below(3) == 0) spec.queue = "more";
    if (rng_.below(3) == 0) spec.queue = "besides";
    if (rng_.below(5) == 0) spec.queue = "other";
    spec.priority = static_cast<std::int32_t>(rng_.below(11));
    spec.preemptible = rng_.below(2) == 0;
    if (rng_.below(2) == 0) spec.expected_duration = seconds(1 + static_cast<int>(rng_.below(60)));
    if (rng_.below(8) == 0) spec.deadline = seconds(1 + static_cast<int>(rng_.below(60)));
    spec.retry.on_error = rng_.below(2) == 0;
    if (rng_.below(2) == 0) spec.retry.on_node_loss = NodeLossAnswer::Task;
    const std::uint64_t groups = 1 + rng_.below(2);
    for (std::uint64_t i = 0; i < groups; ++i) {
      TaskGroup group;
      group.count = 1 + static_cast<std::int32_t>(rng_.below(2));
      group.request.gpus = static_cast<std::int32_t>(rng_.below(6));
      if (group.request.gpus == 1) {
        group.request.gpu_milli = GpuMilli{1 + static_cast<std::int32_t>(rng_.below(1000))};
      }
      if (rng_.below(3) == 0) group.request.gpu_models = {"A100"};
      group.request.cpu = CpuMilli{static_cast<std::int64_t>(rng_.below(6000))};
      spec.tasks.push_back(group);
    }
    if (rng_.below(2) == 0) spec.launch.container.image = image();
    return JobSubmitted{{core.jobs().last().value + 1}, spec, {}};
  }

  std::string image() { return "r.example/train:" + std::to_string(rng_.below(2)); }

  Event::Body images_event(NodeId node) {
    NodeImagesSeen seen{node, {}, {}};
    (rng_.below(3) == 0 ? seen.removed : seen.added).push_back({image(), ""});
    return seen;
  }

  Event::Body node_event(const Controller& core) {
    const NodeId node{static_cast<std::uint32_t>(rng_.below(nodes_))};
    if (rng_.below(2) == 0) return images_event(node);
    if (!core.cluster().node(node).up) return NodeReturned{node};
    std::erase_if(tasks_, [&](const Task& task) { return task.node == node; });
    return NodeLost{node, "test"};
  }

  Event::Body task_event() {
    const std::size_t index = rng_.below(tasks_.size());
    Task& task = tasks_[index];
    if (!task.started && rng_.below(4) != 0) {
      task.started = true;
      return TaskStarted{task.job, task.attempt, task.rank};
    }
    TaskExit exit;
    exit.kind = task.started ? TaskExit::Kind::Exited : TaskExit::Kind::StartFailed;
    exit.code = static_cast<std::int32_t>(rng_.below(2));
    if (rng_.below(4) == 0) exit = {TaskExit::Kind::Lost, 0, false, "test"};
    const TaskEnded ended{task.job, task.attempt, task.rank, exit};
    tasks_.erase(tasks_.begin() + static_cast<std::ptrdiff_t>(index));
    return ended;
  }

  Rng rng_;
  Time now_;
  std::uint64_t seq_ = 0;
  std::uint32_t nodes_ = 0;
  std::deque<Event::Body> pending_;
  std::vector<Task> tasks_;
};

/// Free resources, counted again from the jobs.
void check_books(const Controller& core) {
  std::vector<Capacity> used(core.cluster().nodes().size());
  core.jobs().for_each([&](const Job& job) {
    RC_ASSERT(is_placed(job.state) == !job.placement.empty());
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      if (job.tasks[i] == TaskState::Ended) continue;
      const Allocation& part = job.placement[i].allocation;
      Capacity& sum = used[job.placement[i].node.value];
      sum.cpu += part.cpu;
      for (std::size_t d = 0; d < kGpusPerNodeMax; ++d) {
        if ((part.devices >> d & 1U) == 0) continue;
        sum.gpu[d] = static_cast<std::int16_t>(sum.gpu[d] + part.gpu_milli.value);
      }
    }
  });
  for (std::size_t n = 0; n < used.size(); ++n) {
    const Node& node = core.cluster().nodes()[n];
    RC_ASSERT(node.free.cpu + used[n].cpu == node.spec.cpu);
    for (std::size_t d = 0; d < static_cast<std::size_t>(node.spec.gpus); ++d) {
      RC_ASSERT(node.free.gpu[d] + used[n].gpu[d] == 1000);
    }
  }
}

/// No queue goes beyond its limits, unless they came down meanwhile.
void check_limits(const Controller& core, const Decisions& decisions) {
  for (const Command& command : decisions.commands) {
    const auto* start = std::get_if<StartGang>(&command.body);
    if (start == nullptr) continue;
    std::string name = core.jobs().find(start->job)->spec->queue;
    while (!name.empty()) {
      const auto queue = std::find_if(core.queues().begin(), core.queues().end(),
                                      [&](const QueueSpec& one) { return one.name == name; });
      const ResourceSum placed = core.queue_use(name).placed;
      RC_ASSERT(!queue->gpu_milli_max || placed.gpu_milli <= *queue->gpu_milli_max);
      name = queue->parent;
    }
  }
}

/// What is spent, counted again from the jobs; nobody in peace is warned.
void check_use(const Controller& core) {
  std::int64_t rate = 0;
  core.jobs().for_each([&](const Job& job) {
    rate += core.rate_of(job).value;
    if (is_final(job.state)) {
      RC_ASSERT(core.charge_of(job, core.now() + seconds(3600)) == core.charge_of(job, core.now()));
    }
    const IdleWarning* warning = core.idle().warning(job.id);
    if (warning == nullptr) return;
    RC_ASSERT(job.state == JobState::Running && !core.is_exempt_from_idle(job));
  });
  const std::int64_t lost = core.ledger().rate().value - rate;  // each job's is rounded down
  RC_ASSERT(lost >= 0 && lost <= static_cast<std::int64_t>(core.jobs().size()));
}

void check_reasons(const Controller& core) {
  core.jobs().for_each([&](const Job& job) {
    if (job.state != JobState::Queued) return;
    const Explanation why = core.explain(job);
    RC_ASSERT(!why.detail.empty());
    RC_ASSERT(why.reason != WaitReason::NeverFits);
    RC_ASSERT(why.reason != WaitReason::PendingEvaluation);  // a cycle has just ended
    RC_ASSERT(why.reason != WaitReason::ReservedForOther || why.blocked_by.has_value());
  });
}

/// Every named policy, and one under which jobs soon lose their patience.
std::vector<PolicySpec> policies() {
  std::vector<PolicySpec> policies = named_policies();
  for (const PlacementName& placement : placement_names()) {
    policies.push_back(*policy_by_name("preemptive+" + std::string(placement.name)));
  }
  PolicySpec hasty = *policy_by_name("gyre");
  hasty.name = "hasty";
  hasty.starve_after = seconds(60);
  hasty.run_min = Duration{0};
  policies.push_back(hasty);
  return policies;
}

class ControllerProperty : public ::testing::TestWithParam<PolicySpec> {};

TEST_P(ControllerProperty, RandomWorldsKeepTheBooksAndRestoredCoresDecideAlike) {
  EXPECT_TRUE(rc::check([&] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const int steps = *rc::gen::inRange(20, 400);
    const int fork_at = *rc::gen::inRange(0, 400);
    RandomWorld world(seed, GetParam());
    Controller core{Config{}};
    std::optional<Controller> twin;
    for (int i = 0; i < steps; ++i) {
      const Event event = world.next(core);
      const Decisions decisions = core.step(event);
      if (twin) RC_ASSERT(twin->step(event).commands == decisions.commands);
      world.answer(decisions.commands);
      check_books(core);
      check_reasons(core);
      check_limits(core, decisions);
      check_use(core);
      if (i == fork_at) {
        auto restored = Controller::restore(Config{}, core.state());
        RC_ASSERT(restored.has_value());
        RC_ASSERT(restored->state() == core.state());
        RC_ASSERT(restored->restart_cost() == core.restart_cost());
        twin.emplace(std::move(*restored));
      }
    }
    if (twin) RC_ASSERT(twin->state() == core.state());
  }));
}

/// A core that goes on from a snapshot looks at all that is prepared for who waits; one that goes
/// on may pass over what it has looked at before, since it would find nothing there.
TEST_P(ControllerProperty, WhatIsNotLookedAtAgainHasNothingNew) {
  EXPECT_TRUE(rc::check([&] {
    RandomWorld world(*rc::gen::arbitrary<std::uint64_t>(), GetParam());
    Controller core{Config{}};
    for (int i = *rc::gen::inRange(20, 60); i > 0; --i) {
      auto fresh = Controller::restore(Config{}, core.state());
      RC_ASSERT(fresh.has_value());
      const Event event = world.next(core);
      const Commands commands = core.step(event).commands;
      RC_ASSERT(fresh->step(event).commands == commands);
      world.answer(commands);
    }
  }));
}

/// However little work one cycle may do, the next ones do the rest, without anything happening.
TEST_P(ControllerProperty, ASmallBudgetPutsDecisionsOffButLosesNone) {
  EXPECT_TRUE(rc::check([&] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    Config config;
    config.cycle_work_max = *rc::gen::inRange(1, 20);
    RandomWorld world(seed, GetParam());
    Controller core(config);
    bool put_off = false;
    for (int i = 0; i < 150; ++i) {
      world.answer(core.step(world.next(core)).commands);
      for (int cycles = 0; core.has_leftover(); ++cycles) {
        put_off = true;
        RC_ASSERT(core.next_wakeup() == core.now());
        RC_ASSERT(cycles < 10'000);
        world.answer(core.step(world.tick()).commands);
      }
      check_books(core);
      check_reasons(core);
    }
    RC_TAG(put_off);
  }));
}

/// From one policy to another and back, in any state.
TEST_P(ControllerProperty, ThePolicyMayChangeAtAnyTime) {
  EXPECT_TRUE(rc::check([&] {
    const auto seed = *rc::gen::arbitrary<std::uint64_t>();
    const int steps = *rc::gen::inRange(20, 200);
    const int fork_at = *rc::gen::inRange(0, 150);
    const std::vector<PolicySpec> others = policies();
    Rng switches(seed);
    RandomWorld world(seed, GetParam());
    Controller core{Config{}};
    std::optional<Controller> twin;
    for (int i = 0; i < steps; ++i) {
      Event event = world.next(core);
      const Decisions decisions = core.step(event);
      if (twin) RC_ASSERT(twin->step(event).commands == decisions.commands);
      world.answer(decisions.commands);
      if (switches.below(12) == 0) {
        const bool back = switches.below(2) == 0;
        event = world.tick();
        event.body = PolicySet{back ? GetParam() : others[switches.below(others.size())]};
        const Decisions changed = core.step(event);
        if (twin) RC_ASSERT(twin->step(event).commands == changed.commands);
        world.answer(changed.commands);
      }
      check_books(core);
      check_reasons(core);
      check_limits(core, decisions);
      if (i == fork_at) {
        auto restored = Controller::restore(Config{}, core.state());
        RC_ASSERT(restored.has_value());
        twin.emplace(std::move(*restored));
      }
    }
    if (twin) RC_ASSERT(twin->state() == core.state());
  }));
}

std::string name_of(const ::testing::TestParamInfo<PolicySpec>& policy) {
  std::string name = policy.param.name;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '+'; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Policies, ControllerProperty, ::testing::ValuesIn(policies()), name_of);

}  // namespace
}  // namespace gyre::control
