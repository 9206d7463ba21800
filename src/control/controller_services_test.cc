// Services: replicas that the core makes, keeps, replaces and ends.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "base/rng.h"
#include "control/controller.h"

namespace gyre::control {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Phase = Replica::Phase;

ServiceSpec spec_of(std::int32_t min, std::int32_t max, const std::string& version = "1") {
  ServiceSpec spec;
  spec.replica.name = "chat";
  spec.replica.tasks = {{1, {}}};
  spec.replica.tasks[0].request.gpus = 1;
  spec.replica.launch.command = {"serve", version};
  spec.replica.retry = {true, true, true, 1000, seconds(1), seconds(30)};
  spec.replicas = {min, max, min == max ? 0 : 2, seconds(60), seconds(120)};
  return spec;
}

class ServicesTest : public ::testing::Test {
 protected:
  ServicesTest() : core_(Config{}) {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 2; ++i) {
      tell(NodeJoined{{i}, {"n" + std::to_string(i), "", "A100", 4, {81920}, {64000}, {524288}}});
    }
  }

  const Decisions& tell(Event::Body body) {
    const Decisions& made = core_.step({now_, EventSeq{++seq_}, std::move(body)});
    for (const Command& command : made.commands) {
      if (const auto* stop = std::get_if<StopGang>(&command.body)) stopped_.push_back(stop->job);
      if (const auto* one = std::get_if<FreezeGang>(&command.body)) frozen_.push_back(*one);
    }
    return made;
  }
  void wait(Duration time) {
    const Time until = now_ + time;
    while (core_.next_wakeup() && *core_.next_wakeup() <= until) {
      now_ = *core_.next_wakeup();
      tell(Tick{});
    }
    now_ = until;
  }
  const Service& chat() const { return *core_.services().find("chat"); }
  const Job& job(JobId id) const { return *core_.jobs().find(id); }
  std::vector<JobId> serving() const {
    std::vector<JobId> jobs;
    for (const Replica& one : chat().replicas) {
      if (one.phase == Phase::Serving) jobs.push_back(one.job);
    }
    return jobs;
  }
  void start(JobId id) { tell(TaskStarted{id, job(id).attempt, 0}); }
  void end(JobId id, std::int32_t code, bool stopped = false) {
    tell(TaskEnded{id, job(id).attempt, 0, {TaskExit::Kind::Exited, code, stopped, ""}});
  }
  void probe(JobId id, ReplicaHealth health, const std::string& detail = "") {
    tell(ReplicaProbed{id, job(id).attempt, health, detail});
  }
  void make_ready(JobId id) {
    start(id);
    probe(id, ReplicaHealth::Ready);
  }
  /// What has been told to stop and has not ended yet, ends.
  void let_go() {
    for (const JobId id : std::exchange(stopped_, {})) end(id, 0, true);
  }

  Time now_;
  std::uint64_t seq_ = 0;
  Controller core_;
  std::vector<JobId> stopped_;
  std::vector<FreezeGang> frozen_;
};

TEST_F(ServicesTest, ReplicasAreMadeAndAJobThatEndsIsReplaced) {
  tell(ServiceApplied{spec_of(2, 2)});
  ASSERT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}));
  EXPECT_EQ(job({1}).service, "chat");
  EXPECT_EQ(job({1}).revision, 1);
  EXPECT_EQ(job({1}).state, JobState::Starting);
  make_ready({1});
  make_ready({2});
  tell(JobStopRequested{{1}});
  let_go();
  EXPECT_EQ(job({1}).state, JobState::Cancelled);
  EXPECT_THAT(serving(), ElementsAre(JobId{2}, JobId{3}));
}

TEST_F(ServicesTest, ACrashIsTriedAgainAsTheSameReplicaAndIsNotReadyMeanwhile) {
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  EXPECT_TRUE(chat().replicas[0].ready);
  end({1}, 3);
  EXPECT_FALSE(chat().replicas[0].ready);
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  wait(seconds(5));
  EXPECT_EQ(job({1}).attempt, 2);
  tell(ReplicaProbed{{1}, 1, ReplicaHealth::Ready, ""});  // of the attempt before
  EXPECT_FALSE(chat().replicas[0].ready);
}

