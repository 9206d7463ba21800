// No input makes a cycle take more than twice its budget, and none makes a job wait for ever.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "base/rng.h"
#include "control/controller.h"

namespace gyre::control {
namespace {

/// What a start, or a stop, counts at the least.
constexpr std::int64_t kActWork = 16;

void require(bool holds, const std::string& what) {
  if (!holds) RC_FAIL(what);
}

/// Starts and evictions.
std::int64_t acts_of(const Decisions& decisions) {
  return std::count_if(decisions.commands.begin(), decisions.commands.end(),
                       [](const Command& command) {
                         const auto* stop = std::get_if<StopGang>(&command.body);
                         return std::holds_alternative<StartGang>(command.body) ||
                                (stop != nullptr && stop->beneficiary.value != 0);
                       });
}

/// Something that is meant to be dear to decide about.
struct Attack {
  const char* name = "";
  std::uint32_t nodes = 24;
  std::uint64_t jobs = 300;
  std::uint64_t queues = 0;
  std::function<JobSpec(Rng&, std::uint64_t)> job;
  bool services = false;
};
void PrintTo(const Attack& attack, std::ostream* out) { *out << attack.name; }

JobSpec job_of(std::int32_t gpus, std::int32_t nodes = 1) {
  JobSpec spec;
  spec.tasks = {{nodes, {}}};
  spec.tasks[0].request.gpus = gpus;
  spec.expected_duration = seconds(600);
  return spec;
}

std::int32_t draw(Rng& rng, std::uint64_t below) {
  return static_cast<std::int32_t>(rng.below(below));
}

JobSpec huge_gang(Rng& rng, std::uint64_t) {
  JobSpec spec = job_of(1 + draw(rng, 8), 1 + draw(rng, 24));
  spec.preemptible = rng.below(2) == 0;
  spec.priority = draw(rng, 4);
  if (rng.below(3) == 0) {
    spec.topology = Topology{TopologyLevel::Rack, false};
  }
  return spec;
}

JobSpec equal_job(Rng&, std::uint64_t) { return job_of(1); }

/// No two ask for the same.
JobSpec another_demand(Rng& rng, std::uint64_t index) {
  JobSpec spec = job_of(1 + draw(rng, 8), 1 + draw(rng, 2));
  spec.tasks[0].request.cpu = CpuMilli{static_cast<std::int64_t>(index)};
  spec.preemptible = rng.below(2) == 0;
  return spec;
}

/// Each may stop the ones before it.
JobSpec next_in_chain(Rng& rng, std::uint64_t index) {
  JobSpec spec = job_of(1 + draw(rng, 4), 1 + draw(rng, 6));
  spec.priority = static_cast<std::int32_t>(index / 12);
  spec.preemptible = true;
  return spec;
}

JobSpec of_a_queue(Rng& rng, std::uint64_t) {
  JobSpec spec = job_of(1 + draw(rng, 8), 1 + draw(rng, 2));
  spec.queue = "q" + std::to_string(rng.below(30));
  spec.preemptible = rng.below(4) != 0;
  spec.priority = draw(rng, 10);
  return spec;
}

JobSpec ruled(Rng& rng, std::uint64_t) {
  static constexpr std::array<const char*, 3> kGroups{"a", "b", "c"};
  JobSpec spec = job_of(1 + draw(rng, 4), 1 + draw(rng, 12));
  PlacementRules rules;
  const std::uint64_t own = rng.below(3);
  rules.group = kGroups[own];
  rules.max_per_node = draw(rng, 3);
  rules.balance = static_cast<Balance>(rng.below(3));
  rules.level = static_cast<TopologyLevel>(rng.below(5));
  if (rng.below(2) == 0) rules.apart = kGroups[(own + 1) % 3];
  if (rng.below(2) == 0) rules.near = kGroups[(own + 2) % 3];
  spec.placement = rules;
  spec.preemptible = rng.below(2) == 0;
  spec.priority = draw(rng, 5);
  return spec;
}

/// Most want what replicas of services hold.
JobSpec kept_out(Rng& rng, std::uint64_t index) {
  if (rng.below(4) == 0) return job_of(1 + draw(rng, 4));
  JobSpec spec = job_of(8, 24);
  spec.tasks[0].request.cpu = CpuMilli{static_cast<std::int64_t>(index)};
  return spec;
}

std::vector<Attack> attacks() {
  return {{"HugeGangs", 24, 60, 0, huge_gang},         {"EqualJobs", 24, 300, 0, equal_job},
          {"ManyDemands", 24, 120, 0, another_demand}, {"Chains", 24, 120, 0, next_in_chain},
          {"Quotas", 24, 120, 30, of_a_queue},         {"Rules", 24, 60, 0, ruled},
          {"KeptOut", 24, 120, 0, kept_out, true}};
}

/// A fleet under attack: submits all jobs, lets some end meanwhile, then all.
class Besieged {
 public:
  Besieged(const Attack& attack, const PolicySpec& policy, std::int64_t budget, std::uint64_t seed)
      : attack_(attack), rng_(seed), core_(config(budget)) {
    tell(PolicySet{policy});
    if (attack_.queues == 0) tell(QueueSet{{"default", ""}});
    for (std::uint64_t i = 0; i < attack_.queues; ++i) {
      QueueSpec queue{"q" + std::to_string(i), ""};
      queue.guaranteed.gpu_milli = static_cast<std::int64_t>(rng_.below(kGuaranteed)) * 1000;
      tell(QueueSet{queue});
    }
    for (std::uint32_t i = 0; i < attack_.nodes; ++i) {
      NodeSpec node{"n" + std::to_string(i), "", "A100", 8, {}, {64'000}, {65'536}, true};
      node.location.rack = "r" + std::to_string(i / 5);
      tell(NodeJoined{{i}, node});
    }
    if (!attack_.services) return;
    ServiceSpec service;
    service.replica = job_of(2);
    service.replica.name = "web";
    service.replica.expected_duration.reset();
    service.replica.launch.command = {"serve"};
    service.replicas = {3, 3, 0, seconds(60), seconds(120)};
    tell(ServiceApplied{service});
    for (const JobId id : std::vector<JobId>(placed_)) {
      tell(TaskStarted{id, 1, 0});
      tell(ReplicaProbed{id, 1, ReplicaHealth::Ready, ""});
    }
  }

