#include "sim/history/what_if.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/rng.h"
#include "base/units.h"
#include "control/controller.h"
#include "control/forecast/run_time_lessons.h"
#include "sim/history/history.h"

namespace gyre::sim {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

using Records = std::vector<control::Record>;

class Writer final : public control::Journal {
 public:
  explicit Writer(Records& records) : records_(records) {}
  void append(const Event& event) override { records_.emplace_back(event); }
  void append(const Command& command) override { records_.emplace_back(command); }
  Result<void> commit() override { return {}; }
  Result<void> save(const ControllerState&) override { return {}; }

 private:
  Records& records_;
};

class Reader final : public control::JournalReader {
 public:
  explicit Reader(const Records& records) : records_(records) {}
  Result<std::optional<control::Record>> next() override {
    if (at_ == records_.size()) return std::optional<control::Record>();
    return records_[at_++];
  }

 private:
  const Records& records_;
  std::size_t at_ = 0;
};

std::string random_trace(std::uint64_t seed, int jobs) {
  Rng rng(seed);
  std::string text = "id,submit,duration,gpus,priority,preemptible,checkpoint_interval\n";
  std::uint64_t at = 0;
  for (int i = 0; i < jobs; ++i) {
    at += rng.below(120);
    const std::uint64_t duration = 1 + rng.below(2000);
    const std::uint64_t gpus = 1 + rng.below(12);
    const std::uint64_t priority = rng.below(11);
    const bool preemptible = rng.below(2) == 0;
    const bool saves = rng.below(2) == 0;
    text += fmt::format("{},{},{},{},{},{},{}\n", i, at, duration, gpus, priority,
                        preemptible ? "true" : "false", saves ? "60" : "");
  }
  return text;
}

/// The journal of a simulated run.
class WhatIfTest : public ::testing::Test {
 protected:
  SimulationReport live(const std::string& trace, const std::string& policy,
                        ExecutionOptions execution = {}, FaultOptions faults = {}) {
    const auto path = std::filesystem::path(::testing::TempDir()) /
                      ("gyre-what-if-" + std::to_string(getpid()) + ".csv");
    std::ofstream(path, std::ios::binary) << trace;
    SimulateOptions options;
    options.trace_path = path.string();
    options.nodes = "4x8";
    options.policies = {*policy_by_name(policy)};
    options.execution = execution;
    options.faults = std::move(faults);
    options.surroundings.open_journal = [this](const PolicySpec&) {
      return Result<std::unique_ptr<control::Journal>>(std::make_unique<Writer>(records_));
    };
    auto report = simulate(options);
    std::filesystem::remove(path);
    EXPECT_TRUE(report.has_value()) << report.error().message;
    return std::move(*report);
  }

  Result<SimulationReport> try_out(const std::vector<std::string>& policies,
                                   std::optional<Time> since = std::nullopt,
                                   bool keep_jobs = false) {
    WhatIfOptions options;
    options.name = "journal";
    options.since = since;
    options.keep_jobs = keep_jobs;
    options.open = [this] {
      return Result<std::unique_ptr<control::JournalReader>>(std::make_unique<Reader>(records_));
    };
    for (const std::string& name : policies) options.policies.push_back(*policy_by_name(name));
    options.check = true;
    return what_if(options);
  }

