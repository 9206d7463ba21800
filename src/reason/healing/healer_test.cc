#include "reason/healing/healer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "domain/xid.h"

namespace gyre::reason {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

using Outcome = Incident::Outcome;

constexpr Duration kHour = seconds(3600);

class HealerTest : public ::testing::Test {
 protected:
  HealerTest() {
    spec_ = default_healing();
    spec_.quarantine = kHour;
    spec_.quarantine_max = kHour * 4;
    for (int i = 0; i < 10; ++i) healer_.node_joined();
    healer_.configure(spec_);
  }

  Healer::Changes fault(std::uint32_t node, Symptom symptom = Symptom::DeviceFault) {
    return healer_.sees({node}, {symptom, "seen", 48}, now_);
  }
  const Incident& last() const { return healer_.incidents().back(); }

  HealingSpec spec_;
  Healer healer_;
  Time now_ = Time{} + kHour;
};

TEST_F(HealerTest, AFaultOfADevicePutsItsNodeOutAndQuietPutsItBack) {
  const auto out = fault(3);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_EQ(out[0].node, NodeId{3});
  EXPECT_TRUE(out[0].quarantined && out[0].evacuate);
  EXPECT_EQ(out[0].until, now_ + kHour);
  EXPECT_EQ(last().outcome, Outcome::Open);
  EXPECT_TRUE(healer_.suspect({3}));
  ASSERT_EQ(healer_.next_wakeup(), now_ + kHour);

  const auto back = healer_.wake(now_ + kHour);
  ASSERT_THAT(back, SizeIs(1));
  EXPECT_FALSE(back[0].quarantined);
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(last().closed_at, now_ + kHour);
  EXPECT_TRUE(healer_.suspect({3})) << "others are preferred for a while";
  EXPECT_EQ(healer_.next_wakeup(), now_ + spec_.remember);
  healer_.wake(now_ + spec_.remember);
  EXPECT_FALSE(healer_.suspect({3}));
  EXPECT_FALSE(healer_.next_wakeup());
}

TEST_F(HealerTest, AgainDuringItsQuarantineItBeginsAnewAndIsLonger) {
  fault(3);
  now_ = now_ + kHour / 2;
  const auto again = fault(3);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_EQ(again[0].until, now_ + kHour * 2);
  EXPECT_THAT(healer_.incidents(), SizeIs(1));
  EXPECT_EQ(last().repeats, 1);
  for (int i = 0; i < 5; ++i) fault(3);
  EXPECT_EQ(healer_.health({3}).quarantined_until, now_ + spec_.quarantine_max);
}

TEST_F(HealerTest, NeverMoreNodesAtOnceThanThePlaybookAllows) {
  EXPECT_THAT(fault(0), SizeIs(1));
  EXPECT_THAT(fault(1), SizeIs(1));
  EXPECT_THAT(fault(2), IsEmpty()) << "20 % of 10 nodes are out";
  EXPECT_EQ(last().outcome, Outcome::Held);
  const auto changes = healer_.put_back({0}, now_);
  ASSERT_THAT(changes, SizeIs(2)) << "one back, and the one that waited out";
  EXPECT_EQ(changes[1].node, NodeId{2});
  EXPECT_TRUE(changes[1].quarantined);
  EXPECT_EQ(healer_.incidents()[0].outcome, Outcome::Undone);
  EXPECT_EQ(last().outcome, Outcome::Open);
}

TEST_F(HealerTest, AFleetOfOneIsNeverPutOut) {
  Healer alone;
  alone.node_joined();
  alone.configure(spec_);
  EXPECT_THAT(alone.sees({0}, {Symptom::DeviceFault, "", 79}, now_), IsEmpty());
  EXPECT_EQ(alone.incidents().back().outcome, Outcome::Held);
}

TEST_F(HealerTest, WhatAProgramCausesIsNotedAndHeldAgainstNoNode) {
  EXPECT_THAT(fault(1, Symptom::ApplicationFault), IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Noted);
  EXPECT_FALSE(healer_.suspect({1}));
}

TEST_F(HealerTest, OneJobThatCannotStartCondemnsNoNodeButSeveralDo) {
  const auto refused = [&](std::uint64_t job) {
    now_ = now_ + seconds(1);
    return healer_.sees({5}, {Symptom::StartRefused, "no such file", 0, JobId{job}}, now_);
  };
  for (int i = 0; i < 5; ++i) EXPECT_THAT(refused(7), IsEmpty());
  EXPECT_EQ(healer_.health({5}).seen.size(), 1U);
  EXPECT_THAT(refused(8), IsEmpty());
  EXPECT_THAT(refused(9), SizeIs(1));
}

TEST_F(HealerTest, OfOneJobTheLastTimeCounts) {
  const auto refused = [&](std::int64_t minute, std::uint64_t job) {
    const Time at = now_ + seconds(60 * minute);
    return healer_.sees({5}, {Symptom::StartRefused, "no such file", 0, JobId{job}}, at);
  };
  EXPECT_THAT(refused(0, 7), IsEmpty());
  EXPECT_THAT(refused(15, 8), IsEmpty());
  EXPECT_THAT(refused(16, 7), IsEmpty());
  EXPECT_THAT(refused(16, 9), SizeIs(1)) << "three jobs within ten minutes";
  EXPECT_THAT(healer_.health({5}).seen, SizeIs(3));
  // It is remembered from then on.
  healer_.wake(now_ + spec_.remember + seconds(60));
  EXPECT_TRUE(healer_.suspect({5}));
  healer_.wake(now_ + spec_.remember + seconds(60 * 16));
  EXPECT_FALSE(healer_.suspect({5}));
}

TEST_F(HealerTest, ANodeThatIsLostIsWaitedForUntilItIsLostTooOften) {
  EXPECT_THAT(fault(4, Symptom::NodeLost), IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Open);
  healer_.node_back({4}, now_ + seconds(90));
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(last().closed_at, now_ + seconds(90));
  EXPECT_THAT(fault(4, Symptom::NodeLost), IsEmpty());
  healer_.node_back({4}, now_);
  EXPECT_THAT(fault(4, Symptom::NodeLost), SizeIs(1)) << "three times within a day";
}

TEST_F(HealerTest, AJobsInterruptionIsOverWhenItRunsAgain) {
  healer_.job_interrupted({7}, {Symptom::NodeLost, "gone", 0}, now_);
  healer_.job_interrupted({7}, {Symptom::StartRefused, "no", 0}, now_ + seconds(1));
  EXPECT_THAT(healer_.incidents(), SizeIs(1)) << "one outage, whatever it takes";
  EXPECT_EQ(last().repeats, 1);
  healer_.job_runs({7}, now_ + seconds(5));
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  EXPECT_EQ(*last().closed_at - last().at, seconds(5));
  healer_.job_runs({7}, now_ + seconds(9));
  EXPECT_EQ(*last().closed_at - last().at, seconds(5));
}

TEST_F(HealerTest, WithoutAPlaybookNothingIsDone) {
  healer_.configure({});
  EXPECT_THAT(fault(0), IsEmpty());
  EXPECT_THAT(healer_.incidents(), IsEmpty());
  EXPECT_EQ(healer_.with_jitter(seconds(8), {1}, 3), seconds(8));
  EXPECT_EQ(healer_.state(), HealingState{});
}

TEST_F(HealerTest, JitterSpreadsRetriesAndIsTheSameEachTime) {
  std::set<std::int64_t> seen;
  for (std::uint64_t job = 1; job <= 100; ++job) {
    const Duration backoff = healer_.with_jitter(seconds(8), {job}, 2);
    EXPECT_EQ(backoff, healer_.with_jitter(seconds(8), {job}, 2));
    EXPECT_GE(backoff, seconds(8));
    EXPECT_LE(backoff, seconds(10));
    seen.insert(backoff.ns);
  }
  EXPECT_THAT(seen, SizeIs(::testing::Gt(80U)));
}

TEST_F(HealerTest, IncidentsAreBoundedAndOpenOnesAreKept) {
  fault(0);
  for (std::size_t i = 0; i < kIncidentsMax + 50; ++i) fault(1, Symptom::ApplicationFault);
  EXPECT_THAT(healer_.incidents(), SizeIs(kIncidentsMax));
  EXPECT_EQ(healer_.incidents().front().id, 1U);
}

TEST_F(HealerTest, AStateThatContradictsItselfIsRefused) {
  fault(0);
  HealingState state = healer_.state();
  EXPECT_TRUE(Healer().restore(state, 10));
  EXPECT_FALSE(Healer().restore(state, 9));
  state.incidents.push_back(state.incidents.front());
  EXPECT_FALSE(Healer().restore(state, 10));
}

TEST(HealingSpecTest, ContradictionsAreTold) {
  HealingSpec spec = default_healing();
  ASSERT_TRUE(validate(spec));
  spec.rules.push_back(spec.rules.front());
  EXPECT_TRUE(validate(spec)) << "twice the same is no contradiction";
  spec.rules.back().then = Remedy::Note;
  EXPECT_THAT(validate(spec).error().message,
              ::testing::HasSubstr("rules[5] contradicts rules[0]: the same 1 of device_fault"));
  spec = default_healing();
  spec.rules[0].times = 0;
  EXPECT_FALSE(validate(spec));
  spec = default_healing();
  spec.quarantine = spec.quarantine_max + seconds(1);
  EXPECT_FALSE(validate(spec));
  spec = default_healing();
  spec.quarantined_percent_max = 101;
  EXPECT_FALSE(validate(spec));
}

TEST(XidTest, TheCatalogueSaysWhatIsToBeDoneAndWhatAfterThat) {
  EXPECT_EQ(meaning_of_xid(79).action, "RESTART_BM");
  EXPECT_EQ(meaning_of_xid(79).follow_up, "CONTACT_SUPPORT");
  EXPECT_EQ(meaning_of_xid(63).follow_up, "IGNORE");
  EXPECT_EQ(meaning_of_xid(13).follow_up, "WORKFLOW_XID_13");
  EXPECT_EQ(meaning_of_xid(999).action, "");
}

TEST(XidTest, TheCatalogueTellsTheProgramsMistakesFromTheDevices) {
  for (const std::int32_t xid : {13, 31}) {
    EXPECT_EQ(meaning_of_xid(xid).symptom, Symptom::ApplicationFault) << xid;
  }
  for (const std::int32_t xid : {48, 64, 74, 79, 95, 119}) {
    EXPECT_EQ(meaning_of_xid(xid).symptom, Symptom::DeviceFault) << xid;
  }
  EXPECT_TRUE(meaning_of_xid(63).harmless) << "a row was remapped: nothing is to be done";
  EXPECT_EQ(meaning_of_xid(79).description, "GPU has fallen off the bus");
  for (const std::int32_t xid : {-1, 0, 1, 999, 2'000'000'000}) {
    EXPECT_EQ(meaning_of_xid(xid).symptom, Symptom::UnknownGpuError) << xid;
  }
}

TEST_F(HealerTest, APersonAlonePutsBackWhatIsCordoned) {
  spec_.name = "own";
  spec_.rules = {{Symptom::DeviceFault, 1, kHour, Remedy::Evacuate},
                 {Symptom::DeviceFault, 2, kHour, Remedy::Cordon}};
  ASSERT_TRUE(review(spec_));
  healer_.configure(spec_);
  fault(1);
  const auto out = fault(1);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_TRUE(out[0].evacuate) << "both rules apply";
  EXPECT_EQ(out[0].until, Time::max());
  EXPECT_EQ(last().remedy, Remedy::Drain);
  const auto later = now_ + spec_.remember + kHour;
  EXPECT_THAT(healer_.wake(later), IsEmpty());
  EXPECT_FALSE(healer_.next_wakeup());
  now_ = later;
  fault(1);
  EXPECT_EQ(healer_.health({1}).quarantined_until, Time::max()) << "not shortened";
  EXPECT_THAT(healer_.put_back({1}, later), SizeIs(1));
  EXPECT_EQ(last().outcome, Outcome::Undone);
}

TEST_F(HealerTest, OnlySoManyAreTakenOutAnHour) {
  spec_.quarantined_percent_max = 100;
  spec_.quarantines_per_hour_max = 2;
  healer_.configure(spec_);
  EXPECT_THAT(fault(1), SizeIs(1));
  EXPECT_THAT(fault(1), SizeIs(1)) << "for one that is out the time begins anew";
  now_ = now_ + seconds(600);
  EXPECT_THAT(fault(2), SizeIs(1));
  EXPECT_THAT(fault(3), IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Held);
  Healer twin;
  ASSERT_TRUE(twin.restore(healer_.state(), 10));
  EXPECT_EQ(twin.next_wakeup(), healer_.next_wakeup());
  ASSERT_EQ(healer_.next_wakeup(), now_ + seconds(3000));
  const auto changes = healer_.wake(now_ + seconds(3000));
  EXPECT_THAT(changes, ::testing::Contains(::testing::Field(&Healer::Change::node, NodeId{3})));
  EXPECT_EQ(last().outcome, Outcome::Open);
}

TEST_F(HealerTest, ARuleOfOneXidCountsThatOneAlone) {
  spec_.rules = {{Symptom::DeviceFault, 2, kHour, Remedy::Cordon, 79}};
  healer_.configure(spec_);
  healer_.sees({1}, {Symptom::DeviceFault, "", 48}, now_);
  healer_.sees({1}, {Symptom::DeviceFault, "", 79}, now_);
  EXPECT_EQ(last().remedy, Remedy::Note);
  EXPECT_THAT(healer_.sees({1}, {Symptom::DeviceFault, "", 79}, now_), SizeIs(1));
}

TEST_F(HealerTest, WhatIsHeldIsDoneOnceItMayBe) {
  spec_.quarantined_percent_max = 10;
  healer_.configure(spec_);
  fault(1);
  fault(2);
  EXPECT_EQ(last().outcome, Outcome::Held);
  EXPECT_THAT(healer_.reconsider(now_), IsEmpty());
  spec_.quarantined_percent_max = 50;
  healer_.configure(spec_);
  EXPECT_THAT(healer_.reconsider(now_), SizeIs(1));
  EXPECT_EQ(last().outcome, Outcome::Open);
}

class RepairTest : public HealerTest {
 protected:
  RepairTest() {
    spec_.rules = {{Symptom::DeviceFault, 1, kHour, Remedy::Evacuate, 0, Repair::Reset, true},
                   {Symptom::DeviceFault, 3, kHour, Remedy::Evacuate, 0, Repair::Reboot, true},
                   {Symptom::TaskStalled, 1, kHour, Remedy::Drain, 0, Repair::Reboot}};
    healer_.configure(spec_);
  }
  Healer::Changes error(std::int32_t device) {
    return healer_.sees({3}, {Symptom::DeviceFault, "seen", 48, {}, device}, now_);
  }
  /// What is due is begun, and ends like that a minute later.
  Healer::Changes repair(Repair expected, bool good = true) {
    const auto due = healer_.next_repair({3});
    EXPECT_TRUE(due && due->repair == expected);
    if (!due) return {};
    healer_.repair_begins({3}, *due, CommandId{++command_}, now_);
    EXPECT_FALSE(healer_.next_repair({3})) << "one at a time";
    now_ = now_ + seconds(60);
    return healer_.repair_ended({{3}, CommandId{command_}, good, "said"}, now_);
  }
  std::uint64_t command_ = 0;
};

TEST_F(RepairTest, EachGpuIsResetOnceThenItIsTestedAndComesBack) {
  error(1);
  error(0);
  error(1);
  ASSERT_THAT(healer_.to_repair(), ::testing::ElementsAre(NodeId{3}));
  const auto due = healer_.next_repair({3});
  ASSERT_TRUE(due);
  EXPECT_EQ(due->repair, Repair::Reboot) << "three times: that contains a reset";
  repair(Repair::Reboot);
  EXPECT_FALSE(healer_.next_repair({3})) << "the test comes when its time is over";
  const Time until = *healer_.health({3}).quarantined_until;
  EXPECT_EQ(healer_.next_wakeup(), until);
  EXPECT_THAT(healer_.wake(until), IsEmpty()) << "time alone does not bring it back";
  now_ = until;
  EXPECT_FALSE(healer_.next_wakeup() == until) << "nothing is due any more at that time";
  const auto back = repair(Repair::BurnIn);
  ASSERT_THAT(back, SizeIs(1));
  EXPECT_FALSE(back[0].quarantined);
  EXPECT_EQ(last().outcome, Outcome::Recovered);
  ASSERT_THAT(last().steps, SizeIs(2));
  EXPECT_EQ(last().steps[1].repair, Repair::BurnIn);
  EXPECT_TRUE(last().steps[1].good);
  EXPECT_THAT(healer_.to_repair(), IsEmpty());
}

TEST_F(RepairTest, EveryGpuThatShowedItIsReset) {
  error(2);
  repair(Repair::Reset);
  EXPECT_EQ(last().steps.back().device, 2);
  error(0);
  repair(Repair::Reset);
  EXPECT_EQ(last().steps.back().device, 0);
  EXPECT_FALSE(healer_.next_repair({3})) << "no GPU is reset twice for one incident";
}

TEST_F(RepairTest, WhatFailsLeavesTheNodeToAPerson) {
  error(1);
  const auto out = repair(Repair::Reset, false);
  ASSERT_THAT(out, SizeIs(1));
  EXPECT_TRUE(out[0].quarantined);
  EXPECT_EQ(out[0].until, Time::max());
  EXPECT_EQ(last().outcome, Outcome::Failed);
  EXPECT_EQ(last().steps.back().detail, "said");
  error(1);
  EXPECT_FALSE(healer_.next_repair({3})) << "no more before a person has looked";
  EXPECT_THAT(healer_.wake(now_ + kHour * 20), IsEmpty());
  EXPECT_THAT(healer_.put_back({3}, now_), SizeIs(1));
  EXPECT_FALSE(healer_.health({3}).given_up);
}

TEST_F(RepairTest, ANodePutBackDuringARepairIsBackWhenThatHasEnded) {
  error(1);
  healer_.repair_begins({3}, *healer_.next_repair({3}), CommandId{7}, now_);
  EXPECT_THAT(healer_.put_back({3}, now_), IsEmpty()) << "its GPU is being reset";
  EXPECT_EQ(last().outcome, Outcome::Undone);
  EXPECT_FALSE(healer_.next_repair({3}));
  const auto back = healer_.repair_ended({{3}, CommandId{7}, true, ""}, now_);
  ASSERT_THAT(back, SizeIs(1));
  EXPECT_FALSE(back[0].quarantined);
  EXPECT_FALSE(healer_.health({3}).quarantined_until);
}

TEST_F(RepairTest, NoAnswerIsNotGood) {
  error(1);
  healer_.repair_begins({3}, *healer_.next_repair({3}), CommandId{7}, now_);
  const Time late = now_ + spec_.repair_max + seconds(60);
  ASSERT_TRUE(healer_.next_wakeup());
  EXPECT_LE(*healer_.next_wakeup(), late);
  healer_.wake(late);
  EXPECT_EQ(last().outcome, Outcome::Failed);
  EXPECT_TRUE(healer_.health({3}).given_up);
  EXPECT_THAT(healer_.repair_ended({{3}, CommandId{7}, true, ""}, late), IsEmpty())
      << "what comes later counts no more";
}

TEST_F(RepairTest, ASymptomDuringTheTestMakesItTestedAgain) {
  error(1);
  repair(Repair::Reset);
  now_ = *healer_.health({3}).quarantined_until;
  healer_.wake(now_);
  healer_.repair_begins({3}, *healer_.next_repair({3}), CommandId{9}, now_);
  error(1);
  EXPECT_THAT(healer_.repair_ended({{3}, CommandId{9}, true, ""}, now_), IsEmpty());
  EXPECT_TRUE(healer_.health({3}).quarantined_until);
  now_ = *healer_.health({3}).quarantined_until;
  healer_.wake(now_);
  EXPECT_THAT(repair(Repair::BurnIn), SizeIs(1));
}

TEST_F(RepairTest, ADrainedNodeIsStartedAnewAndStaysOut) {
  healer_.sees({3}, {Symptom::TaskStalled, "seen"}, now_);
  const auto due = healer_.next_repair({3});
  ASSERT_TRUE(due);
  healer_.repair_begins({3}, *due, CommandId{1}, now_);
  EXPECT_TRUE(healer_.reboots({3}));
  EXPECT_THAT(healer_.repair_ended({{3}, CommandId{1}, true, ""}, now_), IsEmpty());
  EXPECT_EQ(healer_.health({3}).quarantined_until, Time::max());
}

TEST_F(RepairTest, WhatIsRestoredGoesOnAlike) {
  error(1);
  Healer twin;
  for (int i = 0; i < 10; ++i) twin.node_joined();
  ASSERT_TRUE(twin.restore(healer_.state(), 10));
  EXPECT_EQ(twin.to_repair(), healer_.to_repair());
  repair(Repair::Reset);
  ASSERT_TRUE(twin.restore(healer_.state(), 10));
  EXPECT_EQ(twin.to_repair(), healer_.to_repair());
  EXPECT_EQ(twin.next_wakeup(), healer_.next_wakeup());
}

TEST_F(HealerTest, EachHangIsAnIncidentOfItsOwn) {
  spec_.rules = {{Symptom::TaskStalled, 1, kHour, Remedy::Drain, 0, Repair::Reboot}};
  healer_.configure(spec_);
  const auto hangs = [this](std::uint32_t node, std::uint64_t job) {
    return healer_.sees({node}, {Symptom::TaskStalled, std::to_string(job), 0, JobId{job}}, now_);
  };
  for (std::uint64_t job = 1; job <= 3; ++job) {
    hangs(5, job);
    EXPECT_EQ(last().evidence, std::to_string(job));
    EXPECT_EQ(last().repeats, 0);
    EXPECT_EQ(last().outcome, Outcome::Open);
  }
  const auto wants = std::count_if(
      healer_.incidents().begin(), healer_.incidents().end(),
      [](const Incident& one) { return one.node == NodeId{5} && one.repair == Repair::Reboot; });
  EXPECT_EQ(wants, 1) << "the machine is started anew once";
}

TEST_F(HealerTest, HangsBehindOneThatIsHeldAreNoRepeatsOfIt) {
  spec_.quarantined_percent_max = 0;
  healer_.configure(spec_);
  for (std::uint64_t job = 1; job <= 4; ++job) {
    healer_.sees({5}, {Symptom::TaskStalled, std::to_string(job), 0, JobId{job}}, now_);
    EXPECT_EQ(last().id, job);
    EXPECT_EQ(last().evidence, std::to_string(job));
    EXPECT_EQ(last().outcome, job == 1 ? Outcome::Noted : Outcome::Held);
  }
}

TEST_F(HealerTest, WhatIsHeldIsLookedAtAgainInALargerFleet) {
  fault(0);
  fault(1);
  fault(2);
  ASSERT_EQ(last().outcome, Outcome::Held);
  for (int i = 0; i < 4; ++i) healer_.node_joined();
  EXPECT_THAT(healer_.reconsider(now_), IsEmpty()) << "20 % of 14 nodes are 2";
  healer_.node_joined();
  EXPECT_THAT(healer_.reconsider(now_), SizeIs(1));
  EXPECT_EQ(last().outcome, Outcome::Open);
}

TEST_F(HealerTest, WhetherAGpuAnswersNoRemedyDecides) {
  EXPECT_THAT(healer_.sees({3}, {Symptom::GpuUnknown, "silent", 0, {}, 1}, now_), IsEmpty());
  EXPECT_EQ(last().outcome, Outcome::Open);
  EXPECT_FALSE(healer_.suspect({3}));
  fault(3);
  healer_.wake(now_ + kHour);
  healer_.put_back({3}, now_ + kHour);
  EXPECT_EQ(healer_.incidents().front().outcome, Outcome::Open) << "it is silent still";
  healer_.gpus_known({4}, now_ + kHour);
  EXPECT_EQ(healer_.incidents().front().outcome, Outcome::Open);
  healer_.gpus_known({3}, now_ + kHour);
  EXPECT_EQ(healer_.incidents().front().outcome, Outcome::Recovered);
}

TEST_F(HealerTest, AnIncidentNamesThePlaybookThatAsksForMost) {
  spec_.name = "mine";
  spec_.rules = {{Symptom::DeviceFault, 1, kHour, Remedy::Quarantine, 0, Repair::None, false, "a"},
                 {Symptom::DeviceFault, 2, kHour, Remedy::Drain, 0, Repair::None, false, "b"},
                 {Symptom::DeviceFault, 3, kHour, Remedy::Quarantine, 0, Repair::None, false, "c"}};
  healer_.configure(spec_);
  for (const char* name : {"a", "b", "b"}) {
    fault(3);
    EXPECT_EQ(last().playbook, name);
  }
  fault(3, Symptom::ApplicationFault);
  EXPECT_EQ(last().playbook, "") << "none answers it";
}

TEST_F(HealerTest, OfOneFallThereIsOneIncident) {
  healer_.sees({3}, {Symptom::DeviceFault, "lost", kXidOffTheBus, {}, 2}, now_);
  EXPECT_TRUE(healer_.knows_fall({3}, 2, now_ + kHour / 2)) << "it is not over";
  EXPECT_FALSE(healer_.knows_fall({3}, 1, now_));
  EXPECT_FALSE(healer_.knows_fall({4}, 2, now_));
  healer_.put_back({3}, now_);
  EXPECT_TRUE(healer_.knows_fall({3}, 2, now_ + seconds(60)));
  EXPECT_FALSE(healer_.knows_fall({3}, 2, now_ + seconds(61)));
}

}  // namespace
}  // namespace gyre::reason
