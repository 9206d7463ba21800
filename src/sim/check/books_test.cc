// Plants bugs into a stream of events and answers, and expects the invariant of that name, and no
// other, to catch each.
#include "sim/check/books.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "sim/check/checker.h"

namespace gyre::sim {
namespace {

using enum JobState;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;

/// A core's answers, written by hand. Two nodes of two GPUs, 8 cores and 64 GiB each.
class BooksTest : public ::testing::Test {
 protected:
  BooksTest() {
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 2; ++i) {
      tell(NodeJoined{NodeId{i},
                      {"n" + std::to_string(i), "", "V100", 2, {}, {8000}, {65536}, false}});
    }
  }

  void tell(Event::Body body, control::Decisions answer = {}) {
    books_.apply({now_, EventSeq{++seq_}, std::move(body)}, answer);
  }

  static JobSpec spec(std::int32_t tasks = 1, std::int32_t gpus = 1, CpuMilli cpu = {1000},
                      MemoryMib memory = {1024}) {
    JobSpec spec;
    spec.tasks = {{tasks, {}}};
    spec.tasks[0].request = {gpus, kWholeGpu, {}, {}, cpu, memory};
    return spec;
  }
  static TaskPlacement task(std::int32_t rank, std::uint32_t node, std::uint16_t devices,
                            CpuMilli cpu = {1000}, MemoryMib memory = {1024}) {
    return {rank, NodeId{node}, {devices, kWholeGpu, cpu, memory}};
  }
  Transition move(std::uint64_t job, JobState from, JobState to, std::int32_t attempt = 1) const {
    return {now_, JobId{job}, attempt, from, to, Termination::None};
  }
  static Command start(std::uint64_t job, std::vector<TaskPlacement> placement,
                       std::int32_t attempt = 1) {
    return {CommandId{job}, StartGang{JobId{job}, attempt, std::move(placement), {}}};
  }

  /// The job arrives and starts at once.
  void run(std::uint64_t job, const JobSpec& job_spec, std::vector<TaskPlacement> placement) {
    tell(JobSubmitted{JobId{job}, job_spec, {}},
         {{start(job, std::move(placement))},
          {move(job, Queued, Queued, 0), move(job, Queued, Starting)}});
  }
  void finish(std::uint64_t job) {
    tell(TaskStarted{JobId{job}, 1, 0}, {{}, {move(job, Starting, Running)}});
    tell(TaskEnded{JobId{job}, 1, 0, {}}, {{}, {move(job, Running, Succeeded)}});
  }

  void expect_only(Invariant invariant) const {
    EXPECT_THAT(books_.violations(), Not(IsEmpty())) << to_string(invariant) << " saw nothing";
    EXPECT_THAT(books_.violations(), Each(Field(&Violation::invariant, invariant)))
        << describe(books_.violations().front());
  }

