#include "reason/preemption/reach.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "base/rng.h"
#include "domain/trial.h"
#include "reason/placement/placer.h"
#include "reason/placement/thought.h"
#include "reason/preemption/victims.h"
#include "reason/question.h"
#include "reason/running.h"

namespace gyre::reason {
namespace {

constexpr Time kNow{seconds(20).ns};

/// A cluster on which jobs come and go, by chance.
class Fleet {
 public:
  explicit Fleet(std::uint64_t seed) : rng_(seed) {
    placer_.use(PolicySpec::Placement::Random);
    const auto nodes = static_cast<std::uint32_t>(1 + rng_.below(8));
    for (std::uint32_t i = 0; i < nodes; ++i) join();
    for (int i = 0; i < 6; ++i) {
      std::vector<TaskGroup> tasks(1 + rng_.below(2));
      for (TaskGroup& group : tasks) {
        group.count = static_cast<std::int32_t>(1 + rng_.below(3));
        group.request.gpus = static_cast<std::int32_t>(rng_.below(5));
        if (group.request.gpus == 1) group.request.gpu_milli = GpuMilli{500};
        group.request.cpu = CpuMilli{static_cast<std::int64_t>(rng_.below(4000))};
      }
      kinds_.push_back(tasks);
      indices_.push_back(demands_.intern({0}, tasks, cluster_));
      demands_.at(indices_.back()).apart = 1;
    }
  }

  void change() {
    switch (rng_.below(8)) {
      case 0:
        return set_open();
      case 1:
        return restand();
      case 2:
        return rng_.below(8) == 0 ? join() : end_one_task();
      case 3:
      case 4:
        return end_one_task();
      default:
        return start();
    }
  }

  /// Asks of some demand and bar, and compares with taking every victim in thought.
  void ask() {
    Trial trial(cluster_, {0});
    Evictable taken;
    for (const auto& [rank, id] : running_.evictable()) {
      if (rng_.below(6) != 0) continue;
      taken.emplace(rank, id);
      release_all(*jobs_.find(id), trial);
    }
    const Reach::Setting setting{cluster_, jobs_, running_.evictable(), taken};
    for (int i = 0; i < 3; ++i) {
      const std::size_t kind = rng_.below(kinds_.size());
      demands_.intern({0}, kinds_[kind], cluster_);  // for it to know all shapes
      const Demand& demand = demands_.at(indices_[kind]);
      const auto bar = static_cast<Rank>(rng_.below(5)) - 1;
      const auto beyond = running_.reach().beyond(setting, demand, bar);
      const auto wanted = searched(demand, bar, taken);
      RC_ASSERT(beyond == (watched_.contains(indices_[kind]) ? wanted : std::nullopt));
      said_no += beyond ? 1 : 0;
      if (!wanted && watched_.contains(indices_[kind])) compare_cut(setting, demand, bar);
      if (beyond || watched_.contains(indices_[kind])) continue;
      rng_.below(2) == 0 ? running_.reach().watch(setting, demand, bar)
                         : running_.reach().watch_later(demand);
      watched_.insert(indices_[kind]);
    }
  }

  int said_no = 0;
  int cuts = 0;

 private:
  /// What jobs cost that are tried in vain; nullopt if the demand fits once all of them are gone.
  std::optional<std::int64_t> searched(const Demand& demand, Rank bar, const Evictable& taken) {
    std::int64_t work = 0;
    std::int64_t cost = 0;
    Thought thought(cluster_, demand, work);
    for (const auto& [rank, id] : running_.evictable()) {
      if (rank <= bar || taken.contains({rank, id})) continue;
      cost += held_cost(*jobs_.find(id));
      release_all(*jobs_.find(id), thought);
    }
    return thought.fits() ? std::nullopt : std::optional(cost);
  }

  /// The cut is what a search victim by victim finds.
  void compare_cut(const Reach::Setting& setting, const Demand& demand, Rank bar) {
    std::int64_t work = 0;
    if (placer_.find(cluster_, demand, 0, work)) return;  // it needs none
    const auto order = [&] {
      RankedVictims victims(running_, jobs_, kNow);
      for (const auto& [rank, id] : setting.taken) victims.leave_out(id);
      return victims;
    };
    const Reach::Cut cut = running_.reach().cut(setting, demand, kNow);
    Thought thought(cluster_, demand, work);
    std::int64_t cost = 0;
    RankedVictims first = order();
    while (!thought.fits()) {
      const Job& job = *first.take(bar);
      cost += held_cost(job);
      release_all(job, thought);
    }
    RC_ASSERT(cut.tried == first.tried());
    RC_ASSERT(cut.cost == cost);
    Trial trial(cluster_, {0});
    RankedVictims victims = order();
    const ImageHolders none;
    const Question question{cluster_, jobs_, placer_, kNow, work, 1'000'000, none};
    const auto room = make_room(question, trial, {{9}, demand, bar}, victims);
    RC_ASSERT(room.has_value());
    RC_ASSERT(cut.victims == room->victims);
    ++cuts;
  }

