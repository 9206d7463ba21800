#include "sim/report/start_teller.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "base/rng.h"
#include "sim/simulate.h"
#include "sim/traces/trace.h"

namespace gyre::sim {
namespace {

/// The bundled trace, with durations declared that are off by a factor from a half to four.
std::string with_wrong_estimates() {
  const char* const path = GYRE_SOURCE_DIR "/data/philly-excerpt.csv";
  const auto trace = read_trace(*open_source(path), path, {});
  std::string text = "id,submit,duration,gpus,expected_duration\n";
  Rng rng(1);
  for (const TraceJob& job : trace->jobs) {
    const double draw = rng.uniform();
    const double declared = job.duration.seconds() * (0.5 + 3.5 * draw * draw);
    text += fmt::format("{},{},{},{},{}\n", trace->names[job.row], (job.submit - Time{}).seconds(),
                        job.duration.seconds(), trace->demands[job.demand].gpus,
                        std::llround(std::max(declared, 1.0)));
  }
  return text;
}

/// Four in five are aimed at, whatever starts take and however wrong estimates are.
TEST(StartTeller, StartsLieInTheIntervalAsOftenAsIsAimedAt) {
  const std::string path = ::testing::TempDir() + "gyre-start-teller.csv";
  std::ofstream(path) << with_wrong_estimates();
  SimulateOptions options;
  options.trace_path = path;
  options.nodes = "12x8";
  options.policies = {*policy_by_name("easy")};
  options.execution.start_latency = seconds(30);
  options.execution.stop_latency = seconds(20);
  options.starts_told_one_in = 50;
  const auto report = simulate(options);
  std::remove(path.c_str());
  ASSERT_TRUE(report) << report.error().message;
  const StartsTold& told = *report->results[0].starts_told;
  EXPECT_EQ(told.known, told.asked);
  EXPECT_GE(told.known, 30U);
  const double share = static_cast<double>(told.inside) / static_cast<double>(told.known);
  EXPECT_GE(share, 0.7);
  EXPECT_LE(share, 0.9);
}

}  // namespace
}  // namespace gyre::sim
