// Quotas, limits and fair shares of queues, as a tenant meets them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "control/controller.h"

namespace gyre::control {
namespace {

using enum JobState;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Duration kHour = seconds(3600);
const TaskExit kStopped{TaskExit::Kind::Signaled, 15, true, ""};

QueueSpec queue(std::string name, std::int64_t guaranteed_gpus = 0, std::string parent = "") {
  QueueSpec spec{std::move(name), ""};
  spec.parent = std::move(parent);
  spec.guaranteed.gpu_milli = guaranteed_gpus * 1000;
  return spec;
}

class QuotaTest : public ::testing::Test {
 protected:
  QuotaTest() : core_(Config{}) { tell(PolicySet{*policy_by_name("fifo")}); }

  const Decisions& tell(Event::Body body) {
    return core_.step({now_, EventSeq{++seq_}, std::move(body)});
  }
  void add_nodes(std::uint32_t count, std::int32_t gpus) {
    for (std::uint32_t i = 0; i < count; ++i) {
      const NodeId id{static_cast<std::uint32_t>(core_.cluster().nodes().size())};
      tell(NodeJoined{
          id, {"n" + std::to_string(id.value), "", "A100", gpus, {}, {64'000}, {524'288}, true}});
    }
  }
  JobId submit(const std::string& in, std::int32_t gpus = 1, bool preemptible = true) {
    JobSpec spec;
    spec.queue = in;
    spec.preemptible = preemptible;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, spec, {}});
    if (state(id) == Starting) tell(TaskStarted{id, job(id).attempt, 0});
    return id;
  }
  void end(JobId id, const TaskExit& exit = {}) { tell(TaskEnded{id, job(id).attempt, 0, exit}); }
  const Job& job(JobId id) const { return *core_.jobs().find(id); }
  JobState state(JobId id) const { return job(id).state; }
  Explanation why(JobId id) const { return core_.explain(job(id)); }
  std::map<std::string, int> placed() const {
    std::map<std::string, int> gpus;
    core_.jobs().for_each([&](const Job& one) {
      if (is_placed(one.state)) gpus[one.spec->queue] += one.spec->tasks[0].request.gpus;
    });
    return gpus;
  }
  std::vector<JobId> in_state(JobState wanted) const {
    std::vector<JobId> ids;
    core_.jobs().for_each([&](const Job& one) {
      if (one.state == wanted) ids.push_back(one.id);
    });
    return ids;
  }

  Time now_;
  std::uint64_t seq_ = 0;
  Controller core_;
};

TEST_F(QuotaTest, WhatIsGuaranteedIsBorrowedAndTakenBackFromTheYoungest) {
  tell(QueueSet{queue("a", 4)});
  tell(QueueSet{queue("b", 4)});
  add_nodes(1, 8);
  for (int i = 0; i < 8; ++i, now_ = now_ + seconds(10)) submit("b");
  EXPECT_EQ(placed()["b"], 8);
  const JobId wants = submit("a", 2);
  EXPECT_EQ(why(wants).reason, WaitReason::WaitingForPreemption);
  EXPECT_THAT(in_state(Preempting), ElementsAre(JobId{7}, JobId{8}));
  end(JobId{7}, kStopped);
  end(JobId{8}, kStopped);
  EXPECT_EQ(state(wants), Starting);
  const JobId more = submit("a", 2);
  EXPECT_EQ(why(more).reason, WaitReason::WaitingForPreemption);
  end(JobId{5}, kStopped);
  end(JobId{6}, kStopped);
  EXPECT_EQ(state(more), Starting);
  const JobId beyond = submit("a", 1);
  EXPECT_EQ(state(beyond), Queued) << "that is not guaranteed any more";
  EXPECT_TRUE(in_state(Preempting).empty());
  EXPECT_EQ(placed()["b"], 4);
}