  Books books_;
  Time now_;
  std::uint64_t seq_ = 0;
};

TEST_F(BooksTest, AJobsWholeWayBreaksNothing) {
  run(1, spec(2, 2), {task(0, 0, 3), task(1, 1, 3)});
  tell(TaskStarted{JobId{1}, 1, 0});
  tell(TaskStarted{JobId{1}, 1, 1}, {{}, {move(1, Starting, Running)}});
  tell(TaskEnded{JobId{1}, 1, 0, {}});
  tell(TaskEnded{JobId{1}, 1, 1, {}}, {{}, {move(1, Running, Succeeded)}});
  books_.finish();
  EXPECT_THAT(books_.violations(), IsEmpty());
}

TEST_F(BooksTest, AGpuGivenTwice) {
  run(1, spec(), {task(0, 0, 1)});
  run(2, spec(), {task(0, 0, 1)});
  expect_only(Invariant::GpuOvercommit);
}

TEST_F(BooksTest, MoreCpuThanThereIs) {
  run(1, spec(1, 1, {8000}), {task(0, 0, 1, {8000})});
  run(2, spec(1, 1, {1}), {task(0, 0, 2, {1})});
  expect_only(Invariant::CpuOvercommit);
}

TEST_F(BooksTest, MoreMemoryThanThereIs) {
  run(1, spec(1, 1, {1}, {65536}), {task(0, 0, 1, {1}, {65536})});
  run(2, spec(1, 1, {1}, {1}), {task(0, 0, 2, {1}, {1})});
  expect_only(Invariant::MemoryOvercommit);
}

TEST_F(BooksTest, HalfAGang) {
  run(1, spec(2), {task(0, 0, 1)});
  expect_only(Invariant::GangWhole);
}

TEST_F(BooksTest, AStartThatIsNeverCommanded) {
  tell(JobSubmitted{JobId{1}, spec(), {}},
       {{}, {move(1, Queued, Queued, 0), move(1, Queued, Starting)}});
  expect_only(Invariant::GangWhole);
}

TEST_F(BooksTest, TwoTasksOfAGangOnOneNode) {
  run(1, spec(2), {task(0, 0, 1), task(1, 0, 2)});
  expect_only(Invariant::GangDistinctNodes);
}

TEST_F(BooksTest, LessThanWasAskedFor) {
  run(1, spec(1, 2), {task(0, 0, 1)});
  expect_only(Invariant::RequestHonoured);
}

TEST_F(BooksTest, ADeviceThatDoesNotExist) {
  run(1, spec(), {task(0, 0, 1U << 5)});
  EXPECT_EQ(books_.violations().front().invariant, Invariant::RequestHonoured);
}

TEST_F(BooksTest, ANodeOfAModelThatIsNotWanted) {
  JobSpec picky = spec();
  picky.tasks[0].request.gpu_models = {"H100"};
  run(1, picky, {task(0, 0, 1)});
  expect_only(Invariant::RequestHonoured);
}

TEST_F(BooksTest, AnIllegalTransition) {
  run(1, spec(), {task(0, 0, 1)});
  tell(TaskEnded{JobId{1}, 1, 0, {}}, {{}, {move(1, Starting, Succeeded)}});
  expect_only(Invariant::LegalTransition);
}

TEST_F(BooksTest, ATransitionFromAStateTheJobIsNotIn) {
  run(1, spec(), {task(0, 0, 1)});
  tell(Tick{}, {{}, {move(1, Running, Stopping)}});
  expect_only(Invariant::LegalTransition);
}

TEST_F(BooksTest, AJobThatEndsTwice) {
  run(1, spec(), {task(0, 0, 1)});
  finish(1);
  tell(Tick{}, {{}, {move(1, Succeeded, Failed)}});
  expect_only(Invariant::LegalTransition);
}

TEST_F(BooksTest, ASecondAttemptBesideTheFirst) {
  run(1, spec(), {task(0, 0, 1)});
  tell(Tick{}, {{start(1, {task(0, 1, 1)}, 2)}, {}});
  EXPECT_EQ(books_.violations().front().invariant, Invariant::RunsOnce);
}

TEST_F(BooksTest, AStartOnANodeThatIsDown) {
  tell(NodeLost{NodeId{1}, ""});
  run(1, spec(), {task(0, 1, 1)});
  expect_only(Invariant::NodeUp);
}

TEST_F(BooksTest, ALostRelease) {
  run(1, spec(), {task(0, 0, 1)});
  tell(TaskStarted{JobId{1}, 1, 0}, {{}, {move(1, Starting, Running)}});
  tell(Tick{}, {{}, {move(1, Running, Succeeded)}});  // its task never ended
  expect_only(Invariant::AllReleased);
}

TEST_F(BooksTest, AJobThatVanishesOnArrival) {
  tell(JobSubmitted{JobId{1}, spec(), {}});
  expect_only(Invariant::JobsConserved);
}

TEST_F(BooksTest, AJobThatNobodySubmitted) {
  tell(Tick{}, {{}, {move(9, Queued, Queued, 0)}});
  expect_only(Invariant::JobsConserved);
}

TEST_F(BooksTest, ANodesTasksAreReleasedWithIt) {
  run(1, spec(), {task(0, 0, 1)});
  tell(NodeLost{NodeId{0}, ""}, {{}, {move(1, Starting, Stopping), move(1, Stopping, Queued)}});
  EXPECT_THAT(books_.violations(), IsEmpty());
}

/// A gang whose second task was lost, and what is done about it.
class ReplacementBooksTest : public BooksTest {
 protected:
  ReplacementBooksTest() {
    tell(NodeJoined{NodeId{2}, {"n2", "", "V100", 2, {}, {8000}, {65536}, false}});
    JobSpec gang = spec(2);
    gang.retry.on_node_loss = NodeLossAnswer::Task;
    run(1, gang, {task(0, 0, 1), task(1, 1, 1)});
  }
  static Command anew(const TaskPlacement& task, std::int32_t attempt = 2) {
    return {CommandId{2}, ReplaceTask{JobId{1}, attempt, task, NodeId{1}, {}}};
  }
  void lose(const Command& answer) { tell(NodeLost{NodeId{1}, ""}, {{answer}, {}}); }
};

TEST_F(ReplacementBooksTest, AGangThatIsRepairedBreaksNothing) {
  lose(anew(task(1, 2, 1)));
  tell(TaskEnded{JobId{1}, 1, 1, {}});  // late, of a run that is over
  tell(TaskStarted{JobId{1}, 1, 0});
  tell(TaskStarted{JobId{1}, 2, 1}, {{}, {move(1, Starting, Running, 2)}});
  tell(TaskEnded{JobId{1}, 1, 0, {}});
  tell(TaskEnded{JobId{1}, 2, 1, {}}, {{}, {move(1, Running, Succeeded, 2)}});
  books_.finish();
  EXPECT_THAT(books_.violations(), IsEmpty()) << describe(books_.violations().front());
}

TEST_F(ReplacementBooksTest, ATaskInThePlaceOfOneThatRuns) {
  tell(Tick{}, {{anew(task(1, 2, 1))}, {}});
  expect_only(Invariant::RunsOnce);
}

TEST_F(ReplacementBooksTest, AnAttemptThatWasGivenBefore) {
  lose(anew(task(1, 2, 1), 1));
  expect_only(Invariant::RunsOnce);
}

TEST_F(ReplacementBooksTest, BesideAnotherTaskOfItsGang) {
  lose(anew(task(1, 0, 2)));
  expect_only(Invariant::GangDistinctNodes);
}

TEST_F(ReplacementBooksTest, ANewTaskOnAGpuThatIsTaken) {
  run(2, spec(), {task(0, 2, 1)});
  lose(anew(task(1, 2, 1)));
  expect_only(Invariant::GpuOvercommit);
}

TEST_F(ReplacementBooksTest, ANewTaskWithLessThanWasAskedFor) {
  lose(anew(task(1, 2, 0)));
  expect_only(Invariant::RequestHonoured);
}

TEST_F(ReplacementBooksTest, APartOfAGangThatDoesNotAskForIt) {
  run(2, spec(2), {task(0, 0, 2), task(1, 2, 2)});
  tell(TaskEnded{JobId{2}, 1, 1, {TaskExit::Kind::Lost, 0, false, ""}},
       {{{CommandId{3}, ReplaceTask{JobId{2}, 2, task(1, 1, 2), NodeId{2}, {}}}}, {}});
  expect_only(Invariant::GangWhole);
}

TEST(Violation, SaysWhatWhereAndWhen) {
  EXPECT_EQ(describe({Invariant::GpuOvercommit, Time{} + seconds(90), EventSeq{7}, "n0"}),
            "invariant 'gpu-overcommit' broken by event 7 at 1m 30s: n0");
}

TEST_F(BooksTest, AGangInTwoRacks) {
  JobSpec near = spec(2);
  near.topology = Topology{TopologyLevel::Rack, true};
  run(1, near, {task(0, 0, 1), task(1, 1, 1)});
  expect_only(Invariant::GangTogether);
}

TEST_F(BooksTest, MoreOfAGroupOnANodeThanAJobAllows) {
  JobSpec one = spec();
  one.name = "web";
  one.placement = PlacementRules{};
  one.placement->max_per_node = 1;
  run(1, one, {task(0, 0, 1)});
  JobSpec other = one;
  other.tenant = "other";
  run(2, other, {task(0, 0, 2)});  // another's group of the same name
  EXPECT_THAT(books_.violations(), IsEmpty());
  one.tasks[0].request.gpus = 0;
  run(3, one, {task(0, 0, 0)});
  expect_only(Invariant::PlacementKept);
}

TEST_F(BooksTest, BesideWhatItIsToBeApartFrom) {
  JobSpec chat = spec();
  chat.name = "chat";
  chat.placement = PlacementRules{};
  run(1, chat, {task(0, 1, 1)});
  JobSpec batch = spec();
  batch.placement = PlacementRules{};
  batch.placement->apart = "chat";
  run(2, batch, {task(0, 1, 2)});
  expect_only(Invariant::PlacementKept);
}

// --- reasons for waiting

class ReasonTest : public BooksTest {
 protected:
  static NodeSpec racked(const std::string& name, const std::string& rack) {
    NodeSpec node{name, "", "V100", 2, {}, {8000}, {65536}, false};
    node.location.rack = rack;
    return node;
  }

