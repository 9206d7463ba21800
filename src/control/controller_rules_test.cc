// What placement rules make of decisions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller_suite.h"

namespace gyre::control {
namespace {

JobSpec ruled(JobSpec spec, std::string name, std::string_view rules) {
  spec.name = std::move(name);
  spec.placement = parse_placement_rules(rules).value();
  return spec;
}

TEST_F(ControllerTest, AJobThatMustBeApartWaitsForANodeWithoutTheOther) {
  add_node(4);
  add_node(4);
  const JobSpec web = ruled(job_of(1), "web", "max_per_node: 1");
  const JobId first = submit_running(web);
  submit_running(web);
  EXPECT_EQ(job(first).placement[0].node, NodeId{0});
  EXPECT_EQ(core_.cluster().tasks_of(group_id("", "web"), {1}), 1);
  const JobId third = submit(web);
  EXPECT_EQ(reason(third), WaitReason::AffinityBlocked);
  EXPECT_EQ(core_.explain(job(third)).detail,
            "needs 1 GPU; enough nodes have this free, but may not be taken: of the nodes 2 run 1 "
            "or more tasks of its group 'web'; 0 jobs ahead; goes first after waiting 30d 00h, at "
            "1970-01-31T00:00:00.000Z");
  const JobId beside = submit(job_of(1));
  EXPECT_EQ(state(beside), JobState::Starting) << "what asks for nothing is not held back";
  const JobSpec batch = ruled(job_of(1), "batch", "apart: web");
  EXPECT_EQ(reason(submit(batch)), WaitReason::AffinityBlocked);
  end_all(first);
  ASSERT_EQ(state(third), JobState::Starting);
  EXPECT_EQ(job(third).placement[0].node, NodeId{0});
}

TEST_F(ControllerTest, AnEndedTaskOfAGangCountsNoMore) {
  add_node(2);
  add_node(2);
  const JobSpec web = ruled(job_of(1, 2), "web", "max_per_node: 1");
  const JobId gang = submit_running(web);
  const JobId next = submit(ruled(job_of(1), "web", "max_per_node: 1"));
  tell(TaskEnded{gang, 1, 1, {}});
  ASSERT_EQ(state(next), JobState::Starting);
  EXPECT_EQ(job(next).placement[0].node, NodeId{1});
}

TEST_F(ControllerTest, PreemptionMakesRoomWhereTheRulesAllowIt) {
  for (int i = 0; i < 2; ++i) add_node(2);
  const JobId web = submit_running(with_priority(ruled(job_of(2), "web", "spread: node"), 1, true));
  const JobId other = submit_running(with_priority(job_of(2), 2, true));
  JobSpec urgent = with_priority(ruled(job_of(1, 2), "urgent", "apart: web"), 9);
  const JobId wide = submit(urgent);
  EXPECT_EQ(state(web), JobState::Preempting);
  EXPECT_EQ(state(other), JobState::Preempting);
  end_all(web);
  end_all(other);
  ASSERT_EQ(state(wide), JobState::Starting);
}

TEST_F(ControllerTest, WhatWasHeldForAWithdrawnJobIsFreeForWhoComesNext) {
  add_node(2);
  const JobId low = submit_running(with_priority(job_of(1), 1, true));
  const JobId urgent = submit(with_priority(ruled(job_of(2), "urgent", "spread: node"), 9));
  ASSERT_EQ(state(low), JobState::Preempting);
  const JobId waits = submit(job_of(1));
  ASSERT_EQ(state(waits), JobState::Queued);
  tell(JobStopRequested{waits});
  tell(JobStopRequested{urgent});
  EXPECT_EQ(state(submit(job_of(1))), JobState::Starting);
}

TEST_F(ControllerTest, NobodyOvertakesWhoWouldKeepTheFirstFromItsNode) {
  use("easy");
  add_node(4);
  add_node(4);
  const JobId web = submit_running(with(ruled(job_of(1), "web", "spread: node"), kHour));
  submit_running(with(job_of(4), kHour * 9));  // fills node 1
  const JobId batch = submit(with(ruled(job_of(1), "batch", "apart: web"), kHour));
  EXPECT_EQ(reason(batch), WaitReason::AffinityBlocked);
  const JobId same = submit(with(ruled(job_of(1), "web", "spread: node"), kHour * 2));
  EXPECT_EQ(state(same), JobState::Queued);
  EXPECT_EQ(reason(same), WaitReason::ReservedForOther);
  EXPECT_EQ(state(submit(with(job_of(1), kHour * 2))), JobState::Starting);
  end_all(web);
  ASSERT_EQ(state(batch), JobState::Starting);
  EXPECT_EQ(job(batch).placement[0].node, NodeId{0});
}

TEST_F(ControllerTest, NobodyStartsWhereItWouldKeepWhoOthersMadeRoomFor) {
  add_node(4);
  const JobId low = submit_running(with_priority(job_of(2), 1, true));
  const JobId urgent = submit(with_priority(ruled(job_of(3), "urgent", "apart: web"), 9));
  ASSERT_EQ(state(low), JobState::Preempting);
  const JobId web = submit(ruled(job_of(1), "web", "spread: node"));
  EXPECT_EQ(reason(web), WaitReason::ReservedForOther);
  end_all(low);
  EXPECT_EQ(state(urgent), JobState::Starting);
  EXPECT_EQ(state(web), JobState::Starting) << "what starts later beside it is not held back";
}

TEST_F(ControllerTest, WhoWouldKeepAnotherFromItsRoomGoesElsewhere) {
  add_node(4);
  add_node(2);
  const JobId low = submit_running(with_priority(job_of(3), 1, true));
  const JobId urgent = submit(with_priority(ruled(job_of(3), "urgent", "apart: web"), 9));
  ASSERT_EQ(state(low), JobState::Preempting);
  const JobId web = submit(ruled(job_of(1), "web", "pack: rack"));  // node 0 fits it best
  ASSERT_EQ(state(web), JobState::Starting);
  EXPECT_EQ(job(web).placement[0].node, NodeId{1});
  end_all(low);
  EXPECT_EQ(state(urgent), JobState::Starting);
}

/// Node 0 runs what the first in line waits to be apart from, node 1 is full.
class InTheWay : public ControllerTest, public ::testing::WithParamInterface<const char*> {
 protected:
  InTheWay() : ControllerTest(GetParam()) {
    add_node(4);
    web_ = submit_running(with(ruled(job_of(1), "web", "pack: node"), kHour));
    add_node(4);
    submit_running(with(job_of(4), kHour * 9));
    batch_ = submit(with(ruled(job_of(3), "batch", "apart: web"), kHour));
  }
  JobId submit_web() { return submit(with(ruled(job_of(1), "web", "pack: node"), kHour * 2)); }

