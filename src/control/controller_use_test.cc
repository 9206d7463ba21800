// What jobs hold, what it costs, and what is done where they do not use it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller.h"
#include "control/forecast/quote.h"

namespace gyre::control {
namespace {

using ::testing::ElementsAre;

constexpr Duration kHour = seconds(3600);

class UseTest : public ::testing::Test {
 protected:
  UseTest() {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    tell(QueueSet{{"lab", ""}});
    QueueSpec below{"notebooks", ""};
    below.parent = "lab";
    tell(QueueSet{below});
    for (const char* model : {"A100", "H100"}) {
      const NodeId id{static_cast<std::uint32_t>(core_.cluster().nodes().size())};
      tell(NodeJoined{id, {model, "", model, 4, {81'920}, {64'000}, {524'288}, true}});
    }
  }

  const Decisions& tell(Event::Body body) {
    return core_.step({now_, EventSeq{++seq_}, std::move(body)});
  }
  void set_prices(std::int64_t gpu_hour, std::int64_t h100_hour) {
    PriceList prices;
    prices.gpu_hour = Money{gpu_hour};
    prices.models = {{"H100", Money{h100_hour}}};
    tell(PriceSet{prices});
  }
  JobId submit(JobSpec spec) {
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, std::move(spec), {}});
    return id;
  }
  static JobSpec on(std::string model, std::int32_t gpus) {
    JobSpec spec;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    if (!model.empty()) spec.tasks[0].request.gpu_models = {std::move(model)};
    return spec;
  }
  const Job& job(JobId id) const { return *core_.jobs().find(id); }
  void start(JobId id) { tell(TaskStarted{id, job(id).attempt, 0, {}}); }
  void end(JobId id, TaskExit exit = {}) { tell(TaskEnded{id, job(id).attempt, 0, exit}); }
  Money cost(JobId id) const { return core_.charge_of(job(id), now_).amount; }
  void see(JobId id, std::int64_t ppm, Duration over, bool known = true) {
    tell(GpuUseSeen{{id, job(id).attempt, known, ppm, true, over}});
  }

  Controller core_{Config{}};
  Time now_{seconds(1'700'000'000).ns};
  std::uint64_t seq_ = 0;
};

TEST_F(UseTest, EveryAttemptIsChargedAndNothingBetweenThem) {
  set_prices(1'000'000, 2'000'000);
  JobSpec spec = on("H100", 4);
  spec.preemptible = true;
  const JobId id = submit(spec);
  EXPECT_EQ(core_.ledger().rate(), Money{8'000'000});
  start(id);
  now_ = now_ + kHour;
  JobSpec urgent = on("H100", 4);
  urgent.priority = 9;
  const JobId winner = submit(urgent);
  ASSERT_EQ(job(id).state, JobState::Preempting);
  now_ = now_ + kHour;  // it takes its time to save
  end(id, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(cost(id), Money{16'000'000});
  ASSERT_EQ(job(winner).state, JobState::Starting);
  start(winner);
  now_ = now_ + kHour;
  EXPECT_EQ(cost(id), Money{16'000'000});
  end(winner);
  ASSERT_EQ(job(id).attempt, 2);
  now_ = now_ + kHour;
  EXPECT_EQ(cost(id), Money{24'000'000});
  EXPECT_EQ(cost(winner), Money{8'000'000});
  end(id);
  now_ = now_ + kHour * 100;
  EXPECT_EQ(cost(id), Money{24'000'000});
  EXPECT_EQ(core_.ledger().rate(), Money{0});
}

TEST_F(UseTest, ALostNodeEndsWhatItsJobsAreCharged) {
  set_prices(1'000'000, 1'000'000);
  const JobId id = submit(on("A100", 4));
  start(id);
  now_ = now_ + kHour;
  tell(NodeLost{{0}, "gone"});
  now_ = now_ + kHour * 5;
  EXPECT_EQ(cost(id), Money{4'000'000});
}

TEST_F(UseTest, ARestoredCoreChargesTheSame) {
  set_prices(1'000'000, 2'000'000);
  const JobId id = submit(on("A100", 3));
  start(id);
  now_ = now_ + kHour;
  set_prices(5'000'000, 2'000'000);
  const auto restored = Controller::restore(Config{}, core_.state());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->state(), core_.state());
  now_ = now_ + kHour;
  EXPECT_EQ(cost(id), Money{18'000'000});
  EXPECT_EQ(restored->charge_of(job(id), now_).amount, Money{18'000'000});
  EXPECT_EQ(restored->ledger().rate(), Money{15'000'000});
}

TEST_F(UseTest, AQuoteIsWhatItWillCost) {
  EXPECT_FALSE(quote(core_, on("", 1), {}, now_).has_value());
  set_prices(1'000'000, 2'500'000);
  JobSpec spec = on("", 4);
  spec.expected_duration = seconds(1800);
  Plan plan = *core_.plan(spec);
  ASSERT_TRUE(plan.starts_now);
  const auto now = quote(core_, spec, plan, now_);
  ASSERT_TRUE(now && now->total);
  const Money hour{plan.placement[0].node == NodeId{0} ? 4'000'000 : 10'000'000};
  EXPECT_EQ(now->hour.low, hour);
  EXPECT_EQ(now->hour.high, hour);
  EXPECT_TRUE(now->declared);
  EXPECT_EQ(now->total->low, Money{hour.value / 2});
  tell(NodeJoined{{2}, {"west", "west", "V100", 4, {81'920}, {64'000}, {524'288}, true}});
  PriceList dear = *core_.ledger().prices();
  dear.models.push_back({"V100", Money{100'000'000}});  // of nodes that its queue may not use
  tell(PriceSet{dear});
  submit(on("A100", 4));
  submit(on("H100", 4));
  spec.expected_duration.reset();
  plan = *core_.plan(spec);
  ASSERT_FALSE(plan.starts_now);
  const auto later = quote(core_, spec, plan, now_);
  ASSERT_TRUE(later);
  EXPECT_EQ(later->hour.low, Money{4'000'000});
  EXPECT_EQ(later->hour.high, Money{10'000'000});
  EXPECT_FALSE(later->total.has_value());
}

TEST_F(UseTest, WhoDoesNotUseItsGpusIsWarnedAndStopped) {
  tell(IdleSet{{5, kHour, seconds(600), {}}});
  const JobId id = submit(on("", 2));
  start(id);
  see(id, 1'000, kHour);
  ASSERT_NE(core_.idle().warning(id), nullptr);
  EXPECT_EQ(job(id).state, JobState::Running);
  now_ = now_ + seconds(600);
  const Decisions& decisions =
      tell(GpuUseSeen{{id, job(id).attempt, true, 1'000, true, seconds(600)}});
  ASSERT_EQ(decisions.commands.size(), 1U);
  EXPECT_EQ(std::get<StopGang>(decisions.commands[0].body).cause, Termination::Idle);
  EXPECT_EQ(core_.idle().warning(id), nullptr);
  end(id, {TaskExit::Kind::Signaled, 15, true, ""});
  EXPECT_EQ(job(id).state, JobState::Failed);
  EXPECT_EQ(job(id).ending, Termination::Idle);
}

TEST_F(UseTest, TimeAloneAndMissingDataStopNobody) {
  tell(IdleSet{{5, kHour, seconds(600), {}}});
  const JobId id = submit(on("", 2));
  start(id);
  see(id, 0, kHour, false);
  EXPECT_EQ(core_.idle().warning(id), nullptr);
  see(id, 0, kHour);
  now_ = now_ + kHour * 50;
  tell(Tick{});
  EXPECT_EQ(job(id).state, JobState::Running);
  EXPECT_FALSE(core_.next_wakeup().has_value());
  see(id, 0, kHour, false);
  EXPECT_EQ(core_.idle().warning(id), nullptr);
  EXPECT_EQ(job(id).state, JobState::Running);
}

TEST_F(UseTest, WhoIsExemptIsLeftAlone) {
  tell(IdleSet{{5, kHour, seconds(600), {"lab"}}});
  JobSpec spec = on("", 1);
  spec.queue = "notebooks";
  const JobId spared = submit(spec);
  start(spared);
  see(spared, 0, kHour);
  EXPECT_EQ(core_.idle().warning(spared), nullptr);
  JobSpec no_gpu = on("", 0);
  const JobId cpu_only = submit(no_gpu);
  start(cpu_only);
  see(cpu_only, 0, kHour);
  EXPECT_EQ(core_.idle().warning(cpu_only), nullptr);
}

TEST_F(UseTest, AWarningEndsWithTheAttempt) {
  tell(IdleSet{{5, kHour, seconds(600), {}}});
  const JobId id = submit(on("", 1));
  start(id);
  see(id, 0, kHour);
  ASSERT_NE(core_.idle().warning(id), nullptr);
  end(id);
  EXPECT_EQ(core_.idle().warning(id), nullptr);
  EXPECT_EQ(job(id).state, JobState::Succeeded);
}

}  // namespace
}  // namespace gyre::control
