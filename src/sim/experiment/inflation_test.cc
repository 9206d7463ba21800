#include "sim/experiment/inflation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "sim/experiment/published.h"

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// A trace in openb's format, in a file of its own.
class InflationTest : public ::testing::Test {
 protected:
  InflationTest() {
    path_ = ::testing::TempDir() + "/inflation-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".csv";
    options_.trace_paths = {path_};
    options_.nodes = "6x8:V100";
    options_.seeds = 3;
    for (const PlacementName& known : placement_names()) {
      options_.placements.push_back(known.placement);
    }
  }
  ~InflationTest() override { std::filesystem::remove(path_); }

  void write(const std::string& rows) {
    std::ofstream(path_) << "name,cpu_milli,memory_mib,num_gpu,gpu_milli\n" << rows;
  }
  static std::string mixed() {
    std::string rows;
    for (int i = 0; i < 40; ++i) {
      const std::string name = "p" + std::to_string(i) + ",";
      rows += name + (i % 4 == 0   ? "4000,1024,1,1000\n"
                      : i % 4 == 1 ? "2000,1024,1,470\n"
                      : i % 8 == 2 ? "16000,1024,8,1000\n"
                                   : "8000,1024,0,0\n");
    }
    return rows;
  }

  std::string path_;
  InflationOptions options_;
};

TEST_F(InflationTest, LoadReachesItsEndAndNothingIsGivenTwice) {
  write(mixed());
  const auto report = run_inflation(options_);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->results.size(), placement_names().size());
  EXPECT_EQ(report->gpus, 48U);
  for (const InflationResult& result : report->results) {
    ASSERT_EQ(result.by_load.size(), 131U);
    EXPECT_GT(result.tasks, 40);
    double before = 0;
    for (std::size_t load = 0; load < result.by_load.size(); ++load) {
      const LoadPoint& point = result.by_load[load];
      if (!point.measured) continue;
      EXPECT_LE(point.allocation, std::min(1.0, (static_cast<double>(load) + 0.5) / 100) + 1e-9);
      EXPECT_LE(point.fragmentation, 1 - point.allocation + 1e-9);
      EXPECT_GE(point.fragmentation_ratio, 0);
      EXPECT_LE(point.fragmentation_ratio, 1 + 1e-9);
      before = std::max(before, point.allocation);
    }
    EXPECT_GT(before, 0.7) << "a fleet that is asked for 130 % is nearly full";
  }
}

TEST_F(InflationTest, ASeedIsARun) {
  write(mixed());
  const auto first = run_inflation(options_);
  const auto again = run_inflation(options_);
  ASSERT_TRUE(first && again);
  EXPECT_EQ(to_json(*first), to_json(*again));
  options_.first_seed = 7;
  EXPECT_NE(to_json(*first), to_json(*run_inflation(options_)));
}

TEST_F(InflationTest, ATraceThatAsksForMoreThanTheLimitIsThinned) {
  std::string rows;
  for (int i = 0; i < 200; ++i) rows += "p" + std::to_string(i) + ",1000,1,1,1000\n";
  write(rows);
  options_.placements = {PolicySpec::Placement::BestFit};
  const auto report = run_inflation(options_);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_NEAR(report->results[0].tasks, 62, 1);  // 130 % of 48
  EXPECT_DOUBLE_EQ(report->results[0].by_load[129].allocation, 1);
}

TEST_F(InflationTest, WhatCannotBeRunIsSaid) {
  write("a,1000,1,0,0\n");
  const auto no_gpu = run_inflation(options_);
  ASSERT_FALSE(no_gpu);
  EXPECT_THAT(no_gpu.error().message, HasSubstr("asks for a GPU"));
  write("a,1000,1,9,1000\n");
  const auto wide = run_inflation(options_);
  ASSERT_FALSE(wide);
  EXPECT_THAT(wide.error().message, HasSubstr("a job of 2 nodes"));
  options_.nodes = "no-such-file.csv";
  EXPECT_FALSE(run_inflation(options_));
  options_.placements.clear();
  EXPECT_FALSE(run_inflation(options_));
}

TEST_F(InflationTest, ReportsReadByPeopleAndScripts) {
  write(mixed());
  options_.placements = {PolicySpec::Placement::Fgd, PolicySpec::Placement::Lookahead};
  options_.cpu_clock_s = [] { return 1.0; };
  const auto report = run_inflation(options_);
  ASSERT_TRUE(report);
  const std::string table = to_table(*report);
  EXPECT_THAT(table, HasSubstr("6 nodes with 48 GPUs, mean of seeds 42 to 44"));
  EXPECT_THAT(table, HasSubstr("GPU allocation at 130 % arrived load, % of all GPUs"));
  const std::string json = to_json(*report);
  EXPECT_THAT(json, HasSubstr(R"("placement":"lookahead")"));
  EXPECT_THAT(json, HasSubstr(R"("published":null,"points":[{"load":)"));
}

TEST(Published, StandsBesideTheFleetThatWasMeasuredOnly) {
  InflationReport report;
  InflationResult& result = report.results.emplace_back();
  result.trace = "openb_pod_list_default.csv";
  result.placement = PolicySpec::Placement::Fgd;
  result.by_load.resize(kLoadPercentMax + 1);
  report.nodes = kPublishedNodes;
  report.gpus = kPublishedGpus;
  EXPECT_THAT(to_table(report), HasSubstr("(95.23)"));
  EXPECT_THAT(to_json(report), HasSubstr("0.9523"));
  report.nodes = 4;
  EXPECT_THAT(to_table(report), Not(HasSubstr("95.23")));
  EXPECT_THAT(to_table(report), Not(HasSubstr("published")));
  EXPECT_THAT(to_json(report), HasSubstr(R"("published":null)"));
}

TEST(Published, IsKnownForOpenbAndItsPlacementsOnly) {
  using Placement = PolicySpec::Placement;
  const auto known = published_allocation("openb_pod_list_default.csv", Placement::Fgd);
  ASSERT_TRUE(known);
  EXPECT_DOUBLE_EQ(known->at_100, 95.23);
  EXPECT_DOUBLE_EQ(known->at_130, 95.39);
  EXPECT_TRUE(published_allocation("openb_pod_list_gpuspec33.csv.gz", Placement::Random));
  EXPECT_FALSE(published_allocation("openb_pod_list_default.csv", Placement::Lookahead));
  EXPECT_FALSE(published_allocation("other.csv", Placement::Fgd));
}

}  // namespace
}  // namespace gyre::sim