  JobId web_;
  JobId batch_;
};

TEST_P(InTheWay, WhoWouldDelayTheFirstWaits) {
  const JobId same = submit_web();
  EXPECT_EQ(state(same), JobState::Queued);
  end_all(web_);
  ASSERT_EQ(state(batch_), JobState::Starting);
  EXPECT_EQ(job(batch_).placement[0].node, NodeId{0});
}

TEST_P(InTheWay, WhereThereIsRoomElsewhereItGoesThere) {
  add_node(2);
  const JobId same = submit_web();
  ASSERT_EQ(state(same), JobState::Starting);
  EXPECT_EQ(job(same).placement[0].node, NodeId{2});
  end_all(web_);
  EXPECT_EQ(state(batch_), JobState::Starting);
}

INSTANTIATE_TEST_SUITE_P(Backfill, InTheWay, ::testing::Values("easy", "conservative"));

TEST_F(ControllerTest, GroupsThatNobodyIsInAreRefused) {
  add_node(4);
  const JobSpec batch = ruled(job_of(1), "batch", "apart: web");
  EXPECT_THAT(core_.check(batch).error().message,
              ::testing::HasSubstr("apart names the group 'web'"));
  submit_running(job_of(1));
  EXPECT_FALSE(core_.check(batch));
  JobSpec web = ruled(job_of(1), "web", "spread: node");
  web.tenant = "other";
  submit_running(web);
  EXPECT_FALSE(core_.check(batch)) << "another's";
  web.tenant = "";
  const JobId running = submit_running(web);
  EXPECT_TRUE(core_.check(batch));
  const JobId again = submit(web);
  auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->check(batch));
  end_all(running);
  EXPECT_TRUE(core_.check(batch)) << "another waits or runs";
  tell(JobStopRequested{again});
  end_all(again);
  EXPECT_FALSE(core_.check(batch));
}

}  // namespace
}  // namespace gyre::control
