#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "control/controller.h"
#include "control/journal.h"

namespace gyre::control {

/// A made-up cluster's life, for tests and benchmarks of what records and replays: jobs of many
/// shapes come, run, fail, are stopped and preempted, nodes come and go. Each step is one event,
/// answered by `core()` and appended to a journal, as the driver would. The same seed gives the
/// same history.
class RandomHistory {
 public:
  /// `arrivals` of 100 events are submissions: more than some 20 and the line grows without end.
  explicit RandomHistory(std::uint64_t seed, Controller core = Controller(Config{}),
                         std::uint64_t arrivals = 15)
      : rng_(seed), core_(std::move(core)), arrivals_(arrivals) {
    core_.jobs().for_each([this](const Job& job) {
      for (const TaskPlacement& task : job.placement) {
        plan_outcome(ReplaceTask{job.id, attempt_of(job, task.rank), task, {}, {}});
      }
    });
    if (core_.last_event() != EventSeq{}) return;
    setup_ = {PolicySet{*policy_by_name("preemptive")}, QueueSet{{"default", ""}},
              QueueSet{{"batch", "west"}}, HealingSet{playbook()}};
    for (std::uint32_t i = 0; i < 12; ++i) {
      setup_.push_back(NodeJoined{NodeId{i}, node(i)});
    }
  }

  const Controller& core() const { return core_; }

  void step(Journal& journal) {
    now_ = std::max(now_, core_.now()) + milliseconds(static_cast<std::int64_t>(rng_.below(9000)));
    const Event event{now_, EventSeq{core_.last_event().value + 1}, body()};
    journal.append(event);
    for (const Command& command : core_.step(event).commands) {
      journal.append(command);
      std::visit([this](const auto& intent) { plan_outcome(intent); }, command.body);
    }
  }

 private:
  /// Everything is answered, soon and briefly.
  static HealingSpec playbook() {
    HealingSpec spec = default_healing();
    spec.rules.push_back({Symptom::TaskStalled, 1, seconds(3600), Remedy::Quarantine});
    spec.rules[0].repair = Repair::Reset;
    spec.rules[0].burn_in = true;
    spec.rules.push_back(
        {Symptom::DeviceFault, 3, seconds(1200), Remedy::Evacuate, 0, Repair::Reboot, true});
    spec.quarantined_percent_max = 30;
    spec.repair_max = seconds(300);
    spec.quarantine = seconds(60);
    spec.quarantine_max = seconds(600);
    spec.remember = seconds(1200);
    return spec;
  }

