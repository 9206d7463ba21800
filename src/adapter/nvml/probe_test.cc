#include "adapter/nvml/probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>

#include "adapter/nvml/inventory.h"
#include "adapter/nvml/test_kit.h"

namespace gyre::nvml {
namespace {

/// Keeps the latest report, and waits for one that is as wished.
class Reports {
 public:
  Probe::Report sink() {
    return [this](const std::vector<ProbedGpu>& gpus) {
      const std::lock_guard lock(mutex_);
      gpus_ = gpus;
      changed_.notify_all();
    };
  }

  template <class Wish>
  testing::AssertionResult become(Wish wish) {
    std::unique_lock lock(mutex_);
    const bool came = changed_.wait_for(lock, std::chrono::seconds(60),
                                        [&] { return !gpus_.empty() && wish(gpus_); });
    return came ? testing::AssertionSuccess() : testing::AssertionFailure() << "it never came";
  }

  std::vector<ProbedGpu> latest() {
    const std::lock_guard lock(mutex_);
    return gpus_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<ProbedGpu> gpus_;
};

ProbeOptions quick() {
  return {.library = stand_in(),
          .period = milliseconds(20),
          .slow_period = milliseconds(20),
          .call_max = milliseconds(200),
          .stuck_max = 8};
}

bool all_ok(const std::vector<ProbedGpu>& gpus) {
  return std::all_of(gpus.begin(), gpus.end(),
                     [](const ProbedGpu& gpu) { return gpu.sample.health == GpuHealth::Ok; });
}

TEST(Probe, ReadsEverythingThatIsOffered) {
  const MadeUpMachine machine(
      "set 0 util 87\nset 0 memutil 40\nset 0 used_mib 1024\nset 0 power_mw 350000\n"
      "set 0 gpm 1\nset 0 sm_ppm 625000\nset 0 tensor_ppm 250000\nset 0 sbe 3\nset 0 dbe 1\nset 0 "
      "rows_c 2\n"
      "set 0 rows_u 1\nset 0 failed 1\nset 0 throttle 4\nset 0 celsius 71\n"
      "process 0 4242 1000\nlink 0 3 00000000:1C:00.0\n");
  Reports reports;
  const auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe) << probe.error().message;
  ASSERT_TRUE(reports.become([](const auto& gpus) {
    return all_ok(gpus) && gpus[0].sample[GpuMetric::SmActive].has_value();
  }));
  const ProbedGpu gpu = reports.latest()[0];
  EXPECT_EQ(gpu.facts.uuid, "GPU-a");
  EXPECT_EQ(gpu.facts.product, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gpu.facts.bus_id, "00000000:1B:00.0");
  EXPECT_EQ(gpu.facts.driver, "550.54.15");
  EXPECT_EQ(gpu.facts.links, (std::vector<NvLink>{{3, "00000000:1C:00.0"}}));
  EXPECT_EQ(gpu.sample.processes, (std::vector<GpuProcess>{{4242, MemoryMib{1000}}}));
  const std::vector<std::pair<GpuMetric, std::int64_t>> expected = {
      {GpuMetric::Utilisation, 87},      {GpuMetric::MemoryUtilisation, 40},
      {GpuMetric::SmActive, 625'000},    {GpuMetric::MemoryUsed, 1024},
      {GpuMetric::MemoryFree, 80'896},   {GpuMetric::Power, 350'000},
      {GpuMetric::PowerLimit, 400'000},  {GpuMetric::Energy, 1000},
      {GpuMetric::SmClock, 1410},        {GpuMetric::MemoryClock, 1593},
      {GpuMetric::Temperature, 71},      {GpuMetric::EccCorrected, 3},
      {GpuMetric::EccUncorrected, 1},    {GpuMetric::RowsCorrectable, 2},
      {GpuMetric::RowsUncorrectable, 1}, {GpuMetric::RowsFailed, 1},
      {GpuMetric::ThrottleReasons, 4},   {GpuMetric::TensorActive, 250'000}};
  for (const auto& [metric, value] : expected) {
    EXPECT_EQ(gpu.sample[metric], value) << gpu_metric_facts(metric).name;
  }
  EXPECT_FALSE(gpu.sample[GpuMetric::LastXid]);
  EXPECT_FALSE(reports.latest()[1].sample[GpuMetric::SmActive]) << "it offers no GPM";
}

TEST(Probe, WhatADeviceDoesNotOfferIsAbsent) {
  const MadeUpMachine machine("lacks sbe\nlacks rows_c\nlacks power_mw\n");
  Reports reports;
  const auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(reports.become(all_ok));
  const auto sample = reports.latest()[0].sample;
  EXPECT_FALSE(sample[GpuMetric::EccCorrected]);
  EXPECT_FALSE(sample[GpuMetric::RowsFailed]);
  EXPECT_FALSE(sample[GpuMetric::Power]);
  EXPECT_TRUE(sample[GpuMetric::Utilisation]);
}

TEST(Probe, AnXidIsToldWithItsDevice) {
  MadeUpMachine machine;
  Reports reports;
  const auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(reports.become(all_ok));
  machine.become("xid 1 1 48\nxid 2 1 63\n");
  ASSERT_TRUE(reports.become([](const auto& gpus) { return gpus[1].sample.xids == 2; }));
  EXPECT_EQ(reports.latest()[1].sample[GpuMetric::LastXid], 63);
  EXPECT_EQ(reports.latest()[0].sample.xids, 0);
}

TEST(Probe, ALostDeviceIsSaidAndTheOthersGoOn) {
  MadeUpMachine machine;
  Reports reports;
  const auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(reports.become(all_ok));
  machine.become("fails 1 15\nset 2 util 33\n");
  ASSERT_TRUE(reports.become([](const auto& gpus) {
    return gpus[1].sample.health == GpuHealth::Lost && gpus[2].sample[GpuMetric::Utilisation] == 33;
  }));
  EXPECT_EQ(reports.latest()[0].sample.health, GpuHealth::Ok);
}

TEST(Probe, AHungCallMakesItsDeviceUnknownUntilItReturns) {
  MadeUpMachine machine("set 2 util 1\n");
  Reports reports;
  const auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(reports.become(all_ok));
  machine.become("hang 1\nset 2 util 55\n");
  ASSERT_TRUE(reports.become([](const auto& gpus) {
    return gpus[1].sample.health == GpuHealth::Unknown && gpus[0].sample.health == GpuHealth::Ok &&
           gpus[2].sample[GpuMetric::Utilisation] == 55;
  })) << "the others are looked at by another thread";
  machine.become("set 1 util 66\nset 0 gpm 1\nset 0 sm_ppm 777\n");
  int steady = 0;  // SM activity takes two looks, so a thread that is new has none
  ASSERT_TRUE(reports.become([&](const auto& gpus) {
    const bool back = all_ok(gpus) && gpus[1].sample[GpuMetric::Utilisation] == 66;
    steady = back && gpus[0].sample[GpuMetric::SmActive] == 777 ? steady + 1 : 0;
    return steady == 20;
  })) << "and it again, once the call has returned, by one thread that stays";
}

TEST(Probe, EndsWhileADeviceHangs) {
  MadeUpMachine machine("hang 0\n");
  Reports reports;
  auto probe = Probe::start(quick(), 3, reports.sink());
  ASSERT_TRUE(probe);
  ASSERT_TRUE(reports.become([](const auto& gpus) {
    return gpus[0].sample.health == GpuHealth::Unknown && gpus[1].sample.health == GpuHealth::Ok;
  }));
  probe->reset();  // returns, or the test never ends
  machine.become("");
}

TEST(Probe, SaysWhyItCannotStart) {
  const MadeUpMachine machine("init_fails 9\n");
  const auto probe = Probe::start(quick(), 3, [](const auto&) {});
  ASSERT_FALSE(probe);
  EXPECT_THAT(probe.error().message, testing::HasSubstr("Driver Not Loaded"));
}

TEST(Probe, RunsOnThisMachineIfItHasADriver) {
  const auto gpus = find_gpus();
  if (!gpus) GTEST_SKIP() << "the suite ran on the stand-in: " << gpus.error().message;
  ProbeOptions options = quick();
  options.library = ProbeOptions().library;
  options.call_max = seconds(5);
  Reports reports;
  const auto probe = Probe::start(options, gpus->size(), reports.sink());
  ASSERT_TRUE(probe) << probe.error().message;
  ASSERT_TRUE(reports.become(all_ok));
  for (const ProbedGpu& gpu : reports.latest()) {
    EXPECT_FALSE(gpu.facts.uuid.empty());
    EXPECT_TRUE(gpu.sample[GpuMetric::MemoryUsed]) << gpu.facts.product;
    EXPECT_TRUE(gpu.sample[GpuMetric::Temperature]) << gpu.facts.product;
  }
  printf("the suite ran on hardware: %zu x %s, driver %s\n", gpus->size(),
         reports.latest()[0].facts.product.c_str(), reports.latest()[0].facts.driver.c_str());
}

}  // namespace
}  // namespace gyre::nvml
