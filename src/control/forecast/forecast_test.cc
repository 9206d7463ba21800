#include "control/forecast/forecast.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/forecast/outlook.h"

namespace gyre::control {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr Duration kHour = seconds(3600);

/// A core whose starts succeed at once.
class ForecastTest : public ::testing::Test {
 protected:
  void use(const std::string& policy) { tell(PolicySet{*policy_by_name(policy)}); }
  void SetUp() override {
    use("easy");
    tell(QueueSet{{"default", {}}});
  }
  void add_node(std::int32_t gpus, const std::string& model = "H100") {
    const NodeId id{static_cast<std::uint32_t>(core_.cluster().nodes().size())};
    tell(NodeJoined{id, {"n", "", model, gpus, {}, CpuMilli{64'000}, MemoryMib{1 << 20}}});
  }
  static JobSpec job_of(std::int32_t gpus, std::optional<Duration> estimate = std::nullopt) {
    JobSpec spec;
    spec.name = "train";
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    spec.expected_duration = estimate;
    return spec;
  }
  /// An H100 node is full for ten hours, an A100 node for one. What holds the former.
  JobSpec fill_h100_for_long() {
    add_node(4, "H100");
    add_node(4, "A100");
    JobSpec spec = job_of(4, kHour * 10);
    spec.tasks[0].request.gpu_models = {"H100"};
    submit(spec);
    JobSpec other = job_of(4, kHour);
    other.tasks[0].request.gpu_models = {"A100"};
    submit(other);
    return spec;
  }
  JobId submit(const JobSpec& spec) {
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, spec, {}});
    return id;
  }
  void finish(JobId id) { tell(TaskEnded{id, core_.jobs().find(id)->attempt, 0, {}}); }
  void pass(Duration span) { now_ = now_ + span; }

  void tell(Event::Body body) {
    const Decisions& decisions = core_.step({now_, EventSeq{++seq_}, std::move(body)});
    for (const Command& command : Commands(decisions.commands)) {
      if (!starts_at_once_) break;
      if (const auto* start = std::get_if<StartGang>(&command.body)) {
        for (const TaskPlacement& task : start->placement) {
          tell(TaskStarted{start->job, start->attempt, task.rank, {}});
        }
      }
    }
  }
  StartForecast forecast(JobId job) const { return Forecaster(core_, now_).start(job); }

  bool starts_at_once_ = true;
  Time now_{seconds(1'000'000).ns};
  std::uint64_t seq_ = 0;
  Controller core_{Config{}};
};

TEST_F(ForecastTest, WithEstimatesTheStartIsTheirEnd) {
  add_node(8);
  submit(job_of(8, kHour));
  const JobId second = submit(job_of(8, kHour));
  const JobId third = submit(job_of(8));
  EXPECT_EQ(forecast(second).median, now_ + kHour);
  EXPECT_EQ(forecast(second).earliest, now_ + kHour);
  EXPECT_EQ(forecast(second).latest, now_ + kHour);
  EXPECT_EQ(forecast(third).median, now_ + kHour * 2);
  pass(kHour / 2);
  EXPECT_EQ(forecast(second).median, now_ + kHour / 2);
}

TEST_F(ForecastTest, WhoIsBeingStoppedIsGoneWhenItsGraceIsOver) {
  use("preemptive");
  add_node(8);
  JobSpec soft = job_of(8, kHour);
  soft.priority = 0;
  soft.preemptible = true;
  soft.checkpoint.grace = seconds(120);
  const JobId victim = submit(soft);
  pass(seconds(10));
  JobSpec urgent = job_of(8, kHour);
  urgent.priority = 9;
  const JobId waits = submit(urgent);
  ASSERT_EQ(core_.jobs().find(victim)->state, JobState::Preempting);
  const Time killed = now_ + seconds(120);
  EXPECT_EQ(forecast(waits).median, killed);
  pass(seconds(60));
  EXPECT_EQ(forecast(waits).median, killed);
  pass(seconds(90));
  EXPECT_EQ(forecast(waits).median, now_) << "never before now";
}

TEST_F(ForecastTest, WithoutAnEstimateItIsUnknownBecauseOfThatJob) {
  add_node(8);
  submit(job_of(8));
  const JobId second = submit(job_of(8, kHour));
  const StartForecast start = forecast(second);
  EXPECT_FALSE(start.earliest || start.median || start.latest);
  EXPECT_THAT(start.unknown, HasSubstr("job 1 has no estimate"));
}

TEST_F(ForecastTest, WhereAJobWithoutAnEstimateMayEndBeforeThereIsABound) {
  add_node(8);
  submit(job_of(4));
  submit(job_of(4, kHour));
  const JobId waits = submit(job_of(4, kHour));
  const StartForecast start = forecast(waits);
  EXPECT_FALSE(start.median);
  EXPECT_EQ(start.earliest, now_);
  EXPECT_EQ(start.latest, now_ + kHour);
  EXPECT_THAT(start.unknown, HasSubstr("job 1 has no estimate"));
  finish(JobId{2});
  EXPECT_EQ(forecast(submit(job_of(4))).latest, now_ + kHour) << "by the one that has just begun";
}

TEST_F(ForecastTest, AJobWithoutAnEstimateThatHoldsNothingThatIsWantedChangesNothing) {
  add_node(4, "H100");
  add_node(4, "A100");
  JobSpec other = job_of(4);
  other.tasks[0].request.gpu_models = {"A100"};
  submit(other);
  JobSpec spec = job_of(4, kHour);
  spec.tasks[0].request.gpu_models = {"H100"};
  submit(spec);
  const StartForecast start = forecast(submit(spec));
  EXPECT_EQ(start.median, now_ + kHour) << start.unknown;
  EXPECT_EQ(start.unknown, "");
}

TEST_F(ForecastTest, AReplicaIsTakenToGoOn) {
  add_node(8);
  ServiceSpec service;
  service.replica = job_of(4);
  service.replica.name = "chat";
  tell(ServiceApplied{service});
  submit(job_of(4, kHour));
  EXPECT_EQ(forecast(submit(job_of(4))).median, now_ + kHour);
}

TEST_F(ForecastTest, WhatNoRunTimeDecidesHasNoSpread) {
  add_node(8);
  QueueSpec metered{"metered", {}};
  metered.gpu_seconds_max = 8 * 3600;
  metered.gpu_time_window = kHour * 24;
  tell(QueueSet{metered});
  for (int i = 1; i <= 10; ++i) {  // declared run times are off
    const JobId id = submit(job_of(1, kHour));
    pass(kHour * i / 10);
    finish(id);
  }
  JobSpec spec = job_of(8, kHour * 2);
  spec.queue = "metered";
  const JobId first = submit(spec);
  pass(kHour * 2);
  finish(first);
  const JobId waits = submit(spec);
  ASSERT_EQ(core_.explain(*core_.jobs().find(waits)).reason, WaitReason::WaitingForQuota);
  const Time window{kHour.ns * 24 * (now_.ns / (kHour.ns * 24) + 1)};
  StartForecast start = forecast(waits);
  EXPECT_EQ(start.earliest, window);
  EXPECT_EQ(start.median, window);
  EXPECT_EQ(start.latest, window);
  submit(job_of(8, kHour * 12));
  start = forecast(waits);
  ASSERT_TRUE(start.earliest && start.latest) << start.unknown;
  EXPECT_GE(*start.earliest, window) << "whatever is free before";
  EXPECT_GT(*start.latest, *start.earliest);
}

TEST_F(ForecastTest, ARetryDoesNotStartBeforeItMay) {
  add_node(8);
  for (int i = 1; i <= 10; ++i) {
    const JobId id = submit(job_of(1, kHour));
    pass(kHour * i / 10);
    finish(id);
  }
  JobSpec spec = job_of(8, kHour);
  spec.retry.on_error = true;
  spec.retry.backoff = spec.retry.backoff_max = kHour;
  const JobId id = submit(spec);
  pass(seconds(60));
  tell(TaskEnded{id, 1, 0, {TaskExit::Kind::Exited, 1, true, {}}});
  const auto until = core_.jobs().find(id)->hold_until;
  ASSERT_TRUE(until);
  const StartForecast start = forecast(id);
  EXPECT_EQ(start.earliest, until);
  EXPECT_EQ(start.latest, until);
}

TEST_F(ForecastTest, AnEstimateThatHasPassedIsNoEstimate) {
  add_node(8);
  submit(job_of(8, kHour));
  const JobId second = submit(job_of(8, kHour));
  pass(kHour * 2);
  EXPECT_THAT(forecast(second).unknown, HasSubstr("has run longer than it was expected to"));
}

TEST_F(ForecastTest, JobsLikeItThatHaveEndedGiveAnInterval) {
  add_node(8);
  for (int i = 1; i <= 12; ++i) {
    const JobId id = submit(job_of(8));
    pass(seconds(1000 + 100 * i));
    finish(id);
  }
  submit(job_of(8));
  const JobId waits = submit(job_of(8));
  const StartForecast start = forecast(waits);
  ASSERT_TRUE(start.earliest && start.median && start.latest) << start.unknown;
  EXPECT_LT(*start.earliest, *start.latest);
  EXPECT_GT(*start.earliest, now_ + seconds(500));
  EXPECT_LT(*start.latest, now_ + seconds(4000));
}

TEST_F(ForecastTest, HowFarOffEstimatesWereSpreadsTheInterval) {
  add_node(8);
  const auto run_for = [this](Duration took) {
    const JobId id = submit(job_of(8, kHour));
    pass(took);
    finish(id);
  };
  for (int i = 1; i <= 9; ++i) run_for(kHour * i / 10);
  submit(job_of(8, kHour));
  const JobId waits = submit(job_of(8, kHour));
  EXPECT_EQ(forecast(waits).earliest, forecast(waits).latest) << "too few are known";
  for (const JobId id : {waits, JobId{waits.value - 1}}) tell(JobStopRequested{id});
  finish(JobId{waits.value - 1});
  run_for(kHour);
  submit(job_of(8, kHour));
  const JobId second = submit(job_of(8, kHour));
  const StartForecast start = forecast(second);
  ASSERT_TRUE(start.earliest && start.latest) << start.unknown;
  EXPECT_LE(*start.earliest, now_ + kHour * 3 / 10);
  EXPECT_GE(*start.latest, now_ + kHour * 8 / 10);
  EXPECT_LE(*start.latest, now_ + kHour * 2);
  pass(kHour * 65 / 100);
  EXPECT_GE(*forecast(second).earliest, now_ + kHour * 5 / 100 / 2) << "70 % at least by now";
}

TEST_F(ForecastTest, AStartTakesTheTimeThatStartsTook) {
  add_node(8);
  starts_at_once_ = false;
  JobId id;
  for (int i = 0; i < 11; ++i) {
    id = submit(job_of(8, kHour));
    pass(seconds(40));
    tell(TaskStarted{id, 1, 0, {}});
    if (i == 10) break;
    pass(kHour);
    finish(id);
  }
  const JobId waits = submit(job_of(8, kHour));
  EXPECT_EQ(forecast(waits).median, now_ + kHour);
  pass(seconds(60));
  const JobId after = submit(job_of(8, kHour));
  EXPECT_EQ(forecast(after).median, now_ - seconds(60) + kHour * 2 + seconds(40));
}

TEST_F(ForecastTest, AStopTakesTheTimeThatStopsTook) {
  use("preemptive");
  add_node(8);
  JobSpec soft = job_of(8, kHour);
  soft.priority = 0;
  soft.preemptible = true;
  soft.checkpoint.grace = seconds(120);
  for (int i = 0; i < 5; ++i) {
    const JobId id = submit(soft);
    tell(JobStopRequested{id});
    pass(seconds(20));
    tell(TaskEnded{id, 1, 0, {TaskExit::Kind::Signaled, 15, true, {}}});
  }
  submit(soft);
  pass(seconds(10));
  JobSpec urgent = job_of(8, kHour);
  urgent.priority = 9;
  const JobId waits = submit(urgent);
  const Time told = now_;
  EXPECT_EQ(forecast(waits).median, told + seconds(20));
  pass(seconds(30));
  EXPECT_EQ(forecast(waits).median, told + seconds(120)) << "longer than any: until it is killed";
  const auto twin = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(twin) << twin.error().message;
  EXPECT_EQ(twin->recent_stops().latest(), core_.recent_stops().latest());
}

TEST_F(ForecastTest, NodesThatAreDownAreToldOf) {
  add_node(8);
  tell(NodeLost{NodeId{0}, "power"});
  EXPECT_THAT(forecast(submit(job_of(8, kHour))).unknown, HasSubstr("are down"));
}

TEST_F(ForecastTest, TheSameCoreGivesTheSameAnswer) {
  add_node(8);
  for (int i = 1; i <= 30; ++i) {
    const JobId id = submit(job_of(8));
    pass(seconds(100 * i));
    finish(id);
  }
  submit(job_of(8));
  const JobId waits = submit(job_of(4));
  const Forecaster one(core_, now_);
  const Forecaster other(core_, now_);
  ASSERT_TRUE(one.start(waits).median);
  EXPECT_EQ(one.start(waits).median, other.start(waits).median);
  EXPECT_EQ(one.start(waits).latest, other.start(waits).latest);
}

TEST_F(ForecastTest, WhoComesLaterAndGoesFirstIsReckonedWith) {
  use("preemptive");
  add_node(8);
  JobSpec urgent = job_of(8, kHour);
  urgent.priority = 9;
  for (int i = 0; i < 30; ++i) {  // an urgent hour every two hours
    const JobId id = submit(urgent);
    pass(kHour);
    finish(id);
    pass(kHour);
  }
  submit(job_of(8, kHour * 3));
  const JobId waits = submit(job_of(8, kHour));
  // Without them it would start in three hours.
  EXPECT_GT(*forecast(waits).latest, now_ + kHour * 3);
}

TEST_F(ForecastTest, ReplicasDoNotComeAgainAsJobs) {
  use("preemptive");
  add_node(8);
  for (int i = 0; i < 30; ++i) {
    ServiceSpec service;
    service.replica = job_of(8);
    service.replica.name = "chat-" + std::to_string(i);
    service.replica.priority = 9;
    service.rollout.drain = Duration{0};
    tell(ServiceApplied{service});
    const JobId replica = core_.jobs().last();
    ASSERT_EQ(core_.jobs().find(replica)->service, service.replica.name);
    pass(kHour);
    tell(ServiceDeleted{service.replica.name});
    tell(TaskEnded{replica, 1, 0, {TaskExit::Kind::Exited, 0, true, {}}});
    pass(kHour);
    ASSERT_EQ(core_.services().find(service.replica.name), nullptr);
  }
  submit(job_of(8, kHour * 3));
  const StartForecast start = forecast(submit(job_of(8, kHour)));
  EXPECT_EQ(start.earliest, now_ + kHour * 3) << start.unknown;
  EXPECT_EQ(start.latest, now_ + kHour * 3);
}

TEST_F(ForecastTest, AReplicaHasNoAlternatives) {
  add_node(8);
  submit(job_of(8, kHour));
  ServiceSpec service;
  service.replica = job_of(4);
  service.replica.name = "chat";
  tell(ServiceApplied{service});
  const JobId replica = core_.jobs().last();
  ASSERT_EQ(core_.jobs().find(replica)->state, JobState::Queued);
  const Outlook seen = outlook(core_, replica, now_);
  EXPECT_EQ(seen.start.median, now_ + kHour);
  EXPECT_TRUE(seen.alternatives.empty());
}

TEST_F(ForecastTest, AlternativesAreTriedOnACopy) {
  add_node(4, "H100");
  add_node(4, "A100");
  JobSpec spec = job_of(4);
  spec.tasks[0].request.gpu_models = {"H100"};
  submit(spec);
  const JobId waits = submit(spec);
  const ControllerState before = core_.state();
  const Outlook seen = outlook(core_, waits, now_);
  EXPECT_EQ(core_.state(), before);
  std::map<std::string, bool> starts;
  for (const Alternative& alternative : seen.alternatives) {
    starts[alternative.change] = alternative.starts_now;
  }
  EXPECT_TRUE(starts.at("on A100 instead of H100"));
  EXPECT_FALSE(starts.at("preemptible"));
  EXPECT_FALSE(starts.at("2 GPUs instead of 4"));
  EXPECT_FALSE(starts.contains("2 nodes with 2 GPUs each instead of 1 with 4"));  // one H100 node
}

TEST_F(ForecastTest, AnAlternativeThatStartsMuchSoonerIsTold) {
  const JobSpec spec = fill_h100_for_long();
  const auto sooner = [](const Outlook& seen) {
    std::map<std::string, std::optional<Time>> all;
    for (const Alternative& one : seen.alternatives) all[one.change] = one.sooner;
    return all;
  };
  const auto planned = plan_job(core_, spec, now_);
  ASSERT_TRUE(planned && planned->outlook);
  EXPECT_EQ(planned->outlook->start.median, now_ + kHour * 10);
  const auto before = sooner(*planned->outlook);
  EXPECT_EQ(before.at("on A100 instead of H100"), now_ + kHour);
  EXPECT_EQ(before.at("2 GPUs instead of 4"), std::nullopt) << "as late";
  const JobId waits = submit(spec);
  EXPECT_EQ(sooner(outlook(core_, waits, now_)), before) << "as planned";
}

TEST_F(ForecastTest, AnAlternativeThatHangsOnAJobWithoutAnEstimateIsABound) {
  const JobSpec spec = fill_h100_for_long();
  add_node(4, "A100");
  JobSpec unknown = job_of(4);
  unknown.tasks[0].request.gpu_models = {"A100"};
  submit(unknown);
  const auto planned = plan_job(core_, spec, now_);
  ASSERT_TRUE(planned && planned->outlook);
  EXPECT_EQ(planned->outlook->start.median, now_ + kHour * 10);
  const Alternative& a100 = planned->outlook->alternatives.at(1);
  EXPECT_EQ(a100.change, "on A100 instead of H100");
  EXPECT_EQ(a100.sooner, now_ + kHour);
  EXPECT_TRUE(a100.at_latest);
}

TEST_F(ForecastTest, WhoMakesRoomAtOnceGainsNothingByMakingRoom) {
  use("preemptive");
  add_node(8);
  JobSpec soft = job_of(8, kHour);
  soft.priority = 0;
  soft.preemptible = true;
  submit(soft);
  pass(seconds(10));
  JobSpec urgent = job_of(8, kHour);
  urgent.priority = 9;
  const auto planned = plan_job(core_, urgent, now_);
  ASSERT_TRUE(planned && planned->outlook);
  ASSERT_THAT(planned->plan.preempts, ElementsAre(JobId{1}));
  EXPECT_TRUE(planned->outlook->alternatives.empty())
      << planned->outlook->alternatives.front().change;
}

TEST_F(ForecastTest, AlternativesForWhichNoWorkIsLeftAreTold) {
  const JobSpec spec = fill_h100_for_long();
  const JobId waits = submit(spec);
  ForecastOptions options;
  options.scenarios = 4;
  const auto looked_ahead = [&](std::int64_t work_max) {
    options.work_max = work_max;
    const Outlook seen = outlook(core_, waits, now_, options);
    EXPECT_EQ(seen.alternatives.size(), 3U);
    std::vector<bool> looked;
    for (const Alternative& one : seen.alternatives) looked.push_back(one.looked_ahead);
    return looked;
  };
  EXPECT_THAT(looked_ahead(ForecastOptions{}.work_max), ::testing::Each(true));
  EXPECT_THAT(looked_ahead(0), ::testing::Each(false));
  bool some = false;
  for (std::int64_t work = 1; work < ForecastOptions{}.work_max; work *= 2) {
    const std::vector<bool> looked = looked_ahead(work);
    EXPECT_TRUE(std::is_sorted(looked.rbegin(), looked.rend())) << "in their order";
    some = some || (looked.front() && !looked.back());
  }
  EXPECT_TRUE(some);
}

TEST_F(ForecastTest, FewerNodesWithMoreGpusEachMayDo) {
  for (int i = 0; i < 3; ++i) add_node(8);
  submit(job_of(8));
  submit(job_of(8));
  JobSpec wide = job_of(4);
  wide.tasks[0].count = 2;
  const auto planned = plan_job(core_, wide, now_);
  ASSERT_TRUE(planned && planned->outlook);
  bool tried = false;
  for (const Alternative& one : planned->outlook->alternatives) {
    if (one.change != "1 node with 8 GPUs each instead of 2 with 4") continue;
    tried = one.starts_now;
  }
  EXPECT_TRUE(tried);
}

TEST_F(ForecastTest, HalfOfTheNodesMayDo) {
  add_node(8);
  add_node(8);
  submit(job_of(8));
  JobSpec wide = job_of(8);
  wide.tasks[0].count = 2;
  const auto planned = plan_job(core_, wide, now_);
  ASSERT_TRUE(planned.has_value()) << planned.error().message;
  ASSERT_TRUE(planned->outlook.has_value());
  const auto& alternatives = planned->outlook->alternatives;
  const auto half =
      std::find_if(alternatives.begin(), alternatives.end(),
                   [](const Alternative& one) { return one.change == "1 node instead of 2"; });
  ASSERT_NE(half, alternatives.end());
  EXPECT_TRUE(half->starts_now);
}

TEST_F(ForecastTest, APlanThatStartsNowNeedsNoOutlook) {
  add_node(8);
  const auto planned = plan_job(core_, job_of(8), now_);
  ASSERT_TRUE(planned.has_value());
  EXPECT_TRUE(planned->plan.starts_now);
  EXPECT_FALSE(planned->outlook.has_value());
  EXPECT_EQ(plan_job(core_, job_of(9), now_).error().kind, ErrorKind::NeverFits);
}

}  // namespace
}  // namespace gyre::control