  void run() {
    const std::size_t replicas = core_.jobs().size();
    for (std::uint64_t i = 0; i < attack_.jobs; ++i) {
      tell(JobSubmitted{{core_.jobs().last().value + 1}, attack_.job(rng_, i), {}});
      if (rng_.below(4) == 0) now_ = now_ + seconds(draw(rng_, 40));
      if (rng_.below(8) == 0) end_one();
    }
    settle();
    // Each end lets at least the first of a line come nearer: so many, and all are over.
    for (std::uint64_t i = 0; !running().empty(); ++i) {
      require(i < 40 * attack_.jobs, "all jobs end some time");
      now_ = now_ + seconds(draw(rng_, 40));
      end_one();
      settle();
    }
    core_.jobs().for_each([&](const Job& job) {
      if (job.id.value <= replicas || is_final(job.state)) return;
      require(attack_.services, "a job starved");
      require(job.spec->tasks[0].count == 24, "a job that fits starved");
    });
  }

  std::int64_t charged_max() const { return charged_max_; }

 private:
  static Config config(std::int64_t budget) {
    Config config;
    config.cycle_work_max = budget;
    return config;
  }

  void tell(Event::Body body) {
    const Decisions& decisions = core_.step({now_, EventSeq{++seq_}, std::move(body)});
    require(kActWork * acts_of(decisions) <= core_.last_work(), "starts and stops count");
    charged_max_ = std::max(charged_max_, core_.last_work());
    for (const Command& command : Commands(decisions.commands)) {
      if (const auto* start = std::get_if<StartGang>(&command.body)) placed_.push_back(start->job);
      if (const auto* stop = std::get_if<StopGang>(&command.body)) stopping_.push_back(stop->job);
    }
    require(core_.last_work() <= core_.work_max() + dearest_step(), "a budget and one step");
  }

  /// What one job may take that is looked at, with how often each thing is looked at for it.
  std::int64_t dearest_step() const {
    const auto nodes = std::ssize(core_.cluster().nodes());
    const auto queues = std::ssize(core_.queues());
    const std::int64_t in_line = 64;
    std::int64_t held = 24;  // of one that is ending
    for (const JobId id : placed_) held += std::ssize(core_.jobs().find(id)->placement);
    const std::int64_t tasks = 24;
    return 24 * (nodes + tasks) + std::ssize(placed_) * (2 * kActWork + (queues + in_line) / 4) +
           12 * held + 3 * 1024 + 20 * (queues + in_line);
  }

  std::vector<JobId> running() const {
    std::vector<JobId> ids;
    for (const JobId id : placed_) {
      const Job& job = *core_.jobs().find(id);
      if (is_placed(job.state) && job.service.empty()) ids.push_back(id);
    }
    return ids;
  }

  void end(JobId id, bool stopped) {
    const Job& job = *core_.jobs().find(id);
    const std::int32_t attempt = job.attempt;
    const auto tasks = static_cast<std::int32_t>(job.tasks.size());
    for (std::int32_t rank = 0; rank < tasks; ++rank) {
      tell(TaskEnded{id, attempt, rank, {TaskExit::Kind::Exited, 0, stopped, ""}});
    }
  }

  void end_one() {
    const std::vector<JobId> ids = running();
    if (ids.empty()) return;
    const JobId id = ids[rng_.below(ids.size())];
    std::erase(placed_, id);
    std::erase(stopping_, id);
    end(id, false);
  }

