#include "sim/report/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "sim/report/comparison_text.h"
#include "sim/traces/resample.h"

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Estimate, IsTheMeanWithStudentsInterval) {
  // Of 1..5: standard deviation 1.5811, t(4) = 2.776.
  const Estimate five = estimate_of({1, 2, 3, 4, 5});
  EXPECT_DOUBLE_EQ(five.mean, 3);
  EXPECT_NEAR(five.half_width, 2.776 * 1.5811388 / std::sqrt(5.0), 1e-6);
  EXPECT_EQ(estimate_of({7, 7, 7}).half_width, 0);
  EXPECT_TRUE(std::isinf(estimate_of({7}).half_width));
}

TEST(Estimate, OfManyValuesNearsTheNormalQuantile) {
  std::vector<double> values;
  for (int i = 0; i < 101; ++i) values.push_back(i % 2);
  const Estimate many = estimate_of(values);
  const double deviation = std::sqrt(101.0 * many.mean * (1 - many.mean) / 100);
  EXPECT_NEAR(many.half_width / (deviation / std::sqrt(101.0)), 1.984, 0.001);  // t(100)
}

Comparison two_policies() {
  Comparison comparison;
  comparison.trace.name = "<trace>";
  comparison.trace.jobs = 10;
  comparison.seeds = {1, 2, 3};
  comparison.policies = {"fifo", "gyre"};
  comparison.figures = {{"wait, mean", "s", true, {{100, 200, 400}, {50, 99, 204}}},
                        {"GPU allocation, mean", "%", false, {{50, 60, 70}, {51, 58, 71}}}};
  return comparison;
}

TEST(Comparison, TakesDifferencesSeedBySeed) {
  const Comparison comparison = two_policies();
  const Difference wait = comparison.difference(comparison.figures[0], 1);
  EXPECT_EQ(wait.unit, "%");
  EXPECT_NEAR(wait.mean, -49.84, 0.01);
  EXPECT_GT(wait.low, -52);  // though the waits themselves differ much
  EXPECT_LT(wait.high, -47);
  EXPECT_EQ(verdict(wait, true), "better");
  EXPECT_EQ(verdict(wait, false), "worse");
  EXPECT_EQ(verdict(comparison.difference(comparison.figures[1], 1), false), "");
}

TEST(Comparison, WhereSomebodyHasNothingInASeedAllSeedsStillCount) {
  Comparison comparison = two_policies();
  comparison.figures[0].values = {{0, 600, 1200}, {60, 0, 600}};
  const Difference wait = comparison.difference(comparison.figures[0], 1);
  // Of +60, -600, -600: mean -380, standard deviation 381.05, t(2) = 4.303.
  EXPECT_EQ(wait.unit, "s");
  EXPECT_NEAR(wait.mean, -380, 1e-9);
  EXPECT_NEAR(wait.high, -380 + 4.303 * 381.0512 / std::sqrt(3.0), 0.01);
  EXPECT_EQ(difference_rows(comparison)[1][1], "-6.3 min (-22.1 min to +9.4 min), open");
  EXPECT_THAT(to_json(comparison),
              HasSubstr(R"("difference_percent":null,"difference":{"mean":-380,)"));
  comparison.figures[1].values[0] = {0, 0, 0};
  EXPECT_EQ(difference_rows(comparison)[2][1],
            "+60.00 points (+34.79 points to +85.21 points), better");
}

TEST(Comparison, ThePageNeedsNothingElseAndTrustsNoName) {
  const auto files = output_files(two_policies());
  ASSERT_EQ(files.size(), 4U);
  EXPECT_EQ(files[0].name, "comparison.html");
  EXPECT_THAT(files[0].content, HasSubstr("&lt;trace&gt;"));
  EXPECT_THAT(files[0].content, Not(HasSubstr("<trace>")));
  EXPECT_THAT(files[0].content, Not(HasSubstr("src=")));
  EXPECT_THAT(files[0].content, Not(HasSubstr("<link")));
  EXPECT_THAT(files[0].content, Not(HasSubstr("<script")));
  EXPECT_THAT(files[0].content, HasSubstr("better: wait, mean 49.8 % less"));
  EXPECT_EQ(files[2].name, "comparison-wait-mean.svg");
}

class CompareTest : public ::testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::path(::testing::TempDir()) /
             ("gyre-compare-" + std::to_string(getpid()) + ".csv"))
                .string();
    std::ofstream trace(path_, std::ios::binary);
    trace << "id,submit,duration,gpus\n";
    for (int i = 0; i < 200; ++i) {
      trace << i << ',' << i * 40 << ',' << 10 + i * 37 % 400 << ',' << 1 + i * 7 % 8 << '\n';
    }
    options_.trace_path = path_;
    options_.nodes = "2x8";
    options_.policies = {*policy_by_name("fifo"), *policy_by_name("sjf-easy")};
  }
  void TearDown() override { std::filesystem::remove(path_); }

  std::string path_;
  SimulateOptions options_;
};

TEST_F(CompareTest, DrawsWorldsThatPoliciesShare) {
  options_.resample = seconds(1000);
  const auto comparison = compare(options_, 5);
  ASSERT_TRUE(comparison.has_value()) << comparison.error().message;
  EXPECT_EQ(comparison->seeds.size(), 5U);
  EXPECT_EQ(comparison->figures[0].values.size(), 2U);
  EXPECT_NE(comparison->figures[0].values[0][0], comparison->figures[0].values[0][1]);
  EXPECT_LT(comparison->difference(comparison->figures[0], 1).mean, 0);
  std::vector<std::string> names;
  for (const ComparedFigure& figure : comparison->figures) names.push_back(figure.name);
  EXPECT_THAT(names,
              ::testing::IsSupersetOf({"wait in all, longest", "fragmentation of free GPUs"}));
  EXPECT_THAT(names, Not(::testing::Contains(HasSubstr("fairness")))) << "all are of one queue";
  EXPECT_EQ(to_json(*comparison), to_json(*compare(options_, 5)));
}

TEST_F(CompareTest, RefusesWhatWouldSayNothing) {
  EXPECT_THAT(compare(options_, 5).error().message, HasSubstr("nothing is random"));
  options_.policies[1].placement = PolicySpec::Placement::Random;  // by job, whatever the seed
  EXPECT_THAT(compare(options_, 5).error().message, HasSubstr("nothing is random"));
  options_.resample = seconds(1000);
  EXPECT_THAT(compare(options_, 1).error().message, HasSubstr("2 to 1000"));
  options_.resample = nanoseconds(1);
  EXPECT_THAT(compare(options_, 2).error().message, HasSubstr("too many parts"));
}

TEST(Resample, KeepsPartsWholeAndBeginsAtNothing) {
  Trace trace;
  for (int i = 0; i < 100; ++i) {
    TraceJob job;
    job.submit = Time{} + seconds(i * 10);
    job.row = static_cast<std::uint32_t>(i);
    trace.jobs.push_back(job);
  }
  const Trace drawn = resample(trace, seconds(100), Rng(3));
  ASSERT_EQ(drawn.jobs.size(), 100U);
  EXPECT_EQ(drawn.jobs.front().submit, Time{});
  for (std::size_t i = 0; i < 100; i += 10) {
    for (std::size_t j = 1; j < 10; ++j) {
      EXPECT_EQ(drawn.jobs[i + j].row, drawn.jobs[i].row + j);
      EXPECT_EQ(drawn.jobs[i + j].submit, drawn.jobs[i].submit + seconds(10) * static_cast<int>(j));
    }
  }
}

}  // namespace
}  // namespace gyre::sim