TEST_F(ServicesTest, ADeadReplicaIsStartedAnew) {
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  probe({1}, ReplicaHealth::Dead, "liveness: no answer");
  EXPECT_THAT(stopped_, ElementsAre(JobId{1}));
  let_go();
  wait(seconds(5));
  EXPECT_EQ(job({1}).state, JobState::Starting);
  EXPECT_EQ(job({1}).attempt, 2);
}

TEST_F(ServicesTest, OnlyAChangeOfTheReplicasThemselvesIsANewRevision) {
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  ServiceSpec wider = spec_of(2, 2);
  wider.rollout.drain = seconds(1);
  tell(ServiceApplied{wider});
  EXPECT_EQ(chat().revision, 1);
  EXPECT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}));
  EXPECT_THAT(stopped_, IsEmpty());
}

TEST_F(ServicesTest, ARollingUpdateNeverHasFewerReadyAndDrainsBeforeItStops) {
  tell(ServiceApplied{spec_of(2, 2)});
  make_ready({1});
  make_ready({2});
  tell(ServiceApplied{spec_of(2, 2, "2")});
  ASSERT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}, JobId{3}));
  EXPECT_EQ(job({3}).spec->launch.command[1], "2");
  make_ready({3});
  ASSERT_THAT(serving(), ElementsAre(JobId{1}, JobId{3}, JobId{4}));
  EXPECT_THAT(stopped_, IsEmpty());
  probe({2}, ReplicaHealth::Drained);
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}));
  let_go();
  EXPECT_EQ(job({2}).state, JobState::Cancelled);
  EXPECT_EQ(job({2}).ending, Termination::Retired);
  make_ready({4});
  ASSERT_TRUE(chat().previous);
  wait(seconds(31));  // the last one is not drained in time
  EXPECT_THAT(stopped_, ElementsAre(JobId{1}));
  let_go();
  EXPECT_FALSE(chat().previous);
  EXPECT_THAT(serving(), ElementsAre(JobId{3}, JobId{4}));
}

TEST_F(ServicesTest, ARevisionThatCrashesIsUndone) {
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  tell(ServiceApplied{spec_of(1, 1, "bad")});
  ASSERT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}));
  for (int i = 0; i < 3; ++i) {
    start({2});
    end({2}, 9);
    wait(seconds(20));
  }
  EXPECT_EQ(chat().revision, 1);
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  EXPECT_THAT(chat().notice, HasSubstr("revision 2 was undone"));
  EXPECT_THAT(chat().notice, HasSubstr("ended with code 9"));
  tell(ServiceApplied{spec_of(1, 1, "3")});
  EXPECT_EQ(chat().revision, 3);
  EXPECT_EQ(chat().notice, "");
}

TEST_F(ServicesTest, ARevisionThatIsNotReadyInTimeIsUndone) {
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  ServiceSpec bad = spec_of(1, 1, "bad");
  bad.rollout.progress_deadline = seconds(100);
  tell(ServiceApplied{bad});
  start({2});
  probe({2}, ReplicaHealth::NotReady, "readiness: status 500");
  wait(seconds(99));
  EXPECT_EQ(chat().revision, 2);
  wait(seconds(2));
  EXPECT_EQ(chat().revision, 1);
  EXPECT_THAT(chat().notice, HasSubstr("status 500"));
  EXPECT_THAT(stopped_, IsEmpty());  // it may have requests of a time when it was ready
  probe({2}, ReplicaHealth::Drained);
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}));
}

TEST_F(ServicesTest, WhatIsUndoneTakesItsNumberOfReplicasWithIt) {
  tell(ServiceApplied{spec_of(3, 3)});
  for (std::uint64_t id = 1; id <= 3; ++id) make_ready({id});
  ServiceSpec bad = spec_of(1, 3, "bad");
  bad.rollout.progress_deadline = bad.replicas.scale_down_after;  // both at one time
  tell(ServiceApplied{bad});
  wait(bad.rollout.progress_deadline);
  ASSERT_EQ(chat().revision, 1);
  EXPECT_EQ(chat().scale.wanted, 3);
  EXPECT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}, JobId{3})) << "all are wanted again";
}

