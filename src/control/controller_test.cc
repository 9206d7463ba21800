#include "control/controller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller_suite.h"

namespace gyre::control {
namespace {

using ::testing::ElementsAre;

TEST_F(ControllerTest, NumbersInReasonsArePlainHoweverLarge) {
  tell(NodeJoined{NodeId{0}, {"big", "", "A100", 8, {81920}, {16'384'500}, {524288}, true}});
  JobSpec wide = job_of(8);
  wide.tasks[0].request.cpu = {10'240'000};
  const JobId first = submit(wide);
  ASSERT_EQ(state(first), JobState::Starting);
  const std::string detail = core_.explain(job(submit(wide))).detail;
  EXPECT_NE(detail.find("needs 8 GPUs, 10240 CPU"), detail.npos) << detail;
  EXPECT_NE(detail.find("0 GPUs, 6144.5 CPU and"), detail.npos) << detail;
  wide.tasks[0].request.cpu = {20'000'000};
  const std::string never = core_.check(wide).error().message;
  EXPECT_NE(never.find("asks for 8 GPUs, 20000 CPU"), never.npos) << never;
  EXPECT_NE(never.find("16384.5 CPU"), never.npos) << never;
}

TEST_F(ControllerTest, AJobThatFitsStartsAtOnceAndSucceeds) {
  add_node(8);
  const JobId id = submit(job_of(2));
  EXPECT_EQ(state(id), JobState::Starting);
  start_all(id);
  EXPECT_EQ(state(id), JobState::Running);
  end_all(id);
  EXPECT_EQ(state(id), JobState::Succeeded);
  EXPECT_EQ(job(id).ending, Termination::Completed);
  EXPECT_EQ(core_.cluster().node({0}).free.gpu[0], 1000);
}

TEST_F(ControllerTest, AGangStartsOnDifferentNodesOrNotAtAll) {
  add_node(8);
  add_node(4);
  const JobId gang = submit(job_of(8, 2));
  EXPECT_EQ(state(gang), JobState::Failed);
  EXPECT_EQ(job(gang).ending, Termination::NeverFits);
  add_node(8);
  const JobId fits = submit(job_of(8, 2));
  ASSERT_EQ(state(fits), JobState::Starting);
  EXPECT_EQ(job(fits).placement[0].node, NodeId{0});
  EXPECT_EQ(job(fits).placement[1].node, NodeId{2});
  const JobId next = submit(job_of(8, 2));
  EXPECT_EQ(state(next), JobState::Queued);
  EXPECT_TRUE(job(next).placement.empty());
}

TEST_F(ControllerTest, FractionsShareADeviceAndAreBestFitted) {
  add_node(2);
  JobSpec half = job_of(1);
  half.tasks[0].request.gpu_milli = GpuMilli{600};
  JobSpec quarter = half;
  quarter.tasks[0].request.gpu_milli = GpuMilli{400};
  const JobId a = submit(half);
  const JobId b = submit(quarter);
  const JobId c = submit(half);
  EXPECT_EQ(job(a).placement[0].allocation.devices, 1);
  EXPECT_EQ(job(b).placement[0].allocation.devices, 1);
  EXPECT_EQ(job(c).placement[0].allocation.devices, 2);
}

TEST_F(ControllerTest, AGpuModelIsAConstraint) {
  add_node(8, "T4");
  add_node(8, "A100");
  JobSpec spec = job_of(1);
  spec.tasks[0].request.gpu_models = {"H100", "A100"};
  EXPECT_EQ(job(submit(spec)).placement[0].node, NodeId{1});
  spec.tasks[0].request.gpu_models = {"H100"};
  const auto checked = core_.check(spec);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().kind, ErrorKind::NeverFits);
  EXPECT_THAT(checked.error().message, ::testing::HasSubstr("1 H100 GPU"));
}

TEST_F(ControllerTest, StrictFifoLetsNobodyPass) {
  use("fifo");
  add_node(8);
  const JobId running = submit_running(with(job_of(6), kHour));
  const JobId head = submit(with(job_of(4), kHour));
  const JobId small = submit(with(job_of(1), seconds(1)));
  EXPECT_EQ(reason(head), WaitReason::WaitingForTurn);
  EXPECT_EQ(reason(small), WaitReason::ReservedForOther);
  EXPECT_EQ(core_.explain(job(small)).blocked_by, head);
  end_all(running);
  EXPECT_EQ(state(head), JobState::Starting);
  EXPECT_EQ(state(small), JobState::Starting);
}

TEST_F(ControllerTest, BackfillStartsOnlyWhatDoesNotDelayTheHead) {
  use("easy");
  add_node(8);
  submit_running(with(job_of(6), kHour));
  submit(with(job_of(8), kHour));
  const JobId too_long = submit(with(job_of(1), kHour * 2));
  const JobId unknown = submit(job_of(1));
  const JobId fits_in = submit(with(job_of(1), kHour / 2));
  EXPECT_EQ(state(too_long), JobState::Queued);
  EXPECT_EQ(state(unknown), JobState::Queued);
  EXPECT_EQ(state(fits_in), JobState::Starting);
  EXPECT_EQ(core_.reservations().front().at, now_ + kHour);
  EXPECT_EQ(reason(too_long), WaitReason::ReservedForOther);
}

TEST_F(ControllerTest, ALongJobMayRunBesideTheReservation) {
  use("easy");
  add_node(8);
  add_node(8);
  submit_running(with(job_of(6), kHour));             // node 0
  submit_running(with(job_of(7), kHour * 5));         // node 1
  const JobId head = submit(with(job_of(8), kHour));  // node 0 in an hour
  const JobId beside = submit(with(job_of(1), kHour * 9));
  EXPECT_EQ(state(head), JobState::Queued);
  ASSERT_EQ(state(beside), JobState::Starting);
  EXPECT_EQ(job(beside).placement[0].node, NodeId{1});
}

TEST_F(ControllerTest, EqualFreeGpusOnTheWrongNodesIsFragmentation) {
  add_node(8);
  add_node(8);
  submit_running(job_of(5));
  submit_running(job_of(5));
  const JobId wide = submit(job_of(6));
  EXPECT_EQ(reason(wide), WaitReason::FragmentationBlocked);
  const JobId wider = submit(job_of(8));
  EXPECT_EQ(reason(wider), WaitReason::WaitingForTurn);
}

TEST_F(ControllerTest, AGangThatMustBeInOneRackWaitsForOne) {
  for (const char* rack : {"a", "a", "b", "b"}) add_node(2, "A100", rack);
  JobSpec near = job_of(2, 2);
  near.topology = Topology{TopologyLevel::Rack, true};
  const JobId a0 = submit_running(job_of(2));
  const JobId b = submit_running(near);
  EXPECT_EQ(job(b).placement[0].node, NodeId{2});
  EXPECT_EQ(job(b).placement[1].node, NodeId{3});
  const JobId a1 = submit_running(job_of(2));
  end_all(b);
  submit_running(job_of(2));
  end_all(a0);
  const JobId blocked = submit(near);  // one node is free in each rack
  EXPECT_EQ(reason(blocked), WaitReason::TopologyBlocked);
  EXPECT_EQ(core_.explain(job(blocked)).detail,
            "needs 2 nodes with 2 GPUs each, all in one rack; enough nodes have this free, but in "
            "no rack enough of them; 0 jobs ahead; goes first after waiting 30d 00h, at "
            "1970-01-31T00:00:00.000Z");
  end_all(a1);
  ASSERT_EQ(state(blocked), JobState::Starting);
  EXPECT_EQ(job(blocked).placement[0].node, NodeId{0});
  EXPECT_EQ(job(blocked).placement[1].node, NodeId{1});
  JobSpec large = job_of(2, 3);
  large.topology = Topology{TopologyLevel::Rack, true};
  EXPECT_EQ(core_.check(large).error().kind, ErrorKind::NeverFits);
  large.topology->required = false;
  EXPECT_TRUE(core_.check(large));
}

TEST_F(ControllerTest, PreemptionMakesRoomInOneRack) {
  for (const char* rack : {"a", "b", "a", "b"}) add_node(2, "A100", rack);
  submit_running(with_priority(job_of(2), 7));
  const JobId in_b = submit_running(with_priority(job_of(2), 1, true));
  const JobId in_a = submit_running(with_priority(job_of(2), 2, true));
  JobSpec near = with_priority(job_of(2, 2), 9);
  near.topology = Topology{TopologyLevel::Rack, true};
  const JobId urgent = submit(near);
  EXPECT_EQ(state(in_b), JobState::Preempting);
  EXPECT_EQ(state(in_a), JobState::Running);
  end_all(in_b);
  ASSERT_EQ(state(urgent), JobState::Starting);
  EXPECT_EQ(job(urgent).placement[0].node, NodeId{1});
  EXPECT_EQ(job(urgent).placement[1].node, NodeId{3});
}

TEST_F(ControllerTest, PreemptionTakesTheLeastAndOnlyFromLowerPriority) {
  add_node(8);
  const JobId precious = submit_running(with_priority(job_of(4), 7));
  now_ = now_ + kHour;
  const JobId old = submit_running(with_priority(job_of(2), 1, true));
  now_ = now_ + kHour;
  const JobId young = submit_running(with_priority(job_of(2), 1, true));
  now_ = now_ + kHour;
  const JobId urgent = submit(with_priority(job_of(2), 9));
  EXPECT_EQ(state(precious), JobState::Running);
  EXPECT_EQ(state(old), JobState::Running);
  EXPECT_EQ(state(young), JobState::Preempting);
  EXPECT_EQ(reason(urgent), WaitReason::WaitingForPreemption);
  tell(Tick{});
  EXPECT_EQ(state(old), JobState::Running) << "one preemption is on its way already";
  end_all(young, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(state(urgent), JobState::Starting);
  EXPECT_EQ(state(young), JobState::Queued);
  EXPECT_EQ(job(young).preemptions, 1);
}

TEST_F(ControllerTest, AJobThatEndsByItselfWhilePreemptedHasSucceeded) {
  add_node(1);
  const JobId low = submit_running(with_priority(job_of(1), 1, true));
  submit(with_priority(job_of(1), 9));
  ASSERT_EQ(state(low), JobState::Preempting);
  end_all(low);
  EXPECT_EQ(state(low), JobState::Succeeded);
}

TEST_F(ControllerTest, AFailedTaskStopsItsGang) {
  add_node(1);
  add_node(1);
  const JobId gang = submit_running(job_of(1, 2));
  commands_.clear();
  tell(TaskEnded{gang, 1, 0, {TaskExit::Kind::Exited, 3, false, ""}});
  EXPECT_EQ(state(gang), JobState::Stopping);
  ASSERT_EQ(commands_.size(), 1U);
  EXPECT_EQ(std::get<StopGang>(commands_[0].body).cause, Termination::TaskFailed);
  tell(TaskEnded{gang, 1, 1, {TaskExit::Kind::Signaled, 15, true, ""}});
  EXPECT_EQ(state(gang), JobState::Failed);
  EXPECT_EQ(job(gang).exit.shell_code(), 3);
  EXPECT_EQ(job(gang).exit.message, "task 0: exit code 3");
}

TEST_F(ControllerTest, ABadEndOfAGangSaysWhichTasks) {
  add_node(1);
  add_node(1);
  const auto message = [this](TaskExit exit) {
    const JobId gang = submit_running(job_of(1, 2));
    tell(TaskEnded{gang, 1, 1, std::move(exit)});
    tell(TaskEnded{gang, 1, 0, {TaskExit::Kind::Signaled, 15, true, ""}});
    return job(gang).exit.message;
  };
  EXPECT_EQ(message({TaskExit::Kind::Signaled, 9, false, ""}), "task 1: ended by signal 9");
  EXPECT_EQ(message({TaskExit::Kind::StartFailed, 0, false, "no image"}), "task 1: no image");
  EXPECT_EQ(message({TaskExit::Kind::Lost, 0, false, ""}), "task 1: it was lost");
  const JobId good = submit_running(job_of(1, 2));
  end_all(good);
  EXPECT_EQ(job(good).exit.message, "");
}

TEST_F(ControllerTest, WhoIsTriedAgainSaysWhyItEnded) {
  add_node(8);
  const JobId id = submit_running(job_of(1));
  tell(TaskEnded{id, 1, 0, {TaskExit::Kind::StartFailed, 0, false, "there is no secret 'a'"}});
  ASSERT_EQ(reason(id), WaitReason::OnHold);
  EXPECT_NE(core_.explain(job(id)).detail.find("there is no secret 'a'); retry 1 of"),
            std::string::npos);
}

TEST_F(ControllerTest, ALostNodeRetriesItsJobsAndHoldsThoseThatNeedIt) {
  const NodeId big = add_node(8);
  add_node(2);
  const JobId wide = submit_running(job_of(8));
  tell(NodeLost{big, "power"});
  EXPECT_EQ(state(wide), JobState::Queued);
  EXPECT_EQ(reason(wide), WaitReason::OnHold);
  ASSERT_TRUE(core_.next_wakeup());
  now_ = *core_.next_wakeup();
  tell(Tick{});
  EXPECT_EQ(reason(wide), WaitReason::WaitingForProvisioning);
  const JobId small = submit(job_of(1));
  EXPECT_EQ(state(small), JobState::Starting) << "a job that no node can run blocks nobody";
  tell(NodeReturned{big});
  EXPECT_EQ(state(wide), JobState::Starting);
  EXPECT_EQ(job(wide).attempt, 2);
}

TEST_F(ControllerTest, ACordonedNodeKeepsWhatItRunsAndTakesNothingNew) {
  const NodeId node = add_node(8);
  const JobId running = submit_running(job_of(1));
  tell(NodeDutySet{node, NodeDuty::Cordoned});
  const JobId waiting = submit(job_of(1));
  EXPECT_EQ(state(running), JobState::Running);
  EXPECT_EQ(state(waiting), JobState::Queued);
  EXPECT_EQ(reason(waiting), WaitReason::WaitingForProvisioning);
  tell(NodeDutySet{node, NodeDuty::Open});
  EXPECT_EQ(state(waiting), JobState::Starting);
}

TEST_F(ControllerTest, ADrainedNodeSendsElsewhereWhatMayBePreempted) {
  const NodeId node = add_node(8);
  JobSpec movable = job_of(2);
  movable.preemptible = true;
  const JobId moved = submit_running(movable);
  const JobId stays = submit_running(job_of(2));
  add_node(8);
  tell(NodeDutySet{node, NodeDuty::Draining});
  EXPECT_EQ(state(moved), JobState::Preempting);
  EXPECT_EQ(state(stays), JobState::Running);
  end_all(moved, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(state(moved), JobState::Starting);
  EXPECT_NE(job(moved).placement.front().node, node);
  EXPECT_EQ(job(moved).preemptions, 1);
  end_all(stays);
  EXPECT_EQ(state(stays), JobState::Succeeded);
}

TEST_F(ControllerTest, ASilentNodeTakesNothingNewUntilItIsHeardOrReturns) {
  const NodeId node = add_node(8);
  const JobId running = submit_running(job_of(1));
  tell(NodeContact{node, true});
  const JobId waiting = submit(job_of(1));
  EXPECT_EQ(state(running), JobState::Running);
  EXPECT_EQ(state(waiting), JobState::Queued);
  tell(NodeContact{node, false});
  EXPECT_EQ(state(waiting), JobState::Starting);
  tell(NodeContact{node, true});
  tell(NodeLost{node, "its lease ran out"});
  tell(NodeContact{node, true});  // what is lost is not silent too
  tell(NodeReturned{node});
  EXPECT_TRUE(core_.cluster().node(node).open());
}

TEST_F(ControllerTest, RetriesBackOffAndEnd) {
  add_node(1);
  JobSpec spec = job_of(1);
  spec.retry = {true, true, true, 2, seconds(10), seconds(15)};
  const JobId id = submit(spec);
  const TaskExit bad{TaskExit::Kind::Exited, 1, false, ""};
  end_all(id, bad);
  EXPECT_EQ(core_.next_wakeup(), now_ + seconds(10));
  now_ = now_ + seconds(10);
  tell(Tick{});
  end_all(id, bad);
  EXPECT_EQ(core_.next_wakeup(), now_ + seconds(15));
  now_ = now_ + seconds(15);
  tell(Tick{});
  end_all(id, bad);
  EXPECT_EQ(state(id), JobState::Failed);
}

TEST_F(ControllerTest, AStopReachesEveryState) {
  add_node(1);
  const JobId running = submit_running(job_of(1));
  const JobId waiting = submit(job_of(1));
  tell(JobStopRequested{waiting});
  EXPECT_EQ(state(waiting), JobState::Cancelled);
  tell(JobStopRequested{running});
  EXPECT_EQ(state(running), JobState::Stopping);
  tell(JobStopRequested{running});
  end_all(running);
  EXPECT_EQ(state(running), JobState::Cancelled);
  tell(JobStopRequested{running});
  EXPECT_EQ(state(running), JobState::Cancelled);
}

TEST_F(ControllerTest, ADeadlineEndsAWaitingAndARunningJob) {
  add_node(1);
  JobSpec spec = job_of(1);
  spec.deadline = seconds(60);
  const JobId running = submit_running(spec);
  const JobId waiting = submit(spec);
  EXPECT_EQ(core_.next_wakeup(), Time{} + seconds(60));
  now_ = Time{} + seconds(60);
  tell(Tick{});
  EXPECT_EQ(state(waiting), JobState::Failed);
  EXPECT_EQ(state(running), JobState::Stopping);
  end_all(running, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(job(running).ending, Termination::DeadlineExceeded);
  EXPECT_FALSE(core_.next_wakeup());
}

TEST_F(ControllerTest, PartitionsDoNotShareNodes) {
  tell(QueueSet{{"left", "l"}});
  tell(QueueSet{{"right", "r"}});
  NodeSpec node{"n0", "r", "A100", 1, {}, {}, {}, false};
  tell(NodeJoined{{0}, node});
  JobSpec spec = job_of(1);
  spec.queue = "left";
  EXPECT_EQ(job(submit(spec)).ending, Termination::NeverFits);
  spec.queue = "right";
  EXPECT_EQ(state(submit(spec)), JobState::Starting);
  spec.queue = "nowhere";
  EXPECT_EQ(job(submit(spec)).ending, Termination::Misconfigured);
}

TEST_F(ControllerTest, EventsThatMakeNoSenseChangeNothing) {
  add_node(1);
  const JobId id = submit_running(job_of(1));
  const ControllerState before = core_.state();
  tell(TaskStarted{{99}, 1, 0});
  tell(TaskStarted{id, 7, 0});
  tell(TaskEnded{id, 1, 5, {}});
  tell(TaskEnded{id, 1, -1, {}});
  tell(NodeLost{{77}, ""});
  tell(NodeReturned{{0}});
  tell(JobStopRequested{{42}});
  tell(JobSubmitted{id, job_of(1), {}});
  ControllerState after = core_.state();
  after.seq = before.seq;
  EXPECT_EQ(after, before);
  EXPECT_EQ(commands_.size(), 1U);
}

TEST_F(ControllerTest, APlanSaysWhatASubmissionThenDoes) {
  add_node(4);
  const auto now = core_.plan(job_of(4));
  ASSERT_TRUE(now);
  EXPECT_TRUE(now->starts_now);
  submit_running(with_priority(job_of(4), 1, true));
  const auto later = core_.plan(job_of(1));
  ASSERT_TRUE(later);
  EXPECT_FALSE(later->starts_now);
  EXPECT_THAT(later->preempts, ElementsAre(JobId{1}));
  EXPECT_EQ(later->waiting.reason, WaitReason::WaitingForPreemption);
  EXPECT_EQ(core_.jobs().size(), 1U);
}

TEST_F(ControllerTest, NobodyPassesAJobThatHasWaitedTooLong) {
  PolicySpec policy = *policy_by_name("gyre");
  policy.preemption = false;
  policy.starve_after = seconds(1000);
  tell(PolicySet{policy});
  add_node(2);
  const JobId first = submit_running(job_of(1));
  const JobId second = submit_running(job_of(1));
  const JobId wide = submit(job_of(2));
  now_ = now_ + seconds(10);
  const JobId third = submit(job_of(1));
  end_all(first);
  ASSERT_EQ(state(third), JobState::Starting) << "it may pass";
  start_all(third);
  EXPECT_THAT(
      core_.explain(job(wide)).detail,
      ::testing::HasSubstr("; goes first after waiting 16m 40s, at 1970-01-01T00:16:40.000Z"));
  const std::optional<Time> wakeup = core_.next_wakeup();
  ASSERT_TRUE(wakeup.has_value());
  EXPECT_EQ(*wakeup, Time{} + seconds(1000));
  now_ = *wakeup;
  tell(Tick{});
  EXPECT_THAT(core_.explain(job(wide)).detail,
              ::testing::HasSubstr("; goes before others, for it has waited longer than 16m 40s"));
  const JobId fourth = submit(job_of(1));
  end_all(second);
  EXPECT_EQ(state(fourth), JobState::Queued) << "it may not any more";
  end_all(third);
  EXPECT_EQ(state(wide), JobState::Starting);
}

}  // namespace
}  // namespace gyre::control