  void join() {
    NodeSpec node;
    node.gpus = static_cast<std::int32_t>(rng_.below(9));
    node.cpu = CpuMilli{8000};
    node.location.rack = std::string(1, static_cast<char>('a' + rng_.below(3)));
    const NodeId id{static_cast<std::uint32_t>(cluster_.nodes().size())};
    RC_ASSERT(cluster_.add(id, node).has_value());
  }

  void set_open() {
    const NodeId id{static_cast<std::uint32_t>(rng_.below(cluster_.nodes().size()))};
    cluster_.set_silent(id, !cluster_.node(id).silent);
  }

  Job* some_running() {
    const std::vector<JobId> ids = running_.ids();
    return ids.empty() ? nullptr : jobs_.find(ids[rng_.below(ids.size())]);
  }

  Running::Outlook outlook() {
    if (rng_.below(4) == 0) return {};
    return {std::nullopt, Standing{static_cast<Rank>(rng_.below(4)), Time::max()}};
  }

  void restand() {
    if (Job* job = some_running()) running_.update(*job, outlook(), Time{});
  }

  void start() {
    const std::size_t kind = rng_.below(kinds_.size());
    demands_.intern({0}, kinds_[kind], cluster_);
    std::int64_t work = 0;
    auto placement = placer_.find(cluster_, demands_.at(indices_[kind]), rng_.below(1000), work);
    if (!placement) return;
    for (const TaskPlacement& task : *placement) cluster_.allocate(task.node, task.allocation);
    Job job;
    job.id = {jobs_.last().value + 1};
    job.state = JobState::Running;
    JobSpec spec;
    spec.tasks = kinds_[kind];
    job.attempt_started_at = Time{} + seconds(static_cast<std::int64_t>(rng_.below(20)));
    if (rng_.below(2) == 0) spec.checkpoint.interval = seconds(3);
    job.spec = std::move(spec);
    job.tasks.assign(placement->size(), TaskState::Running);
    job.placement = std::move(*placement);
    running_.insert(jobs_.add(std::move(job)), outlook(), Time{});
  }

  void end_one_task() {
    Job* job = some_running();
    if (job == nullptr) return;
    const auto task = std::find(job->tasks.begin(), job->tasks.end(), TaskState::Running);
    *task = TaskState::Ended;
    const auto& placed = job->placement[static_cast<std::size_t>(task - job->tasks.begin())];
    cluster_.release(placed.node, placed.allocation);
    if (std::find(task, job->tasks.end(), TaskState::Running) == job->tasks.end()) {
      running_.erase(*job);
    } else {
      running_.reach().shrink(*job);
    }
  }

  Rng rng_;
  Cluster cluster_;
  JobTable jobs_;
  DemandTable demands_;
  Placer placer_;
  Running running_;
  std::vector<std::vector<TaskGroup>> kinds_;
  std::vector<std::uint32_t> indices_;  // in demands_, by kind
  std::set<std::uint32_t> watched_;     // in demands_
};

RC_GTEST_PROP(Reach, SaysWhatTakingEveryVictimWould, (std::uint64_t seed)) {
  Fleet fleet(seed);
  for (int i = 0; i < 120; ++i) {
    fleet.change();
    if (i % 3 == 0) fleet.ask();
  }
  RC_TAG(fleet.said_no > 0, fleet.cuts > 0);
}

/// A task of two GPUs, a node, and nobody who could be stopped for it.
struct Lonely {
  explicit Lonely(std::int32_t gpus) {
    NodeSpec node;
    node.gpus = gpus;
    EXPECT_TRUE(cluster.add({0}, node).has_value());
    tasks[0].request.gpus = 2;
  }

  Cluster cluster;
  DemandTable demands;
  std::vector<TaskGroup> tasks{1};
  JobTable jobs;
  Evictable none;
  Reach::Setting setting{cluster, jobs, none, none};
  Reach reach;
};

TEST(Reach, ACopyRemembersNothing) {
  Lonely lonely(1);
  auto& [cluster, demands, tasks, jobs, none, setting, reach] = lonely;
  const Demand& demand = demands.at(demands.intern({0}, tasks, cluster));
  reach.watch(setting, demand, 0);
  EXPECT_EQ(reach.beyond(setting, demand, 0), 0);
  Reach copy(reach);
  EXPECT_EQ(copy.beyond(setting, demand, 0), std::nullopt);
}

TEST(Reach, ALogThatForgotIsNoticed) {
  Lonely lonely(2);
  auto& [cluster, demands, tasks, jobs, none, setting, reach] = lonely;
  const Demand& demand = demands.at(demands.intern({0}, tasks, cluster));
  const Allocation one{1, kWholeGpu, {}, {}};
  cluster.allocate({0}, one);
  reach.watch(setting, demand, 0);
  EXPECT_EQ(reach.beyond(setting, demand, 0), 0);
  for (std::size_t i = 0; i < 2 * NodeLog::kKept; ++i) {
    cluster.release({0}, one);
    cluster.allocate({0}, one);
  }
  EXPECT_EQ(reach.beyond(setting, demand, 0), 0);
  cluster.release({0}, one);
  EXPECT_EQ(reach.beyond(setting, demand, 0), std::nullopt);
}

}  // namespace
}  // namespace gyre::reason