TEST_F(ServicesTest, ApplyingTheSameTwiceChangesNothingAndEndsAnOldNotice) {
  tell(ServiceApplied{spec_of(0, 3)});
  make_ready({1});
  ServiceSpec bad = spec_of(0, 3, "bad");
  bad.rollout.progress_deadline = seconds(10);
  tell(ServiceApplied{bad});
  wait(seconds(11));
  ASSERT_THAT(chat().notice, HasSubstr("revision 2 was undone"));
  ServiceSpec other = spec_of(0, 3);
  other.replicas.idle = seconds(30);
  tell(ServiceApplied{other});
  EXPECT_EQ(chat().notice, "");
  tell(ServiceApplied{bad});
  wait(seconds(11));
  ASSERT_NE(chat().notice, "");
  tell(ServiceApplied{other});
  EXPECT_EQ(chat().notice, "");
  tell(ServiceLoadSeen{"chat", 0, 0});
  wait(seconds(100));
  ASSERT_EQ(chat().scale.wanted, 0);
  const Service before = chat();
  tell(ServiceApplied{other});
  EXPECT_EQ(chat().scale, before.scale);
  EXPECT_EQ(chat().replicas, before.replicas);
  EXPECT_EQ(chat().revision, before.revision);
}

TEST_F(ServicesTest, AReplicaThatIsNotReadyHasTheTimeToEndItsRequestsToo) {
  tell(ServiceApplied{spec_of(2, 2)});
  make_ready({1});
  make_ready({2});
  probe({2}, ReplicaHealth::NotReady, "readiness: too busy");
  tell(ServiceDeleted{"chat"});
  wait(seconds(29));
  EXPECT_THAT(stopped_, IsEmpty());
  probe({2}, ReplicaHealth::Drained);
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}));
  const std::uint64_t seen = core_.services().version();
  probe({2}, ReplicaHealth::Drained);  // once more: nothing that the proxy need be shown
  EXPECT_EQ(core_.services().version(), seen);
  wait(seconds(2));
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}, JobId{1}));
}