TEST_F(QuotaTest, WhoCannotBeStoppedDoesNotBorrowWhatIsGuaranteed) {
  tell(QueueSet{queue("a", 4)});
  tell(QueueSet{queue("b", 2)});
  add_nodes(1, 8);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(state(submit("b", 1, false)), Running);
  const JobId firm = submit("b", 1, false);
  EXPECT_EQ(why(firm).reason, WaitReason::WaitingForQuota);
  EXPECT_THAT(why(firm).detail, HasSubstr("guaranteed to other queues"));
  const JobId soft = submit("b", 1, true);
  EXPECT_EQ(state(soft), Running) << "it can be given back";
  EXPECT_EQ(state(submit("a", 4, false)), Queued);
  EXPECT_EQ(state(soft), Preempting);
}

TEST_F(QuotaTest, WhoMayNotBeStoppedAndIsLeftNothingByGuaranteesIsToldSo) {
  tell(QueueSet{queue("team", 8)});
  tell(QueueSet{queue("other")});
  add_nodes(1, 8);
  const JobId never = submit("other", 1, false);
  EXPECT_EQ(why(never).reason, WaitReason::ExceedsMaxQuota) << "though nothing runs";
  EXPECT_EQ(why(never).detail,
            "only preemptible jobs can run here: it asks for 1 GPU, and of the fleet's 8 GPUs at "
            "most 0 GPUs are left to jobs that may not be preempted (guaranteed to other queues: "
            "'team' (8 GPUs))");
  EXPECT_EQ(state(submit("other", 1, true)), Running);
  add_nodes(1, 1);
  EXPECT_EQ(state(never), Starting) << "the fleet has grown";
}

TEST_F(QuotaTest, WhereNothingIsGuaranteedAFullFleetIsNoQuota) {
  for (const auto& [name, weight] : {std::pair("a", 3), std::pair("b", 1)}) {
    QueueSpec spec = queue(name);
    spec.weight = weight;
    tell(QueueSet{spec});
  }
  add_nodes(1, 8);
  std::vector<JobId> running;
  for (int i = 0; i < 8; ++i) running.push_back(submit("a", 1, false));
  const JobId gang = submit("b", 4, false);
  EXPECT_EQ(why(gang).reason, WaitReason::WaitingForTurn);
  const JobId small = submit("a", 1, false);
  EXPECT_EQ(why(small).reason, WaitReason::WaitingForTurn);
  EXPECT_EQ(why(submit("a", 1, true)).reason, WaitReason::WaitingForTurn);
  for (int i = 0; i < 4; ++i) end(running[static_cast<std::size_t>(i)]);
  EXPECT_EQ(state(gang), Starting) << "others of a fuller queue did not pass it";
  EXPECT_EQ(state(small), Queued);
}

TEST_F(QuotaTest, WhoIsKeptOutByAGuaranteeOrByAFullFleetIsToldWhich) {
  tell(QueueSet{queue("a", 2)});
  tell(QueueSet{queue("b")});
  tell(QueueSet{queue("c")});
  add_nodes(1, 8);
  for (int i = 0; i < 2; ++i) submit("a", 1, false);
  std::vector<JobId> running;
  for (int i = 0; i < 3; ++i) running.push_back(submit("b", 1, false));
  for (int i = 0; i < 3; ++i) submit("c", 1, false);
  const JobId next = submit("b", 1, false);
  EXPECT_EQ(why(next).reason, WaitReason::WaitingForTurn) << "whoever of b or c ends lets it in";
  const JobId beyond = submit("a", 1, false);
  EXPECT_EQ(why(beyond).reason, WaitReason::WaitingForTurn) << "nothing is guaranteed to others";
  end(JobId{1});
  EXPECT_EQ(state(beyond), Starting);
  end(JobId{2});
  EXPECT_EQ(state(next), Queued);
  EXPECT_EQ(why(next).reason, WaitReason::WaitingForQuota) << "what is free is kept for a";
}

TEST_F(QuotaTest, WhatGuaranteesLeaveIsToldWhileNodesAreDown) {
  tell(QueueSet{queue("a", 2)});
  tell(QueueSet{queue("b")});
  add_nodes(2, 4);
  tell(NodeLost{NodeId{0}, {}});
  const JobId wide = submit("b", 4, false);
  EXPECT_EQ(why(wide).reason, WaitReason::WaitingForQuota) << "not for ever: the node comes back";
  tell(NodeReturned{NodeId{0}});
  EXPECT_EQ(state(wide), Starting);
}