  /// What is wrong with saying that job 9, which waits, does so for `reason`.
  std::string wrong(WaitReason reason, const JobSpec& waiting,
                    std::optional<JobId> blocked_by = std::nullopt) {
    wait(9, waiting);
    Job job;
    job.id = JobId{9};
    return what_is_untrue(books_, job, {reason, "", 0, blocked_by}, now_);
  }
  void wait(std::uint64_t job, const JobSpec& waiting) {
    tell(JobSubmitted{JobId{job}, waiting, {}}, {{}, {move(job, Queued, Queued, 0)}});
  }
  /// The running job is told to go for another.
  void preempt(std::uint64_t victim, std::uint64_t beneficiary) {
    const StopGang stop{JobId{victim}, 1, Termination::Preempted, JobId{beneficiary}, seconds(30)};
    tell(Tick{}, {{{CommandId{99}, stop}}, {move(victim, Starting, Preempting)}});
  }
};

TEST_F(ReasonTest, WaitingForTurnMustNotFit) {
  EXPECT_EQ(wrong(WaitReason::WaitingForTurn, spec()), "it fits now");
}
TEST_F(ReasonTest, FragmentationBlockedNeedsEnoughInSum) {
  run(1, spec(), {task(0, 0, 1)});
  run(2, spec(), {task(0, 1, 1)});
  EXPECT_EQ(wrong(WaitReason::FragmentationBlocked, spec(1, 2)), "");
}
TEST_F(ReasonTest, FragmentationBlockedIsWrongWhenTooLittleIsFree) {
  run(1, spec(2, 2), {task(0, 0, 3), task(1, 1, 3)});
  EXPECT_EQ(wrong(WaitReason::FragmentationBlocked, spec()), "too little is free in sum");
}
TEST_F(ReasonTest, ReservedForOtherMustFit) {
  run(1, spec(1, 2), {task(0, 0, 3)});
  EXPECT_EQ(wrong(WaitReason::ReservedForOther, spec(2)), "it does not fit now");
}
TEST_F(ReasonTest, GangsNeedANodeForEachTask) {
  JobSpec gang = spec(1, 2);
  gang.tasks.push_back({1, gang.tasks[0].request});
  gang.tasks[1].request.gpus = 1;
  EXPECT_EQ(wrong(WaitReason::PendingEvaluation, gang), "");
}
TEST_F(ReasonTest, NeverFitsMeansNeverOnTheEmptyFleet) {
  run(1, spec(2, 2), {task(0, 0, 3), task(1, 1, 3)});
  EXPECT_EQ(wrong(WaitReason::NeverFits, spec()), "it would fit the empty fleet");
}
TEST_F(ReasonTest, WhatCanNeverFitHasNoOtherReason) {
  EXPECT_EQ(wrong(WaitReason::WaitingForTurn, spec(3)), "it could never fit");
}
TEST_F(ReasonTest, WaitingForProvisioningNeedsAMissingNode) {
  EXPECT_EQ(wrong(WaitReason::WaitingForProvisioning, spec()),
            "it would fit the nodes that are up, were they empty");
}
TEST_F(ReasonTest, ADownNodeIsWaitedFor) {
  tell(NodeLost{NodeId{1}, ""});
  EXPECT_EQ(wrong(WaitReason::WaitingForProvisioning, spec(2)), "");
}
TEST_F(ReasonTest, TopologyBlocksWhatWouldFitApart) {
  tell(NodeJoined{NodeId{2}, racked("n2", "r")});
  tell(NodeJoined{NodeId{3}, racked("n3", "r")});
  JobSpec near = spec(2, 2);
  near.topology = Topology{TopologyLevel::Rack, true};
  run(1, spec(), {task(0, 2, 1)});
  EXPECT_EQ(wrong(WaitReason::TopologyBlocked, near), "");
  EXPECT_EQ(wrong(WaitReason::WaitingForTurn, near), "it would fit apart");
  EXPECT_EQ(wrong(WaitReason::FragmentationBlocked, near), "it fits now, or would apart");
  EXPECT_EQ(wrong(WaitReason::PendingEvaluation, near), "it does not fit now");
}
TEST_F(ReasonTest, TopologyNeverFitsWhereNoDomainIsLargeEnough) {
  JobSpec near = spec(2, 2);
  near.topology = Topology{TopologyLevel::Rack, true};
  EXPECT_EQ(wrong(WaitReason::TopologyBlocked, near), "it could never fit");
  EXPECT_EQ(wrong(WaitReason::NeverFits, near), "");
}
TEST_F(ReasonTest, AffinityBlocksWhatWouldFitBeside) {
  JobSpec one = spec(2);
  one.name = "web";
  one.placement = PlacementRules{};
  one.placement->max_per_node = 1;
  EXPECT_EQ(wrong(WaitReason::AffinityBlocked, one),
            "it fits now, or would not even beside what it is apart from");
  JobSpec single = one;
  single.tasks[0].count = 1;
  run(1, single, {task(0, 0, 1)});
  EXPECT_EQ(wrong(WaitReason::AffinityBlocked, one), "");
  EXPECT_EQ(wrong(WaitReason::WaitingForTurn, one), "it would fit beside what it is apart from");
  EXPECT_EQ(wrong(WaitReason::PendingEvaluation, one), "it would fit beside what it is apart from");
}
TEST_F(ReasonTest, WaitingForPreemptionNeedsAVictim) {
  run(1, spec(2, 2), {task(0, 0, 3), task(1, 1, 3)});
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec()), "no job is being stopped for it");
}
TEST_F(ReasonTest, WaitingForPreemptionNeedsAVictimOfItsOwn) {
  run(1, spec(2, 2), {task(0, 0, 3), task(1, 1, 3)});
  preempt(1, 8);
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec()), "no job is being stopped for it");
}
TEST_F(ReasonTest, WaitingForPreemptionNeedsVictimsThatLeaveRoom) {
  run(1, spec(1, 2), {task(0, 0, 3)});
  run(2, spec(1, 2), {task(0, 1, 3)});
  preempt(1, 9);
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec(1, 2)), "");
  EXPECT_EQ(wrong(WaitReason::WaitingForTurn, spec(1, 2)), "");
  const char* const no_room = "it would not fit once all are gone who are being stopped";
  tell(NodeLost{NodeId{0}, ""}, {{}, {move(1, Preempting, Queued)}});
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec(1, 2)), "no job is being stopped for it");
  preempt(2, 9);
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec(1, 2)), "");
  tell(NodeDutySet{NodeId{1}, NodeDuty::Draining});
  tell(NodeReturned{NodeId{0}});
  run(3, spec(), {task(0, 0, 1)});
  EXPECT_EQ(wrong(WaitReason::WaitingForPreemption, spec(1, 2)), no_room);
}
TEST_F(ReasonTest, ReservedForOtherNamesWhoWaitsForTheSameNodes) {
  run(1, spec(1, 2), {task(0, 0, 3)});
  const auto said = [this](std::optional<JobId> other) {
    return wrong(WaitReason::ReservedForOther, spec(), other);
  };
  EXPECT_EQ(said(std::nullopt), "nobody is named for whom it is kept");
  EXPECT_EQ(said(JobId{7}), "job 7 does not wait");
  EXPECT_EQ(said(JobId{1}), "job 1 does not wait");
  EXPECT_EQ(said(JobId{9}), "job 9 does not wait");
  wait(2, spec(2, 2));
  EXPECT_EQ(said(JobId{2}), "");
  wait(3, spec(1, 2));
  EXPECT_EQ(said(JobId{3}), "job 3 could start now itself");
  tell(QueueSet{{"far", "elsewhere"}});
  JobSpec elsewhere = spec(2, 2);
  elsewhere.queue = "far";
  wait(4, elsewhere);
  EXPECT_EQ(said(JobId{4}), "job 4 waits for other nodes");
  tell(NodeLost{NodeId{0}, ""});
  EXPECT_EQ(said(JobId{2}), "job 2 cannot be kept room: the nodes that it needs are down");
}
TEST_F(ReasonTest, OnHoldNeedsAHold) {
  EXPECT_EQ(wrong(WaitReason::OnHold, spec()), "it is not on hold");
}
TEST_F(ReasonTest, MisconfiguredNeedsAMissingQueue) {
  EXPECT_EQ(wrong(WaitReason::Misconfigured, spec()), "its queue exists");
}