  /// A record of its own, at so many seconds after 2026 began.
  void tell(std::int64_t second, Event::Body body) {
    const Time at{(1'767'225'600 + second) * seconds(1).ns};
    records_.emplace_back(Event{at, EventSeq{records_.size() + 1}, std::move(body)});
  }

  Records records_;
};

void expect_same(const PolicyResult& one, const PolicyResult& other) {
  EXPECT_EQ(one.jobs, other.jobs);
  EXPECT_EQ(one.finished, other.finished);
  EXPECT_EQ(one.rejected, other.rejected);
  EXPECT_EQ(one.makespan_s, other.makespan_s);
  EXPECT_EQ(one.wait.mean_s, other.wait.mean_s);
  EXPECT_EQ(one.wait.p99_s, other.wait.p99_s);
  EXPECT_EQ(one.jct.mean_s, other.jct.mean_s);
  EXPECT_EQ(one.preemptions, other.preemptions);
  EXPECT_EQ(one.node_failures, other.node_failures);
  EXPECT_EQ(one.gpu_allocation_mean, other.gpu_allocation_mean);
  EXPECT_DOUBLE_EQ(one.lost_gpu_hours, other.lost_gpu_hours);
}

TEST_F(WhatIfTest, UnderItsOwnPolicyARecordRepeatsItself) {
  for (const std::string policy : {"fifo", "easy", "preemptive", "tiresias"}) {
    records_.clear();
    const auto life = live(random_trace(7, 300), policy);
    const auto report = try_out({"fifo"});
    ASSERT_TRUE(report.has_value()) << report.error().message;
    ASSERT_GE(report->results.size(), 2U) << policy;
    EXPECT_EQ(report->results[0].policy, "recorded");
    EXPECT_EQ(report->results[1].policy, policy);
    expect_same(report->results[0], life.results[0]);
    expect_same(report->results[1], life.results[0]);
    ASSERT_TRUE(report->calibration.has_value());
    EXPECT_EQ(report->calibration->jobs, 300U);
    EXPECT_EQ(report->calibration->on_time, 300U);
    EXPECT_EQ(report->calibration->difference_mean_s, 0);
  }
}

TEST_F(WhatIfTest, SoItDoesWithLatenciesAndFailingNodes) {
  ExecutionOptions execution;
  execution.start_latency = seconds(7);
  execution.stop_latency = seconds(3);
  FaultOptions faults;
  faults.mtbf = seconds(20'000);
  const auto life = live(random_trace(3, 300), "preemptive", execution, faults);
  EXPECT_GT(life.results[0].node_failures, 0U);
  EXPECT_GT(life.results[0].preemptions, 0U);
  const auto report = try_out({"fifo"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  expect_same(report->results[0], life.results[0]);
  expect_same(report->results[1], life.results[0]);
}

TEST_F(WhatIfTest, AnotherPolicyGivesWhatItsOwnRunWouldHaveGiven) {
  live(random_trace(11, 300), "fifo");
  const auto report = try_out({"preemptive"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  records_.clear();
  const auto other = live(random_trace(11, 300), "preemptive");
  ASSERT_EQ(report->results.size(), 3U);
  expect_same(report->results[2], other.results[0]);
  EXPECT_NE(report->results[2].wait.mean_s, report->results[0].wait.mean_s);
}

/// When the first job came, and so many seconds.
Time after_first(const Records& records, std::uint64_t second) {
  for (const control::Record& record : records) {
    const auto* event = std::get_if<Event>(&record);
    if (event != nullptr && std::holds_alternative<JobSubmitted>(event->body)) {
      return event->at + seconds(static_cast<std::int64_t>(second));
    }
  }
  return {};
}

TEST_F(WhatIfTest, AWindowOfARecordRepeatsItself) {
  FaultOptions faults;
  faults.mtbf = seconds(50'000);
  Rng rng(5);
  for (const std::string policy : {"fifo", "easy", "preemptive", "tiresias", "gyre"}) {
    records_.clear();
    const auto life = live(random_trace(7, 300), policy, {}, faults);
    const Time since = after_first(records_, 1000 + rng.below(15'000));
    const auto report = try_out({policy == "easy" ? "fifo" : "easy"}, since);
    ASSERT_TRUE(report.has_value()) << policy << report.error().message;
    expect_same(report->results[1], report->results[0]);
    EXPECT_GT(report->results[0].jobs, 0U) << policy;
    EXPECT_LT(report->results[0].jobs, 300U) << policy;
    EXPECT_LE(report->results[0].preemptions, life.results[0].preemptions);
    EXPECT_LT(report->results[0].makespan_s, life.results[0].makespan_s);
    EXPECT_EQ(report->calibration->on_time, report->calibration->jobs) << policy;
    EXPECT_EQ(report->results[2].jobs, report->results[0].jobs) << policy;
    EXPECT_THAT(report->notes, Contains(HasSubstr("had not ended when it begins"))) << policy;
  }
}

TEST_F(WhatIfTest, UntilTheWindowBeginsEveryPolicyDecidesAsTheLiveOneDid) {
  live(random_trace(11, 300), "fifo");
  const Time since = after_first(records_, 9000);
  const Time from = Time{} + seconds(9000);
  const auto report = try_out({"preemptive", "sjf"}, since, true);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const auto& recorded = report->results[0].outcomes;
  for (std::size_t policy : {2U, 3U}) {
    std::size_t otherwise = 0;
    for (std::size_t job = 0; job < recorded.size(); ++job) {
      const auto& was = recorded[job].started_at;
      const auto& is = report->results[policy].outcomes[job].started_at;
      if (*was < from || *is < from) {
        EXPECT_EQ(*was, *is) << job;
      } else {
        otherwise += *was != *is ? 1 : 0;
      }
    }
    EXPECT_GT(otherwise, 0U);
  }
}

TEST_F(WhatIfTest, AWindowFollowsThePoliciesThatWereLiveBeforeIt) {
  live(random_trace(11, 200), "fifo");
  const auto switch_at = [this](std::uint64_t second, const std::string& policy) {
    const Time at = after_first(records_, second);
    const auto later = std::find_if(records_.begin(), records_.end(), [at](const auto& record) {
      const auto* event = std::get_if<Event>(&record);
      return event != nullptr && event->at > at;
    });
    const Event event{at, EventSeq{}, PolicySet{*policy_by_name(policy)}};
    records_.insert(later, event);
    std::uint64_t seq = 0;
    for (control::Record& record : records_) {
      if (auto* one = std::get_if<Event>(&record)) one->seq = EventSeq{++seq};
    }
  };
  switch_at(3000, "easy");
  auto report = try_out({"sjf"}, after_first(records_, 5000));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->results[0].policy, "easy");  // what was recorded is not what would be decided
  switch_at(7000, "preemptive");
  report = try_out({"sjf", "easy"}, after_first(records_, 5000));
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->results.size(), 3U);
  EXPECT_EQ(report->results[0].policy, "as-it-was");
  EXPECT_EQ(report->results[1].policy, "sjf");
  EXPECT_EQ(report->results[2].policy, "easy");
}

TEST_F(WhatIfTest, AWindowOverEverythingIsNone) {
  live(random_trace(3, 100), "fifo");
  const auto all = try_out({"easy"});
  const auto windowed = try_out({"easy"}, Time{});
  ASSERT_TRUE(all && windowed);
  for (std::size_t i = 0; i < all->results.size(); ++i) {
    expect_same(all->results[i], windowed->results[i]);
  }
  EXPECT_EQ(all->notes, windowed->notes);
}

TEST_F(WhatIfTest, AWindowNeedsAJob) {
  live(random_trace(3, 20), "fifo");
  const Time last = std::get<Event>(*std::find_if(records_.rbegin(), records_.rend(),
                                                  [](const control::Record& record) {
                                                    return std::holds_alternative<Event>(record);
                                                  }))
                        .at;
  records_.emplace_back(Event{last + seconds(10), EventSeq{records_.size() + 1}, Tick{}});
  const auto report = try_out({"easy"}, last + seconds(5));
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::NotFound);
  EXPECT_THAT(report.error().message, HasSubstr("no job waited, ran or came since"));
}

TEST_F(WhatIfTest, AWindowIsOfWhatIsRecorded) {
  JobSpec waits;
  waits.tasks = {{1, {}}};
  waits.expected_duration = seconds(60);
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(0, QueueSet{{"default", {}}});
  tell(0, NodeJoined{NodeId{0}, {"a", "", "H100", 1, {}, CpuMilli{1000}, MemoryMib{1}}});
  tell(20, JobSubmitted{JobId{1}, waits, {}});
  const Time last = std::get<Event>(records_.back()).at;
  EXPECT_TRUE(try_out({"easy"}, last).has_value());
  const auto late = try_out({"easy"}, last + seconds(1));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().kind, ErrorKind::NotFound);
  EXPECT_THAT(late.error().message, HasSubstr("nothing is recorded from"));
  EXPECT_THAT(late.error().message, HasSubstr("to " + format_utc(last)));
}

TEST_F(WhatIfTest, WithoutAnyRunTimeNothingIsPlayed) {
  JobSpec spec;
  spec.tasks = {{1, {}}};
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(0, QueueSet{{"default", {}}});
  tell(10, JobSubmitted{JobId{1}, spec, {}});
  EXPECT_THAT(try_out({"easy"}).error().message, HasSubstr("no job has ended"));
}

TEST_F(WhatIfTest, WhatHadNotEndedRunsForItsEstimateAndNoShorterThanItHad) {
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(0, QueueSet{{"default", {}}});
  tell(0, NodeJoined{NodeId{0}, {"a", "", "H100", 1, {}, CpuMilli{1000}, MemoryMib{1}}});
  spec.expected_duration = seconds(500);
  tell(10, JobSubmitted{JobId{1}, spec, {}});
  records_.emplace_back(Command{
      CommandId{1},
      StartGang{JobId{1}, 1, {{0, NodeId{0}, {1, kWholeGpu, {}, {}}}}, StartRule::HeadOfLine}});
  tell(12, TaskStarted{JobId{1}, 1, 0});
  spec.expected_duration.reset();
  tell(20, JobSubmitted{JobId{2}, spec, {}});
  tell(40, JobStopRequested{JobId{2}});
  tell(100, Tick{});
  Reader reader(records_);
  const auto history = read_history(reader, "journal");
  ASSERT_TRUE(history.has_value()) << history.error().message;
  const auto& jobs = history->setting.script->jobs;
  EXPECT_EQ(jobs[0].runs.back().work, seconds(500));
  EXPECT_EQ(jobs[0].start_latencies, std::vector<Duration>{seconds(2)});
  EXPECT_EQ(history->guesses[0], History::Guess::Declared);
  EXPECT_EQ(history->guesses[1], History::Guess::Learned);
  const auto report = try_out({"easy"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->results[0].placed_at_end, 1U);
  EXPECT_EQ(report->results[1].finished, 1U);
  EXPECT_EQ(report->results[1].makespan_s, 502);
  EXPECT_EQ(report->results[1].failed, 1U);  // its owner stops it again
  EXPECT_THAT(report->notes, Contains(HasSubstr("2 jobs were stopped, or had not ended")));
}

TEST_F(WhatIfTest, WhatEndedLastTeachesMost) {
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(0, QueueSet{{"default", {}}});
  tell(0, NodeJoined{NodeId{0}, {"a", "", "H100", 8, {}, CpuMilli{64'000}, MemoryMib{1 << 20}}});
  constexpr std::uint64_t kRuns = 20;  // the first submitted half is slow, and ends last
  for (std::uint64_t id = 1; id <= kRuns; ++id) {
    tell(10, JobSubmitted{JobId{id}, spec, {}});
    records_.emplace_back(Command{
        CommandId{id},
        StartGang{JobId{id}, 1, {{0, NodeId{0}, {1, kWholeGpu, {}, {}}}}, StartRule::HeadOfLine}});
    tell(10, TaskStarted{JobId{id}, 1, 0});
  }
  for (std::uint64_t id = kRuns / 2 + 1; id <= kRuns; ++id)
    tell(110, TaskEnded{JobId{id}, 1, 0, {}});
  for (std::uint64_t id = 1; id <= kRuns / 2; ++id) tell(5010, TaskEnded{JobId{id}, 1, 0, {}});
  tell(9000, JobSubmitted{JobId{kRuns + 1}, spec, {}});
  tell(9010, JobStopRequested{JobId{kRuns + 1}});
  Reader reader(records_);
  const auto history = read_history(reader, "journal");
  ASSERT_TRUE(history.has_value()) << history.error().message;
  const auto guess_after = [&](Duration first, Duration then) {
    control::RunTimeLessons lessons;
    Job job;
    job.spec = spec;
    for (std::uint64_t i = 0; i < kRuns; ++i) {
      job.id = JobId{i + 1};
      lessons.learn(job, i < kRuns / 2 ? first : then);
    }
    job.id = JobId{kRuns + 1};
    lessons.expect(job, Time{} + seconds(9000));
    return lessons.quantile(job, Duration{0}, 0.5);
  };
  const Duration slow_last = guess_after(seconds(100), seconds(5000));
  EXPECT_GT(slow_last, guess_after(seconds(5000), seconds(100)));
  EXPECT_EQ(history->setting.script->jobs.back().runs.back().work, slow_last);
}

TEST_F(WhatIfTest, AJobThatFailsFailsAgain) {
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(0, QueueSet{{"default", {}}});
  tell(0, NodeJoined{NodeId{0}, {"a", "", "H100", 1, {}, CpuMilli{1000}, MemoryMib{1}}});
  tell(10, JobSubmitted{JobId{1}, spec, {}});
  records_.emplace_back(Command{
      CommandId{1},
      StartGang{JobId{1}, 1, {{0, NodeId{0}, {1, kWholeGpu, {}, {}}}}, StartRule::HeadOfLine}});
  tell(10, TaskStarted{JobId{1}, 1, 0});
  tell(70, TaskEnded{JobId{1}, 1, 0, {TaskExit::Kind::Exited, 3, false, {}}});
  const auto report = try_out({"easy"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  for (const PolicyResult& result : report->results) {
    EXPECT_EQ(result.failed, 1U) << result.policy;
    EXPECT_EQ(result.makespan_s, 60) << result.policy;
  }
}

TEST_F(WhatIfTest, AGangThatWasRepairedIsRepairedAgain) {
  control::Controller core{control::Config{}};
  const auto play = [&](std::int64_t second, Event::Body body) {
    tell(second, std::move(body));
    const Event event = std::get<Event>(records_.back());
    const Time at{event.at};
    const std::uint64_t seq = core.last_event().value + 1;
    records_.back() = Event{at, EventSeq{seq}, event.body};
    for (const Command& command : core.step({at, EventSeq{seq}, event.body}).commands) {
      records_.emplace_back(command);
    }
  };
  JobSpec spec;
  spec.tasks = {{2, {}}};
  spec.tasks[0].request.gpus = 1;
  spec.checkpoint.interval = seconds(60);
  spec.retry.on_node_loss = NodeLossAnswer::Task;
  play(0, PolicySet{*policy_by_name("fifo")});
  play(0, QueueSet{{"default", {}}});
  for (std::uint32_t i = 0; i < 3; ++i) {
    play(0, NodeJoined{NodeId{i},
                       {fmt::format("n{}", i), "", "H100", 1, {}, CpuMilli{1000}, MemoryMib{1}}});
  }
  play(10, JobSubmitted{JobId{1}, spec, {}});
  play(10, TaskStarted{JobId{1}, 1, 0});
  play(10, TaskStarted{JobId{1}, 1, 1});
  play(110, NodeLost{NodeId{1}, "away"});
  play(110, TaskStarted{JobId{1}, 2, 1});
  play(260, TaskEnded{JobId{1}, 1, 0, {}});
  play(260, TaskEnded{JobId{1}, 2, 1, {}});
  ASSERT_EQ(core.jobs().find(JobId{1})->state, JobState::Succeeded);
  const auto report = try_out({"easy"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  for (const PolicyResult& result : report->results) {
    EXPECT_EQ(result.finished, 1U) << result.policy;
    EXPECT_EQ(result.makespan_s, 250) << result.policy;
    EXPECT_DOUBLE_EQ(result.lost_gpu_hours, 40.0 * 2 / 3600) << result.policy;
  }
}

/// A life with a service: whoever plays it tells what happens, a core decides.
class ServiceWhatIfTest : public WhatIfTest {
 protected:
  void happens(std::int64_t second, Event::Body body) {
    tell(second, std::move(body));
    const Event event = std::get<Event>(records_.back());
    for (const Command& command : core_.step(event).commands) records_.emplace_back(command);
  }

  /// One replica holds the only GPU for 100 seconds; a job waits for it, another comes later.
  void live_with_a_service() {
    ServiceSpec chat;
    chat.replica.name = "chat";
    chat.replica.launch.command = {"x"};
    chat.replica.tasks.resize(1);
    chat.replica.tasks[0].request.gpus = 1;
    JobSpec batch;
    batch.tasks.resize(1);
    batch.tasks[0].request.gpus = 1;
    batch.launch.command = {"x"};
    happens(0, PolicySet{*policy_by_name("fifo")});
    happens(0, QueueSet{{"default", {}}});
    happens(0, NodeJoined{NodeId{0}, {"a", "", "H100", 1, {}, CpuMilli{8000}, MemoryMib{1024}}});
    happens(10, ServiceApplied{chat});
    happens(11, TaskStarted{JobId{1}, 1, 0});
    happens(12, ReplicaProbed{JobId{1}, 1, ReplicaHealth::Ready, ""});
    happens(20, JobSubmitted{JobId{2}, batch, ""});
    happens(30, ServiceLoadSeen{"chat", 1000, 0, {}, -1});
    happens(110, ServiceDeleted{"chat"});
    happens(110, ReplicaProbed{JobId{1}, 1, ReplicaHealth::Drained, ""});
    happens(111, TaskEnded{JobId{1}, 1, 0, {TaskExit::Kind::Signaled, 15, true, {}}});
    happens(111, TaskStarted{JobId{2}, 1, 0});
    happens(161, TaskEnded{JobId{2}, 1, 0, {TaskExit::Kind::Exited, 0, false, {}}});
    happens(500, JobSubmitted{JobId{3}, batch, ""});
    happens(500, TaskStarted{JobId{3}, 1, 0});
    happens(510, TaskEnded{JobId{3}, 1, 0, {TaskExit::Kind::Exited, 0, false, {}}});
  }

  control::Controller core_{control::Config{}};
};

TEST_F(ServiceWhatIfTest, ReplicasHoldWhatTheyHeldUnderEveryPolicy) {
  live_with_a_service();
  const auto report = try_out({"easy", "sjf"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  ASSERT_EQ(report->results.size(), 4U);
  for (const PolicyResult& result : report->results) {
    EXPECT_EQ(result.jobs, 2U) << result.policy << ": replicas are none";
    EXPECT_EQ(result.finished, 2U) << result.policy;
    // One waits until the replica has gone, the other not at all.
    EXPECT_GE(result.wait.mean_s, 45) << result.policy;
    EXPECT_LE(result.wait.mean_s, 47) << result.policy;
  }
  EXPECT_THAT(report->notes, Contains(HasSubstr("1 replicas of services are held")));
}

TEST_F(ServiceWhatIfTest, WhoeverDecidedOtherwiseCannotSayWhichReplicasThereWere) {
  live_with_a_service();
  for (control::Record& record : records_) {
    auto* command = std::get_if<Command>(&record);
    auto* start = command == nullptr ? nullptr : std::get_if<StartGang>(&command->body);
    if (start != nullptr && start->job == JobId{1}) start->job = JobId{9};
  }
  const auto report = try_out({"easy"});
  ASSERT_FALSE(report.has_value());
  EXPECT_THAT(report.error().message, HasSubstr("job 9, which was not submitted"));
}

TEST_F(ServiceWhatIfTest, AWindowEndsWhereItIsTold) {
  live_with_a_service();
  WhatIfOptions options;
  options.name = "journal";
  options.open = [this] {
    return Result<std::unique_ptr<control::JournalReader>>(std::make_unique<Reader>(records_));
  };
  options.policies = {*policy_by_name("easy")};
  options.until = Time{(1'767'225'600 + 200) * seconds(1).ns};
  const auto report = what_if(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  for (const PolicyResult& result : report->results) EXPECT_EQ(result.jobs, 1U) << result.policy;
  options.until = Time{(1'767'225'600 + 5) * seconds(1).ns};
  const auto before = what_if(options);
  EXPECT_EQ(before.error().kind, ErrorKind::NotFound);
  EXPECT_THAT(before.error().message,
              HasSubstr("no job had been submitted by 2026-01-01T00:00:05"));
}

TEST_F(WhatIfTest, ServicesAreRefusedByName) {
  ServiceSpec spec;
  spec.replica.name = "chat";
  tell(0, PolicySet{*policy_by_name("fifo")});
  tell(5, ServiceApplied{spec});
  Reader reader(records_);
  const auto history = read_history(reader, "journal");
  ASSERT_FALSE(history.has_value());
  EXPECT_THAT(history.error().message, HasSubstr("service 'chat'"));
}

TEST_F(WhatIfTest, IdsThatJumpAreRefused) {
  live(random_trace(5, 20), "fifo");
  auto late = std::get<Event>(records_.back());
  late.seq = EventSeq{late.seq.value + 1};
  late.body = JobSubmitted{JobId{10'021}, {}, {}};
  records_.emplace_back(late);
  const auto report = try_out({"easy"});
  ASSERT_FALSE(report.has_value());
  EXPECT_EQ(report.error().kind, ErrorKind::Unsupported);
  EXPECT_THAT(report.error().message, HasSubstr("ids jump from 20 to 10021"));
}

TEST_F(WhatIfTest, AnotherVersionsDecisionsAreNoObstacle) {
  live(random_trace(5, 50), "fifo");
  for (control::Record& record : records_) {
    if (auto* command = std::get_if<Command>(&record)) command->id.value += 1;
  }
  const auto report = try_out({"easy"});
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_EQ(report->results[0].policy, "fifo");
  EXPECT_THAT(report->notes, Contains(HasSubstr("decides otherwise")));
}

TEST_F(WhatIfTest, RefusesWhatCannotBePlayed) {
  EXPECT_THAT(try_out({"easy"}).error().message, HasSubstr("no job was ever submitted"));
  live(random_trace(5, 20), "fifo");
  auto event = std::get<Event>(records_.back());
  event.at = Time{};
  event.seq = EventSeq{event.seq.value + 1};
  records_.emplace_back(event);
  EXPECT_THAT(try_out({"easy"}).error().message, HasSubstr("out of order"));
  std::get<Event>(records_.back()).at = Time::max();
  EXPECT_THAT(try_out({"easy"}).error().message, HasSubstr("100 years"));
  records_.pop_back();
  records_.emplace_back(Command{CommandId{999}, StartGang{JobId{77}, 1, {}, {}}});
  EXPECT_THAT(try_out({"easy"}).error().message, HasSubstr("not submitted"));
}

TEST_F(WhatIfTest, APolicyNeedsANameOfItsOwn) {
  live(random_trace(5, 20), "fifo");
  WhatIfOptions options;
  options.name = "journal";
  options.open = [this] {
    return Result<std::unique_ptr<control::JournalReader>>(std::make_unique<Reader>(records_));
  };
  options.policies = {*policy_by_name("easy")};
  options.policies[0].name = "fifo";
  EXPECT_THAT(what_if(options).error().message, HasSubstr("a name of its own"));
  options.policies[0].name = "recorded";
  EXPECT_THAT(what_if(options).error().message, HasSubstr("that is what happened"));
}

}  // namespace
}  // namespace gyre::sim
