#include "sim/tune/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Looks at the corners and the middle of each axis, from the start.
Result<void> scan(const std::vector<double>& start, std::uint64_t evaluations,
                  const std::function<Result<double>(const std::vector<double>&)>& value) {
  std::vector<double> best = start;
  auto least = value(start);
  if (!least) return tl::unexpected(least.error());
  for (std::uint64_t i = 1; i < evaluations; ++i) {
    std::vector<double> point = best;
    point[i % point.size()] = static_cast<double>(i / point.size() % 5) / 4;
    const auto found = value(point);
    if (!found) return tl::unexpected(found.error());
    if (*found < *least) {
      least = found;
      best = point;
    }
  }
  return {};
}

class TuneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("gyre-tune-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    // Long jobs hold a small fleet while short ones wait; it pays to stop them soon.
    std::ofstream trace(folder_ / "jobs.csv");
    trace << "id,submit,duration,gpus,preemptible,checkpoint_interval\n";
    for (int i = 0; i < 400; ++i) {
      trace << i << ',' << i * 60 << ',' << (i % 5 == 0 ? 20'000 : 60 + 13 * (i % 7))
            << ",4,true,60\n";
    }
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TuneOptions options(std::string_view policy = "tiresias") {
    TuneOptions options;
    options.simulation.policies = {*policy_by_name(policy)};
    options.simulation.nodes = "4x8";
    options.traces = {(folder_ / "jobs.csv").string()};
    options.evaluations = 30;
    options.minimise = scan;
    options.for_each = [](std::size_t count, const auto& body) {
      for (std::size_t i = count; i > 0; --i) body(i - 1);
    };
    return options;
  }

  std::filesystem::path folder_;
};

TEST_F(TuneTest, FindsSettingsThatHold) {
  TuneOptions tuning = options();
  // A first queue so long that nothing is ever in the second one.
  tuning.simulation.policies.front().level_gpu_seconds = 8'640'000;
  const auto report = tune(tuning);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_LT(report->searched.mean, -5);
  EXPECT_TRUE(report->holds()) << report->held.mean << " to " << report->held.high;
  EXPECT_LT(report->found.level_gpu_seconds, 8'640'000);
  PolicySpec chosen = report->found;
  chosen.name = "tiresias-tuned";
  EXPECT_EQ(report->chosen(), chosen);
  EXPECT_TRUE(validate(report->chosen()));
  EXPECT_THAT(to_table(*report), HasSubstr("use tiresias-tuned"));
}

TEST_F(TuneTest, WhatIsKeptApartIsNeverSearched) {
  // The kept windows alone decide whether it holds: with other jobs there, the search is the same.
  std::vector<Trial> first, second;
  TuneOptions tuning = options();
  tuning.tried = [&](const Trial& trial) -> Result<void> {
    first.push_back(trial);
    return {};
  };
  const auto before = tune(tuning);
  ASSERT_TRUE(before);
  std::ifstream old(folder_ / "jobs.csv");
  std::ofstream other(folder_ / "other.csv");
  std::string line;
  for (int i = -1; std::getline(old, line); ++i) {
    // 400 jobs in 8 windows: the last 150 are kept.
    if (i >= 250) line = std::to_string(i) + "," + std::to_string(i * 60) + ",5,4,true,60";
    other << line << '\n';
  }
  other.close();
  tuning.traces = {(folder_ / "other.csv").string()};
  tuning.tried = [&](const Trial& trial) -> Result<void> {
    second.push_back(trial);
    return {};
  };
  const auto after = tune(tuning);
  ASSERT_TRUE(after);
  ASSERT_EQ(first.size(), second.size());
  for (std::size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].settings, second[i].settings);
    EXPECT_EQ(first[i].ratio, second[i].ratio);
  }
  EXPECT_EQ(before->searched.mean, after->searched.mean);
  EXPECT_NE(before->held.mean, after->held.mean);
}

TEST_F(TuneTest, WhatDoesNotHoldLeavesThePolicyAsItIs) {
  TuneOptions tuning = options("priority");  // the trace has no priorities: nothing to gain
  const auto report = tune(tuning);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_FALSE(report->holds());
  PolicySpec base = *policy_by_name("priority");
  base.name = "priority-tuned";
  EXPECT_EQ(report->chosen(), base);
  EXPECT_THAT(to_table(*report), HasSubstr("priority stays as it is"));
}

TEST(TuneReport, ABestThatIsItsBaseIsNothingBetter) {
  TuneReport report;
  report.base = report.found = *policy_by_name("tiresias");
  report.settings = tunables(report.base);
  EXPECT_THAT(to_table(report), HasSubstr("nothing better was found: tiresias stays as it is"));
  report.found.run_min = seconds(7);
  EXPECT_THAT(to_table(report), Not(HasSubstr("nothing better was found")));
}