TEST_F(QuotaTest, WhatTheQueueAboveHasLeftForOthersIsTold) {
  tell(QueueSet{queue("team", 8)});
  tell(QueueSet{queue("alice", 4, "team")});
  tell(QueueSet{queue("bob", 0, "team")});
  tell(QueueSet{queue("other")});
  add_nodes(1, 12);
  const JobId six = submit("bob", 6, false);
  EXPECT_EQ(why(six).reason, WaitReason::ExceedsMaxQuota);
  EXPECT_EQ(why(six).detail,
            "only preemptible jobs can run here: it asks for 6 GPUs, and of the 8 GPUs that queue "
            "'team' is guaranteed at most 4 GPUs are left to jobs that may not be preempted "
            "(guaranteed to other queues: 'alice' (4 GPUs))");
  EXPECT_EQ(state(submit("bob", 3, false)), Running);
  const JobId two = submit("bob", 2, false);
  EXPECT_EQ(why(two).reason, WaitReason::WaitingForQuota) << "once the others have ended it may";
  EXPECT_EQ(why(two).detail,
            "it asks for 2 GPUs and may not be preempted; of the 8 GPUs that queue 'team' is "
            "guaranteed 1 GPU are left to such jobs now (guaranteed to other queues: 'alice' (4 "
            "GPUs)); what may be preempted may borrow it");
}