TEST_F(BooksTest, AQueueBeyondItsLimit) {
  QueueSpec limited{"limited", ""};
  limited.gpu_milli_max = 1000;
  tell(QueueSet{limited});
  JobSpec job = spec();
  job.queue = "limited";
  run(1, job, {task(0, 0, 1)});
  EXPECT_THAT(books_.violations(), IsEmpty());
  run(2, job, {task(0, 0, 2)});
  expect_only(Invariant::QuotaKept);
}

TEST_F(BooksTest, AGuaranteeTakenAway) {
  for (const char* name : {"a", "b"}) {
    QueueSpec queue{name, ""};
    queue.guaranteed.gpu_milli = 1000;
    tell(QueueSet{queue});
  }
  JobSpec job = spec();
  job.queue = "a";
  run(1, job, {task(0, 0, 1)});
  job.queue = "b";
  const Command stop{CommandId{9}, StopGang{JobId{1}, 1, Termination::Preempted, JobId{2}, {}}};
  tell(JobSubmitted{JobId{2}, job, {}},
       {{stop}, {move(2, Queued, Queued, 0), move(1, Starting, Preempting)}});
  expect_only(Invariant::QuotaKept);
}

TEST_F(BooksTest, QuotaReasonsThatAreNotTrue) {
  QueueSpec limited{"limited", ""};
  limited.gpu_milli_max = 1000;
  tell(QueueSet{limited});
  Job job;
  job.id = JobId{1};
  JobSpec wanted = spec();
  wanted.queue = "limited";
  job.spec = std::move(wanted);
  tell(JobSubmitted{JobId{1}, job.spec, {}}, {{}, {move(1, Queued, Queued, 0)}});
  const auto wrong = [&](WaitReason reason) {
    Explanation said;
    said.reason = reason;
    return what_is_untrue(books_, job, said, now_);
  };
  EXPECT_EQ(wrong(WaitReason::ExceedsMaxQuota), "its quota could allow it");
  EXPECT_EQ(wrong(WaitReason::WaitingForQuota), "");
  EXPECT_EQ(wrong(WaitReason::PendingEvaluation), "");
  limited.gpu_milli_max = 0;
  tell(QueueSet{limited});
  EXPECT_EQ(wrong(WaitReason::ExceedsMaxQuota), "");
  EXPECT_EQ(wrong(WaitReason::WaitingForQuota), "its quota never allows it");
}