  static NodeSpec node(std::uint32_t index) {
    const bool west = index % 4 == 3;
    return {
        "node-" + std::to_string(index),
        west ? "west" : "",
        west ? "V100" : "A100",
        west ? 4 : 8,
        MemoryMib{80 * 1024},
        CpuMilli{64'000},
        MemoryMib{512 * 1024},
        true,
        west ? Sharing::Mps : Sharing::Timeslice,
        {"", index % 2 == 0 ? "z" : "", index % 5 == 0 ? "" : "r" + std::to_string(index % 3), ""}};
  }

  Event::Body body() {
    if (!setup_.empty()) return take(setup_, 0);
    if (rng_.below(100) < arrivals_) {
      return JobSubmitted{JobId{core_.jobs().last().value + 1}, job(), key()};
    }
    const std::uint64_t die = rng_.below(100);
    if (die < 3) return JobStopRequested{JobId{1 + rng_.below(core_.jobs().last().value + 1)}};
    if (die < 6) return node_event();
    if (die < 12 || outcomes_.empty()) return Tick{};
    return take(outcomes_, rng_.below(std::min<std::uint64_t>(outcomes_.size(), 8)));
  }

  static Event::Body take(std::deque<Event::Body>& from, std::uint64_t index) {
    const auto at = from.begin() + static_cast<std::ptrdiff_t>(index);
    Event::Body taken = std::move(*at);
    from.erase(at);
    return taken;
  }

  Event::Body node_event() {
    const NodeId id{static_cast<std::uint32_t>(rng_.below(core_.cluster().nodes().size()))};
    const std::uint64_t die = rng_.below(10);
    if (die == 9 && rng_.below(2) == 0) {
      return WorkBudgetSet{static_cast<std::int64_t>(rng_.below(1'000'000))};
    }
    if (die == 9 && rng_.below(4) == 0) return OrphansEnded{id, "9.1.0"};
    if (die == 9) return StoreHealed{Symptom::StorageFull, now_, "no room"};
    if (die == 5) return use_event();
    if (die == 6) return stall();
    if (die == 8 && rng_.below(2) == 0) {
      const auto device = static_cast<std::int32_t>(rng_.below(2));
      return GpuHealthSeen{id, device, static_cast<GpuHealth>(rng_.below(5) % 3)};
    }
    if (die > 6) {
      constexpr std::array<std::int32_t, 4> kXids{31, 48, 63, 999};
      return GpuErrorSeen{id, 0, kXids[rng_.below(kXids.size())]};
    }
    if (die == 2 && rng_.below(2) == 0) return images_event(id);
    if (die == 0) return NodeDutySet{id, static_cast<NodeDuty>(rng_.below(3))};
    if (die == 1) return NodeContact{id, rng_.below(2) == 0};
    if (core_.cluster().node(id).up) return NodeLost{id, "heartbeats stopped"};
    return NodeReturned{id};
  }

  Event::Body images_event(NodeId id) {
    NodeImagesSeen seen{id, {}, {}};
    (rng_.below(3) == 0 ? seen.removed : seen.added).push_back({image(), ""});
    return seen;
  }
  std::string image() { return "r.example/train:" + std::to_string(rng_.below(3)); }

  Event::Body stall() {
    const JobId id{1 + rng_.below(core_.jobs().last().value + 1)};
    const Job* job = core_.jobs().find(id);
    return TaskStalled{id, job == nullptr ? 1 : gang_attempt(*job), 0, seconds(600)};
  }

  /// Other prices, other rules about idle jobs, or a job that does not use its GPUs.
  Event::Body use_event() {
    const std::uint64_t die = rng_.below(8);
    if (die == 0) {
      PriceList prices;
      prices.gpu_hour = Money{static_cast<std::int64_t>(rng_.below(5'000'000))};
      prices.models = {{"V100", Money{static_cast<std::int64_t>(rng_.below(5'000'000))}}};
      return PriceSet{rng_.below(5) == 0 ? std::nullopt : std::optional(prices)};
    }
    if (die == 1) return IdleSet{{5, seconds(60), seconds(30), {"batch"}}};
    const JobId id{1 + rng_.below(core_.jobs().last().value + 1)};
    const Job* job = core_.jobs().find(id);
    return GpuUseSeen{{id, job == nullptr ? 1 : job->attempt, rng_.below(4) != 0,
                       static_cast<std::int64_t>(rng_.below(100'000)), true, seconds(60)}};
  }

  std::string key() { return rng_.below(4) == 0 ? "key-" + std::to_string(now_.ns) : ""; }

  JobSpec job() {
    JobSpec spec;
    spec.name = "job-" + std::to_string(core_.jobs().last().value + 1);
    if (rng_.below(4) == 0) spec.queue = "batch";
    spec.priority = static_cast<std::int32_t>(rng_.below(11));
    spec.preemptible = rng_.below(2) == 0;
    spec.tasks = {{1 + static_cast<std::int32_t>(rng_.below(3)), request()}};
    if (rng_.below(3) == 0) {
      spec.topology = Topology{static_cast<TopologyLevel>(rng_.below(3)), rng_.below(2) == 0};
    }
    if (rng_.below(3) == 0) spec.placement = rules();
    if (rng_.below(2) == 0)
      spec.expected_duration = seconds(static_cast<std::int64_t>(rng_.below(600)));
    if (rng_.below(8) == 0) spec.deadline = seconds(static_cast<std::int64_t>(rng_.below(900)));
    spec.retry.on_error = rng_.below(4) == 0;
    if (rng_.below(2) == 0) spec.retry.on_node_loss = NodeLossAnswer::Task;
    spec.launch.command = {"python3", "train.py", "--epochs=\"3\""};
    if (rng_.below(2) == 0) spec.launch.container.image = image();
    spec.launch.env = {{"EPOCHS", "3"}, {"WORDS", "grün"}};
    return spec;
  }

  PlacementRules rules() {
    constexpr std::array<const char*, 4> kGroups{"", "a", "b", "c"};
    PlacementRules rules;
    const std::uint64_t own = 1 + rng_.below(3);
    rules.group = kGroups[own];
    rules.max_per_node = static_cast<std::int32_t>(rng_.below(3));
    rules.balance = static_cast<Balance>(rng_.below(3));
    rules.level = static_cast<TopologyLevel>(rng_.below(5));
    const std::uint64_t near = rng_.below(4);
    const std::uint64_t apart = rng_.below(4);
    if (near != own) rules.near = kGroups[near];
    if (apart != own && apart != near) rules.apart = kGroups[apart];
    return rules;
  }

  Request request() {
    Request request;
    request.gpus = static_cast<std::int32_t>(rng_.below(9));
    if (request.gpus == 1)
      request.gpu_milli = GpuMilli{1 + static_cast<std::int32_t>(rng_.below(1000))};
    if (request.gpu_milli < kWholeGpu && rng_.below(3) == 0) request.sharing = Sharing::Mps;
    if (rng_.below(4) == 0) request.gpu_models = {"A100", "V100"};
    request.cpu = CpuMilli{static_cast<std::int64_t>(rng_.below(8000))};
    request.memory = MemoryMib{static_cast<std::int64_t>(rng_.below(32'000))};
    return request;
  }

  void plan_outcome(const StartGang& start) {
    for (const TaskPlacement& task : start.placement) {
      outcomes_.push_back(TaskStarted{start.job, start.attempt, task.rank});
    }
    const bool bad = !start.placement.empty() && rng_.below(5) == 0;
    const TaskExit exit =
        bad ? TaskExit{TaskExit::Kind::Exited, 1, false, "no such file"} : TaskExit{};
    const std::uint64_t lost = rng_.below(10);
    for (const TaskPlacement& task : start.placement) {
      const bool is_lost = static_cast<std::uint64_t>(task.rank) == lost;
      outcomes_.push_back(TaskEnded{start.job, start.attempt, task.rank, is_lost ? kLost : exit});
    }
  }
  void plan_outcome(const ReplaceTask& anew) {
    const std::int32_t rank = anew.task.rank;
    outcomes_.push_back(TaskStarted{anew.job, anew.attempt, rank});
    outcomes_.push_back(
        TaskEnded{anew.job, anew.attempt, rank, rng_.below(4) == 0 ? kLost : TaskExit{}});
  }

  void plan_outcome(const QuarantineNode&) {}
  void plan_outcome(const ReleaseNode&) {}
  void plan_outcome(const PrefetchImage&) {}
  void plan_outcome(const FreezeGang&) {}
  void plan_outcome(const RepairNode& repair) {
    const CommandId latest = core_.healer().health(repair.node).underway->command;
    const bool good = rng_.below(4) != 0;
    outcomes_.push_back(RepairEnded{repair.node, latest, good, "seen"});
  }
  void plan_outcome(const StopGang& stop) {
    const Job* job = core_.jobs().find(stop.job);
    if (job == nullptr) return;
    for (const TaskPlacement& task : job->placement) {
      const TaskExit exit{TaskExit::Kind::Signaled, 15, true, ""};
      outcomes_.push_back(TaskEnded{stop.job, attempt_of(*job, task.rank), task.rank, exit});
    }
  }

  inline static const TaskExit kLost{TaskExit::Kind::Lost, 0, false, "its supervisor is gone"};

  Rng rng_;
  Controller core_;
  std::uint64_t arrivals_;
  Time now_;
  std::deque<Event::Body> setup_;
  std::deque<Event::Body> outcomes_;
};

}  // namespace gyre::control