TEST_F(TuneTest, AnInterruptedSearchEndsAsIfItHadNotBeen) {
  TuneOptions tuning = options();
  std::vector<Trial> trials;
  tuning.tried = [&](const Trial& trial) -> Result<void> {
    trials.push_back(trial);
    return {};
  };
  const auto whole = tune(tuning);
  ASSERT_TRUE(whole);
  ASSERT_GT(trials.size(), 9U);
  const std::size_t all = trials.size();
  tuning.resume = [known = std::vector(trials.begin(), trials.begin() + 7)](const std::string&) {
    return Result<std::vector<Trial>>(known);
  };
  trials.clear();
  const auto resumed = tune(tuning);
  ASSERT_TRUE(resumed);
  EXPECT_EQ(trials.size(), all - 7);
  EXPECT_EQ(to_json(*resumed), to_json(*whole));
}

TEST_F(TuneTest, ErrorsOfWhoKeepsTheTrialsEndIt) {
  TuneOptions tuning = options();
  tuning.tried = [](const Trial&) -> Result<void> {
    return fail(ErrorKind::NoRoom, "the disk is full");
  };
  const auto report = tune(tuning);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().message, "the disk is full");
}

TEST_F(TuneTest, RefusesWhatCannotBeSearched) {
  const auto refusal = [](const TuneOptions& tuning) {
    const auto report = tune(tuning);
    return report ? std::string("nothing was refused") : report.error().message;
  };
  EXPECT_THAT(refusal(options("easy")), HasSubstr("nothing of 'easy' can be tuned"));
  TuneOptions tuning = options();
  tuning.windows = 3;
  EXPECT_THAT(refusal(tuning), HasSubstr("3 windows: 4 to 64"));
  tuning = options();
  tuning.kept = 7;
  EXPECT_THAT(refusal(tuning), HasSubstr("2 to 6 are possible"));
  tuning = options();
  tuning.windows = 40;
  EXPECT_THAT(refusal(tuning), HasSubstr("400 jobs are too few for 40 windows of 20"));
  tuning = options();
  tuning.traces = {"-"};
  EXPECT_THAT(refusal(tuning), HasSubstr("not '-'"));
  tuning = options();
  tuning.evaluations = 1;
  EXPECT_THAT(refusal(tuning), HasSubstr("1 evaluations"));
  tuning = options();
  tuning.traces = {(folder_ / "none.csv").string()};
  EXPECT_THAT(refusal(tuning), HasSubstr("none.csv"));
}

TEST_F(TuneTest, OtherInputsAreTold) {
  const auto inputs_of = [](TuneOptions tuning) {
    std::string told;
    tuning.resume = [&](const std::string& inputs) -> Result<std::vector<Trial>> {
      told = inputs;
      return fail(ErrorKind::Conflict, "other inputs");
    };
    const auto report = tune(tuning);
    EXPECT_EQ(report ? "" : report.error().message, "other inputs");
    return told;
  };
  const TuneOptions tuning = options();
  const std::string inputs = inputs_of(tuning);
  EXPECT_EQ(inputs_of(tuning), inputs);
  TuneOptions other = tuning;
  other.simulation.policies.front().run_min = seconds(5);
  EXPECT_NE(inputs_of(other), inputs);
  other = tuning;
  other.objective = objectives().back();
  EXPECT_NE(inputs_of(other), inputs);
  other = tuning;
  other.simulation.nodes = "5x8";
  EXPECT_NE(inputs_of(other), inputs);
  other = tuning;
  other.simulation.queues = {QueueSpec{}};
  other.simulation.queues.front().name = "default";
  other.simulation.queues.front().jobs_max = 2;
  EXPECT_NE(inputs_of(other), inputs);
}

RC_GTEST_PROP(TuneSpace, EveryPointIsAPolicyThatStandsThere, ()) {
  const auto& policies = named_policies();
  const PolicySpec base = policies[*rc::gen::inRange<std::size_t>(0, policies.size())];
  const auto settings = tunables(base);
  std::vector<double> point;
  for (std::size_t i = 0; i < settings.size(); ++i) {
    point.push_back(*rc::gen::inRange(-10, 1011) / 1000.0);
  }
  const PolicySpec policy = policy_at(base, settings, point);
  RC_ASSERT(validate(policy).has_value());
  for (const Tunable& setting : settings) {
    RC_ASSERT(setting.get(policy) >= setting.least && setting.get(policy) <= setting.most);
  }
  RC_ASSERT(policy_at(base, settings, point_of(policy, settings)) == policy);
}

}  // namespace
}  // namespace gyre::sim