TEST_F(QuotaTest, AShareIsOfWhatIsHeldNow) {
  QueueSpec a = queue("a", 4);
  a.half_life = seconds(64'000);
  a.weight = 3;
  tell(QueueSet{a});
  tell(QueueSet{queue("b")});
  add_nodes(1, 8);
  const JobId held = submit("a", 4);
  EXPECT_DOUBLE_EQ(core_.queue_use("a").share, 0.5 / 3);
  EXPECT_DOUBLE_EQ(core_.queue_use("b").share, 0);
  now_ = now_ + kHour;
  end(held);
  submit("a", 16);
  EXPECT_DOUBLE_EQ(core_.queue_use("a").share, 0) << "neither past use nor who waits counts";
}

TEST_F(QuotaTest, LimitsHoldForAQueueAndAllAboveIt) {
  QueueSpec top = queue("top");
  top.gpu_milli_max = 4000;
  QueueSpec low = queue("low", 0, "top");
  low.jobs_max = 2;
  tell(QueueSet{top});
  tell(QueueSet{low});
  tell(QueueSet{queue("other", 0, "top")});
  add_nodes(1, 8);
  submit("low");
  const JobId second = submit("low");
  const JobId third = submit("low");
  EXPECT_EQ(why(third).reason, WaitReason::WaitingForQuota);
  EXPECT_THAT(why(third).detail, HasSubstr("'low' has 2 jobs"));
  const JobId wide = submit("other", 3);
  EXPECT_EQ(why(wide).reason, WaitReason::WaitingForQuota);
  EXPECT_THAT(why(wide).detail, HasSubstr("'top' holds 2 GPUs of the 4 GPUs"));
  EXPECT_EQ(state(submit("other", 2)), Running);
  const JobId huge = submit("other", 5);
  EXPECT_EQ(why(huge).reason, WaitReason::ExceedsMaxQuota);
  end(second);
  EXPECT_EQ(state(third), Starting);
  top.gpu_milli_max = 8000;
  tell(QueueSet{top});
  EXPECT_EQ(state(wide), Starting);
  EXPECT_EQ(why(huge).reason, WaitReason::WaitingForQuota) << "it does not exceed it any more";
}

TEST_F(QuotaTest, GpuHoursComeBackWithTheirWindow) {
  QueueSpec spec = queue("a");
  spec.gpu_seconds_max = 7200;
  spec.gpu_time_window = kHour * 24;
  tell(QueueSet{spec});
  add_nodes(1, 4);
  const JobId first = submit("a", 2);
  now_ = now_ + kHour;
  end(first);
  const JobId next = submit("a");
  EXPECT_EQ(why(next).reason, WaitReason::WaitingForQuota);
  EXPECT_THAT(why(next).detail, HasSubstr("used its 2 GPU hours; the next ones come in 23h"));
  ASSERT_TRUE(core_.next_wakeup());
  EXPECT_EQ(*core_.next_wakeup(), Time{} + kHour * 24);
  now_ = *core_.next_wakeup();
  tell(Tick{});
  EXPECT_EQ(state(next), Starting);
}

TEST_F(QuotaTest, SharesFollowWeightsAtEveryLevel) {
  QueueSpec heavy = queue("heavy");
  heavy.weight = 3;
  tell(QueueSet{heavy});
  tell(QueueSet{queue("light")});
  tell(QueueSet{queue("left", 0, "heavy")});
  tell(QueueSet{queue("right", 0, "heavy")});
  add_nodes(1, 8);
  const JobId all = submit("light", 8);
  for (int i = 0; i < 20; ++i) submit("light");
  for (int i = 0; i < 20; ++i) submit("left");
  for (int i = 0; i < 20; ++i) submit("right");
  end(all);
  EXPECT_EQ(placed()["light"], 2);
  EXPECT_EQ(placed()["left"], 3);
  EXPECT_EQ(placed()["right"], 3);
}

TEST_F(QuotaTest, WhereMoreIsGuaranteedThanThereIsAQueueStillHasItsOwn) {
  for (const char* name : {"a", "b", "c"}) tell(QueueSet{queue(name, 5)});
  add_nodes(1, 8);
  const JobId first = submit("a", 4, false);
  const JobId waits = submit("a", 4, false);
  EXPECT_EQ(why(waits).reason, WaitReason::WaitingForQuota) << why(waits).detail;
  end(first);
  EXPECT_EQ(state(waits), Starting);
  EXPECT_EQ(why(submit("a", 6, false)).reason, WaitReason::ExceedsMaxQuota);
}

TEST_F(QuotaTest, WeightsThatAreStatedCountEvenIfAllAreEqual) {
  for (const char* name : {"a", "b"}) {
    QueueSpec spec = queue(name);
    EXPECT_FALSE(spec.has_quota());
    spec.weighted = true;
    EXPECT_TRUE(spec.has_quota());
    tell(QueueSet{spec});
  }
  add_nodes(1, 4);
  const JobId first = submit("b", 4, false);
  for (int i = 0; i < 6; ++i) submit("b", 1, false);
  for (int i = 0; i < 6; ++i) submit("a", 1, false);
  end(first);
  EXPECT_EQ(placed()["a"], 2);
  EXPECT_EQ(placed()["b"], 2);
}

TEST_F(QuotaTest, TheDominantShareCounts) {
  tell(QueueSet{queue("cpu")});
  QueueSpec named = queue("gpu");
  named.half_life = seconds(64);  // governs the partition
  tell(QueueSet{named});
  add_nodes(1, 8);  // 8 GPUs, 64 CPUs
  const JobId all = submit("gpu", 8);
  const auto with_cpu = [&](const std::string& in, std::int64_t cpu) {
    JobSpec spec;
    spec.queue = in;
    spec.preemptible = true;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = 1;
    spec.tasks[0].request.cpu = CpuMilli{cpu};
    tell(JobSubmitted{{core_.jobs().last().value + 1}, spec, {}});
  };
  for (int i = 0; i < 8; ++i) with_cpu("cpu", 16'000);  // a quarter of the CPUs each
  for (int i = 0; i < 8; ++i) with_cpu("gpu", 1000);    // an eighth of the GPUs each
  end(all);
  EXPECT_EQ(placed()["cpu"], 3);
  EXPECT_EQ(placed()["gpu"], 5);
}

TEST_F(QuotaTest, PastUseFades) {
  for (const std::string name : {"a", "b"}) {
    QueueSpec spec = queue(name);
    spec.half_life = kHour;
    tell(QueueSet{spec});
  }
  add_nodes(1, 8);
  const JobId long_one = submit("a", 8);
  now_ = now_ + kHour * 10;
  for (int i = 0; i < 16; ++i) submit("a");
  for (int i = 0; i < 16; ++i) submit("b");
  end(long_one);
  EXPECT_EQ(placed()["b"], 8) << "it has had nothing for ten hours";
  EXPECT_NEAR(static_cast<double>(core_.queue_use("a").past.gpu_milli), 8000, 20);
  now_ = now_ + kHour * 20;
  tell(Tick{});
  EXPECT_EQ(core_.queue_use("a").past.gpu_milli, 0);
  EXPECT_NEAR(static_cast<double>(core_.queue_use("b").past.gpu_milli), 8000, 20);
}

TEST_F(QuotaTest, AnArrivalOfAQueueWithNothingGoesFirst) {
  tell(QueueSet{queue("a")});
  QueueSpec b = queue("b");
  b.weight = 2;
  tell(QueueSet{b});
  add_nodes(1, 2);
  std::vector<JobId> running{submit("a"), submit("a")};
  for (int i = 0; i < 200; ++i) submit("a");
  const JobId fresh = submit("b");
  EXPECT_EQ(why(fresh).jobs_ahead, 0);
  end(running[0]);
  EXPECT_EQ(state(fresh), Starting);
}

TEST_F(QuotaTest, AnOrderStopsJobsOfItsOwnQueueOnly) {
  tell(PolicySet{*policy_by_name("preemptive")});
  tell(QueueSet{queue("a", 1)});
  tell(QueueSet{queue("b", 1)});
  add_nodes(1, 2);
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  spec.preemptible = true;
  spec.priority = 1;
  const auto submit_as = [&](const std::string& in, int priority) {
    spec.queue = in;
    spec.priority = priority;
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, spec, {}});
    if (state(id) == Starting) tell(TaskStarted{id, 1, 0});
    return id;
  };
  const JobId low_a = submit_as("a", 1);
  const JobId low_b = submit_as("b", 1);
  submit_as("a", 9);
  EXPECT_EQ(state(low_a), Preempting);
  EXPECT_EQ(state(low_b), Running);
}