  /// Who is to stop does; cycles follow until all is decided.
  void settle() {
    const std::uint64_t cycles_max = 20'000;
    for (std::uint64_t cycles = 0;; ++cycles) {
      require(cycles < cycles_max, "all is decided some time");
      if (!stopping_.empty()) {
        const JobId id = stopping_.front();
        stopping_.erase(stopping_.begin());
        if (!is_placed(core_.jobs().find(id)->state)) continue;
        std::erase(placed_, id);
        end(id, true);
      } else if (core_.has_leftover()) {
        require(core_.next_wakeup() == core_.now(), "the next cycle follows at once");
        tell(Tick{});
      } else {
        break;
      }
    }
    if (++settled_ % 64 != 0) return;
    core_.jobs().for_each([this](const Job& job) {
      if (job.state != JobState::Queued) return;
      require(core_.explain(job).reason != WaitReason::PendingEvaluation, "who fits has started");
    });
  }

  /// So few that what cannot be stopped finds room beside all that is guaranteed.
  static constexpr std::uint64_t kGuaranteed = 6;

  const Attack& attack_;
  Rng rng_;
  Controller core_;
  Time now_;
  std::uint64_t seq_ = 0;
  std::vector<JobId> placed_;
  std::vector<JobId> stopping_;
  std::int64_t charged_max_ = 0;
  std::uint64_t settled_ = 0;
};

class CycleBudget : public ::testing::TestWithParam<Attack> {};

TEST_P(CycleBudget, NoCycleTakesMoreThanTwiceItsBudgetAndNobodyStarves) {
  EXPECT_TRUE(rc::check([&] {
    const auto seed = *rc::gen::noShrink(rc::gen::arbitrary<std::uint64_t>());
    const PolicySpec policy = *rc::gen::elementOf(named_policies());
    const std::int64_t budget = *rc::gen::element(1, 150, 20'000);
    RC_LOG(policy.name + "\n");
    Besieged fleet(GetParam(), policy, budget, seed);
    fleet.run();
    if (budget == 20'000) RC_ASSERT(fleet.charged_max() <= 2 * budget);
  }));
}

std::string name_of(const ::testing::TestParamInfo<Attack>& attack) { return attack.param.name; }

INSTANTIATE_TEST_SUITE_P(Attacks, CycleBudget, ::testing::ValuesIn(attacks()), name_of);

/// 2,000 nodes, one of them not empty, and 100,000 jobs behind one that wants all of them.
class Crowd {
 public:
  static constexpr std::int64_t kBudget = 50'000;

  explicit Crowd(const char* policy) {
    tell(WorkBudgetSet{kBudget});
    tell(PolicySet{*policy_by_name(policy)});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 2'000; ++i) {
      tell(NodeJoined{{i}, {"n" + std::to_string(i), "", "A100", 8, {}, {64'000}, {65'536}, true}});
    }
    tell(JobSubmitted{{1}, job_of(1), {}});
    JobSpec all = job_of(8, 2'000);
    all.priority = 9;
    tell(JobSubmitted{{2}, all, {}});
    JobSpec one = job_of(1);
    one.preemptible = true;
    one.checkpoint.interval = seconds(60);
    for (std::uint64_t id = 3; id < 100'003; ++id) tell(JobSubmitted{{id}, one, {}});
    settle();
  }

  void tell(Event::Body body) {
    const Decisions& decisions = core.step({now, EventSeq{++seq_}, std::move(body)});
    EXPECT_LE(core.last_work(), 2 * kBudget);
    EXPECT_LE(kActWork * acts_of(decisions), core.last_work());
    starts += acts_of(decisions);
  }

  /// Cycles until nothing is left to be decided.
  int settle() {
    int cycles = 0;
    for (; core.has_leftover() && cycles < 10'000; ++cycles) tell(Tick{});
    EXPECT_FALSE(core.has_leftover());
    return cycles;
  }

  Controller core{Config{}};
  Time now;
  std::int64_t starts = 0;

 private:
  std::uint64_t seq_ = 0;
};

/// More than Merge looks at beforehand: it walks the line.
TEST(CycleBudgetCrowd, MoreDemandsThanAreLookedAtBeforehandAreWalked) {
  constexpr std::int64_t kBudget = 20'000;
  const Attack attack{"ManyDemands", 24, 1100, 0, another_demand};
  for (const char* policy : {"easy", "gyre"}) {
    Besieged fleet(attack, *policy_by_name(policy), kBudget, 1);
    fleet.run();
    EXPECT_LE(fleet.charged_max(), 2 * kBudget);
  }
}

TEST(CycleBudgetCrowd, ManyThatFitAtOnceStartInManyCycles) {
  Crowd crowd("fifo");
  EXPECT_EQ(crowd.starts, 1);
  crowd.tell(JobStopRequested{{2}});
  const int cycles = crowd.settle();
  EXPECT_EQ(crowd.starts, 16'000);
  EXPECT_LT(cycles, 100);
}

TEST(CycleBudgetCrowd, ManyReviewsAtOnceAreManyCycles) {
  Crowd crowd("gyre");
  int most = 0;
  for (int i = 0; i < 200; ++i) {
    const auto due = crowd.core.next_wakeup();
    if (!due) break;
    crowd.now = *due;
    crowd.tell(Tick{});
    most = std::max(most, crowd.settle());
  }
  EXPECT_GT(most, 2);
}

}  // namespace
}  // namespace gyre::control
