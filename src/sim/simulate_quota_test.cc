#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/simulate.h"
#include "sim/simulate_suite.h"

namespace gyre::sim {
namespace {

/// A tree of queues by chance that validate() accepts: weights alone, or some guaranteed, limited.
std::vector<QueueSpec> random_queues(std::int64_t gpus) {
  const auto pick = [](int low, int high) { return *rc::gen::inRange(low, high + 1); };
  const bool guarantees = pick(0, 2) > 0;
  std::vector<QueueSpec> queues;
  std::int64_t left = gpus * 1000;
  for (int i = 0; i < 4; ++i) {
    QueueSpec queue{"q" + std::to_string(i), ""};
    queue.weight = pick(1, 4);
    QueueSpec* parent = i > 0 && pick(0, 2) == 0 ? &queues.front() : nullptr;
    if (parent != nullptr) queue.parent = parent->name;
    if (guarantees && pick(0, 1) == 0) {
      queue.guaranteed.gpu_milli = std::min<std::int64_t>(left, 1000 * pick(0, 8));
      left -= queue.guaranteed.gpu_milli;
      if (parent != nullptr) parent->guaranteed += queue.guaranteed;
    }
    if (pick(0, 5) == 0) queue.jobs_max = pick(0, 5);
    queues.push_back(queue);
  }
  return queues;
}

RC_GTEST_PROP(SimulateQuotaProperty, WhatIsSaidOfQuotasIsTrue, ()) {
  const auto pick = [](int low, int high) { return *rc::gen::inRange(low, high + 1); };
  SimulateOptions options;
  const int nodes = pick(1, 3);
  options.queues = random_queues(4 * nodes);
  const bool nested = std::any_of(options.queues.begin(), options.queues.end(),
                                  [](const QueueSpec& queue) { return !queue.parent.empty(); });
  std::string rows;
  const int jobs = pick(4, 40);
  for (int i = 0; i < jobs; ++i) {
    rows += fmt::format("{},{},{},{},q{},{}\n", i, pick(0, 60), pick(1, 100), pick(1, 8),
                        pick(nested ? 1 : 0, 3), pick(0, 3) == 0 ? "yes" : "no");
  }
  const TraceFile trace("id,submit,duration,gpus,queue,preemptible\n" + rows);
  options.trace_path = trace.path();
  options.nodes = fmt::format("{}x4", nodes);
  options.policies = policies({"fifo", "easy", "preemptive", "gyre"});
  options.seed = static_cast<std::uint64_t>(pick(0, 1'000'000));
  options.execution.stop_latency = seconds(pick(0, 40));
  if (pick(0, 2) == 0) {
    options.faults.mtbf = seconds(pick(500, 5000));
    options.faults.mttr = seconds(pick(1, 100));
  }
  options.check = true;
  const auto report = simulate(options);
  if (!report) RC_FAIL(report.error().message);
}

}  // namespace
}  // namespace gyre::sim