TEST_F(QuotaTest, WhoHasWaitedTooLongGoesFirst) {
  PolicySpec policy = *policy_by_name("fifo");
  policy.starve_after = kHour;
  tell(PolicySet{policy});
  for (const std::string name : {"poor", "greedy"}) {
    QueueSpec spec = queue(name);
    spec.half_life = kHour * 100;
    tell(QueueSet{spec});
  }
  add_nodes(1, 1);
  JobId running = submit("greedy");
  now_ = now_ + kHour * 100;
  const JobId patient = submit("greedy");
  for (int i = 0; i < 100; ++i) submit("poor");
  for (int i = 0; i < 5; ++i) {
    end(running);
    running = in_state(Starting).front();
    EXPECT_EQ(job(running).spec->queue, "poor");
  }
  now_ = now_ + kHour;
  tell(Tick{});
  end(running);
  EXPECT_EQ(state(patient), Starting);
}

TEST_F(QuotaTest, AQueueWithOthersBelowTakesNoJobs) {
  tell(QueueSet{queue("top")});
  tell(QueueSet{queue("below", 0, "top")});
  add_nodes(1, 1);
  EXPECT_EQ(job(submit("top")).ending, Termination::Misconfigured);
  JobSpec refused;
  refused.tasks = {{1, {}}};
  refused.queue = "top";
  EXPECT_THAT(core_.check(refused).error().message, HasSubstr("has queues below it"));
  tell(QueueSet{queue("orphan", 0, "nobody")});
  EXPECT_EQ(core_.queues().size(), 2U);
  QueueSpec bad = queue("below", 0, "top");
  bad.weight = 0;
  tell(QueueSet{bad});
  EXPECT_EQ(core_.queues()[1].weight, 1);
}

TEST_F(QuotaTest, QuotasMayComeWhileJobsWaitAndRun) {
  tell(QueueSet{queue("a")});
  tell(QueueSet{queue("b")});
  add_nodes(1, 4);
  for (int i = 0; i < 12; ++i) submit("a");
  const JobId late = submit("b", 2);
  EXPECT_EQ(state(late), Queued);
  tell(QueueSet{queue("b", 2)});
  EXPECT_EQ(why(late).reason, WaitReason::WaitingForPreemption);
  for (const JobId id : in_state(Preempting)) end(id, kStopped);
  EXPECT_EQ(state(late), Starting);
}

}  // namespace
}  // namespace gyre::control