TEST_F(ServicesTest, TheLoadDecidesHowMany) {
  tell(ServiceApplied{spec_of(0, 3)});
  make_ready({1});
  tell(ServiceLoadSeen{"chat", 5'000, 0});
  ASSERT_EQ(serving().size(), 3U);
  make_ready({2});
  make_ready({3});
  tell(ServiceLoadSeen{"chat", 1'000, 0});
  wait(seconds(59));
  EXPECT_EQ(serving().size(), 3U);
  wait(seconds(2));
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  tell(ServiceLoadSeen{"chat", 0, 0});
  wait(seconds(121));
  EXPECT_THAT(serving(), IsEmpty());
  tell(ServiceLoadSeen{"chat", 0, 1});  // somebody waits
  EXPECT_EQ(serving().size(), 1U);
}

TEST_F(ServicesTest, ItIsIdleFromWhenAReplicaIsReadyHoweverLongThatTakes) {
  tell(ServiceApplied{spec_of(0, 3)});
  start({1});
  wait(seconds(500));
  probe({1}, ReplicaHealth::Ready);
  wait(seconds(119));
  ASSERT_THAT(serving(), ElementsAre(JobId{1}));
  wait(seconds(1));
  EXPECT_THAT(serving(), IsEmpty());
  let_go();
  tell(ServiceLoadSeen{"chat", 0, 1});  // it is woken, and who did so goes away
  tell(ServiceLoadSeen{"chat", 0, 0});
  wait(seconds(500));
  make_ready({2});
  wait(seconds(119));
  EXPECT_THAT(serving(), ElementsAre(JobId{2}));
}

TEST_F(ServicesTest, AReplicaThatIsNeverReadyIsNotWaitedForForEver) {
  tell(ServiceApplied{spec_of(0, 3)});
  start({1});
  wait(seconds(599));
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  wait(seconds(121));
  EXPECT_THAT(serving(), IsEmpty());
}

/// Three replicas of chat, of which the load needs one, and two may be frozen.
class FrozenTest : public ServicesTest {
 protected:
  FrozenTest() {
    ServiceSpec spec = spec_of(1, 4);
    spec.replicas.frozen_max = 2;
    tell(ServiceApplied{spec});
    make_ready({1});
    tell(ServiceLoadSeen{"chat", 7'000, 0});
    for (std::uint64_t id = 2; id <= 4; ++id) make_ready({id});
    tell(ServiceLoadSeen{"chat", 1'000, 0});
    wait(seconds(61));
    for (std::uint64_t id = 2; id <= 4; ++id) probe({id}, ReplicaHealth::Drained);
  }
  Phase phase(std::uint64_t id) const {
    const auto& all = chat().replicas;
    return std::find_if(all.begin(), all.end(),
                        [id](const auto& one) { return one.job == JobId{id}; })
        ->phase;
  }
};

TEST_F(FrozenTest, WhatIsNotNeededIsFrozenAndGoesOnWhenItIs) {
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  EXPECT_THAT(stopped_, ElementsAre(JobId{4})) << "two are frozen, and no more";
  EXPECT_THAT(frozen_, ElementsAre(FreezeGang{{2}, 1, true}, FreezeGang{{3}, 1, true}));
  let_go();
  frozen_.clear();
  const JobId last = core_.jobs().last();
  tell(ServiceLoadSeen{"chat", 3'000, 0});
  EXPECT_THAT(serving(), ElementsAre(JobId{1}, JobId{2}));
  EXPECT_THAT(frozen_, ElementsAre(FreezeGang{{2}, 1, false}));
  EXPECT_TRUE(chat().replicas[1].ready) << "it was, and may be sent requests at once";
  EXPECT_EQ(core_.jobs().last(), last) << "none is made while one is frozen";
  tell(ServiceLoadSeen{"chat", 7'000, 0});
  EXPECT_EQ(core_.jobs().last().value, last.value + 1) << "of two more one is made";
}

TEST_F(FrozenTest, ItSurvivesTheServer) {
  let_go();
  const auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->services().frozen(job({2})), true);
  EXPECT_EQ(restored->services().frozen(job({1})), false);
  EXPECT_EQ(restored->state(), core_.state());
}

TEST_F(FrozenTest, OneThatEndsIsNotStartedAnew) {
  let_go();
  end({2}, 9);
  let_go();
  EXPECT_TRUE(is_final(job({2}).state));
  EXPECT_EQ(chat().crashes, 0);
  EXPECT_THAT(serving(), ElementsAre(JobId{1}));
  EXPECT_EQ(phase(3), Phase::Frozen);
}

TEST_F(FrozenTest, ThoseOfAnotherRevisionOrBeyondWhatIsAllowedAreEnded) {
  let_go();
  ServiceSpec fewer = spec_of(1, 4);
  fewer.replicas.frozen_max = 1;
  tell(ServiceApplied{fewer});
  EXPECT_THAT(stopped_, ElementsAre(JobId{3}));
  let_go();
  ServiceSpec other = spec_of(1, 4, "2");
  other.replicas.frozen_max = 1;
  tell(ServiceApplied{other});
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}));
  let_go();
  tell(ServiceDeleted{"chat"});
  probe({1}, ReplicaHealth::Drained);
  for (int round = 0; round < 3; ++round) let_go();
  EXPECT_EQ(core_.services().find("chat"), nullptr);
}

TEST_F(ServicesTest, WaitsAndBusyGpusAskForMore) {
  ServiceSpec spec = spec_of(1, 6);
  spec.replicas.target_queue_time = seconds(1);
  spec.replicas.target_gpu_activity = 60;
  tell(ServiceApplied{spec});
  make_ready({1});
  tell(ServiceLoadSeen{"chat", 1'000, 1, milliseconds(1'600)});
  EXPECT_EQ(serving().size(), 2U);
  make_ready({2});
  tell(ServiceLoadSeen{"chat", 1'000, 0, {}, 900'000});
  EXPECT_EQ(serving().size(), 3U);
  make_ready({3});
  tell(ServiceLoadSeen{"chat", 1'000, 0});
  wait(seconds(100));
  EXPECT_EQ(serving().size(), 3U) << "what is not known any more holds";
  const auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->services().find("chat")->asked_by_gpus, 3);
  tell(ServiceLoadSeen{"chat", 1'000, 0, {}, 100'000});
  wait(seconds(100));
  EXPECT_EQ(serving().size(), 1U);
}

TEST_F(ServicesTest, ADeletedServiceIsGoneWithItsReplicas) {
  tell(ServiceApplied{spec_of(2, 2)});
  make_ready({1});
  tell(ServiceDeleted{"chat"});
  EXPECT_THAT(stopped_, ElementsAre(JobId{2}));  // it never served
  probe({1}, ReplicaHealth::Drained);
  let_go();
  EXPECT_EQ(core_.services().find("chat"), nullptr);
  EXPECT_EQ(core_.next_wakeup(), std::nullopt);
  tell(ServiceApplied{spec_of(1, 1)});
  EXPECT_EQ(chat().revision, 1);
}

TEST_F(ServicesTest, AReplicaThatCanNeverRunIsNotMadeOverAndOver) {
  ServiceSpec spec = spec_of(1, 1);
  spec.replica.tasks[0].request.gpus = 9;
  EXPECT_FALSE(core_.check(spec));
  tell(ServiceApplied{spec});
  EXPECT_EQ(core_.jobs().last(), JobId{1});
  EXPECT_EQ(job({1}).state, JobState::Failed);
  wait(seconds(100));
  EXPECT_LE(core_.jobs().last().value, 12U);
  tell(JobSubmitted{JobId{core_.jobs().last().value + 1}, spec_of(1, 1).replica, {}});
  EXPECT_EQ(job(core_.jobs().last()).service, "");
}

TEST_F(ServicesTest, NoRoomIsKeptForWhoWithdrawsBehindOneThatReplicasKeepOut) {
  tell(PolicySet{*policy_by_name("easy")});
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 4;
  tell(JobSubmitted{{2}, spec, {}});
  start({2});
  JobSpec gang = spec;
  gang.tasks[0].count = 2;
  tell(JobSubmitted{{3}, gang, {}});
  tell(JobSubmitted{{4}, spec, {}});
  ASSERT_EQ(core_.state().reservations.size(), 1U);
  EXPECT_EQ(core_.state().reservations[0].job, JobId{4});
  tell(JobStopRequested{{4}});
  EXPECT_THAT(core_.state().reservations, IsEmpty());
  EXPECT_TRUE(Controller::restore(Config{}, core_.state()));
}

TEST_F(ServicesTest, HoweverManyReplicasKeepOutOthersPassThem) {
  tell(PolicySet{*policy_by_name("fifo")});
  tell(ServiceApplied{spec_of(1, 1)});
  make_ready({1});
  JobSpec gang;
  gang.tasks = {{2, {}}};
  gang.tasks[0].request.gpus = 4;
  for (std::uint64_t id = 2; id < 42; ++id) tell(JobSubmitted{{id}, gang, {}});
  JobSpec small = gang;
  small.tasks[0] = {1, gang.tasks[0].request};
  tell(JobSubmitted{{42}, small, {}});
  EXPECT_EQ(job({42}).state, JobState::Starting);
}

TEST_F(ServicesTest, WhoMustBeApartFromReplicasIsToldThatTheyStay) {
  ServiceSpec spec = spec_of(2, 2);
  spec.replica.placement = parse_placement_rules("max_per_node: 1").value();
  tell(ServiceApplied{spec});
  JobSpec apart;
  apart.name = "batch";
  apart.tasks = {{1, {}}};
  apart.tasks[0].request.gpus = 1;
  apart.placement = parse_placement_rules("apart: chat").value();
  tell(JobSubmitted{{3}, apart, {}});
  const Explanation why = core_.explain(job({3}));
  EXPECT_EQ(why.reason, WaitReason::AffinityBlocked);
  EXPECT_THAT(why.detail, HasSubstr("held by replicas of services"));
}

/// Draws what could happen to services, and tells it to a core and to its twin.
class RandomServices {
 public:
  explicit RandomServices(std::uint32_t seed) : rng_(seed), core_(Config{}) {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 2; ++i) {
      tell(NodeJoined{{i}, {"n" + std::to_string(i), "", "A100", 3, {81920}, {64000}, {524288}}});
    }
  }

  void step() {
    if (draw(3) == 0) now_ = now_ + seconds(draw(40));
    if (const auto due = core_.next_wakeup(); due && draw(2) == 0) now_ = std::max(now_, *due);
    tell(draw(20) < 11 ? service_event() : job_event());
    check();
    if (core_.has_leftover() || draw(10) != 0) return;
    auto restored = Controller::restore(Config{}, core_.state());
    RC_ASSERT(restored.has_value());
    RC_ASSERT(restored->state() == core_.state());
    RC_ASSERT(restored->next_wakeup() == core_.next_wakeup());
    twin_.emplace(std::move(*restored));
  }

 private:
  struct Task {
    JobId job;
    std::int32_t attempt = 0;
  };

  std::int64_t draw(std::uint64_t below) { return static_cast<std::int64_t>(rng_.below(below)); }
  std::int32_t few(std::uint64_t below) { return static_cast<std::int32_t>(rng_.below(below)); }

  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    const Commands commands = core_.step(event).commands;
    if (twin_) RC_ASSERT(twin_->step(event).commands == commands);
    for (const Command& command : commands) {
      const auto* start = std::get_if<StartGang>(&command.body);
      if (start != nullptr) tasks_.push_back({start->job, start->attempt});
    }
  }

  Task some_task() { return tasks_.empty() ? Task{} : tasks_[rng_.below(tasks_.size())]; }

  Event::Body service_event() {
    const std::string name = draw(2) == 0 ? "chat" : "draw";
    const std::int64_t dice = draw(11);
    if (dice == 0) return ServiceDeleted{name};
    if (dice < 4) {
      return ServiceLoadSeen{name, draw(8) * draw(1000), draw(3), seconds(draw(4)),
                             draw(1'200'000) - 100'000};
    }
    if (dice < 9) {
      const Task task = some_task();
      const auto health = static_cast<ReplicaHealth>(draw(4));
      return ReplicaProbed{task.job, task.attempt, health, "why"};
    }
    const std::int32_t min = few(3);
    ServiceSpec spec = spec_of(min, min + 1 + few(3), std::to_string(draw(3)));
    spec.replica.name = name;
    spec.replica.preemptible = draw(2) == 0;
    if (draw(2) == 0) spec.replica.launch.container.image = image();
    spec.rollout.progress_deadline = seconds(1 + draw(200));
    return ServiceApplied{spec};
  }

  std::string image() { return "r.example/" + std::to_string(draw(3)); }

  Event::Body images_event() {
    NodeImagesSeen seen{{static_cast<std::uint32_t>(draw(2))}, {}, {}};
    (draw(2) == 0 ? seen.removed : seen.added).push_back({image(), ""});
    return seen;
  }

  Event::Body job_event() {
    const std::int64_t dice = draw(11);
    if (dice > 8) return images_event();
    const Task task = some_task();
    if (dice < 3) return TaskStarted{task.job, task.attempt, 0};
    if (dice < 5) {
      return TaskEnded{
          task.job, task.attempt, 0, {TaskExit::Kind::Exited, few(2), draw(2) == 0, ""}};
    }
    if (dice == 5) return JobStopRequested{task.job};
    if (dice > 6) return Tick{};
    JobSpec job;
    job.tasks = {{1, {}}};
    job.tasks[0].request.gpus = 1 + few(3);
    job.priority = few(11);
    return JobSubmitted{JobId{core_.jobs().last().value + 1}, job, {}};
  }

  /// Each replica that is known has its job, and the other way round.
  void check() const {
    std::size_t replicas = 0;
    for (const auto& [name, service] : core_.services().all()) {
      RC_ASSERT(service.scale.wanted <= service.spec.replicas.max);
      replicas += service.replicas.size();
      for (const Replica& replica : service.replicas) {
        const Job* job = core_.jobs().find(replica.job);
        RC_ASSERT(job != nullptr && !is_final(job->state) && job->service == name);
        RC_ASSERT(replica.running == (job->state == JobState::Running));
        RC_ASSERT(replica.running || !replica.ready);
      }
    }
    std::size_t jobs = 0;
    core_.jobs().for_each([&jobs](const Job& job) {
      if (!job.service.empty() && !is_final(job.state)) ++jobs;
    });
    RC_ASSERT(jobs == replicas);
  }

  Rng rng_;
  Controller core_;
  std::optional<Controller> twin_;
  Time now_;
  std::uint64_t seq_ = 0;
  std::vector<Task> tasks_;
};

RC_GTEST_PROP(ServicesProperty, ARestoredTwinDecidesAlike, (std::uint32_t seed)) {
  RandomServices random(seed);
  for (int step = 0; step < 150; ++step) random.step();
}

}  // namespace
}  // namespace gyre::control