TEST_F(BooksTest, WhatIsLeftOfGuaranteesIsReckonedWith) {
  QuotaBooks quotas;
  const auto set = [&](const char* name, const char* parent, std::int64_t gpus) {
    QueueSpec queue{name, ""};
    queue.parent = parent;
    queue.guaranteed.gpu_milli = gpus * 1000;
    quotas.set(queue);
  };
  set("team", "", 8);
  set("alice", "team", 4);
  set("bob", "team", 0);
  set("other", "", 0);
  const auto leaves = [&](const char* queue, std::int64_t gpus, std::int64_t fleet) {
    return quotas.ever_leaves(queue, {gpus * 1000, 0, 0}, fleet * 1000);
  };
  EXPECT_FALSE(leaves("other", 1, 8));
  EXPECT_TRUE(leaves("other", 1, 9));
  EXPECT_FALSE(leaves("other", 2, 9));
  EXPECT_TRUE(leaves("bob", 4, 8));
  EXPECT_FALSE(leaves("bob", 5, 16)) << "the team's guarantee bounds it, whatever the fleet has";
  EXPECT_TRUE(leaves("alice", 8, 8)) << "nobody else of the team is guaranteed anything";
  EXPECT_FALSE(leaves("alice", 9, 8));
}

}  // namespace
}  // namespace gyre::sim
