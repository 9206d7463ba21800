// The decision core alone: placements a second and events a second, without a world.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "control/controller.h"

namespace gyre {
namespace {

using control::Config;
using control::Controller;
using control::Decisions;

/// A controller with its fleet, told things in order.
class Core {
 public:
  Core(std::string_view policy, std::int64_t nodes, std::int32_t gpus)
      : controller_(Config{1'000'000, 100, 2'000'000}) {
    tell(PolicySet{*policy_by_name(policy)});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < static_cast<std::uint32_t>(nodes); ++i) {
      NodeSpec spec;
      spec.name = "node-" + std::to_string(i);
      spec.gpu_model = "A100";
      spec.gpus = gpus;
      spec.cpu = {128'000};
      spec.memory = {1'048'576};
      tell(NodeJoined{{i}, spec});
    }
  }

  const Decisions& tell(Event::Body body) {
    return controller_.step({now_, EventSeq{++seq_}, std::move(body)});
  }
  void advance(Duration by) { now_ = now_ + by; }

 private:
  Controller controller_;
  Time now_;
  std::uint64_t seq_ = 0;
};

JobSpec one_gpu() {
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  spec.expected_duration = seconds(8000);
  return spec;
}

/// 5,000 nodes of 8 GPUs; 50,000 one-GPU jobs: 40,000 fit, the rest start as others end.
void PlaceOneGpuJobs(benchmark::State& state) {
  constexpr std::uint64_t kJobs = 50'000;
  const JobSpec spec = one_gpu();
  for (auto _ : state) {
    Core core("preemptive", state.range(0), 8);
    std::vector<StartGang> started;
    const auto note = [&](const Decisions& decisions) {
      for (const Command& command : decisions.commands) {
        started.push_back(std::get<StartGang>(command.body));
      }
    };
    for (std::uint64_t i = 1; i <= kJobs; ++i) note(core.tell(JobSubmitted{{i}, spec, {}}));
    core.advance(seconds(8000));
    for (std::size_t i = 0; i < started.size(); ++i) {
      const StartGang gang = started[i];
      note(core.tell(TaskEnded{gang.job, gang.attempt, 0, {}}));
    }
    if (started.size() != kJobs) state.SkipWithError("not every job started");
  }
  state.counters["placements/s"] =
      benchmark::Counter(static_cast<double>(kJobs), benchmark::Counter::kIsIterationInvariantRate);
  state.counters["events/s"] = benchmark::Counter(static_cast<double>(2 * kJobs),
                                                  benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(PlaceOneGpuJobs)->Arg(5000)->Unit(benchmark::kMillisecond);

/// The same jobs placed as a scheduler does that looks at every node for each: the least free that
/// suffices. No states, no reasons, no line, nothing of a controller: a lower bound of that way.
void ScanEveryNode(benchmark::State& state) {
  constexpr int kJobs = 50'000;
  for (auto _ : state) {
    std::vector<int> free(static_cast<std::size_t>(state.range(0)), 8);
    std::vector<std::size_t> held;
    for (int i = 0; i < kJobs; ++i) {
      if (held.size() == 8 * free.size()) {  // full: the earliest ends
        for (const std::size_t node : held) ++free[node];
        held.clear();
      }
      std::size_t best = free.size();
      for (std::size_t node = 0; node < free.size(); ++node) {
        if (free[node] > 0 && (best == free.size() || free[node] < free[best])) best = node;
      }
      --free[best];
      held.push_back(best);
    }
    benchmark::DoNotOptimize(held.data());
  }
  state.counters["placements/s"] =
      benchmark::Counter(static_cast<double>(kJobs), benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(ScanEveryNode)->Arg(5000)->Unit(benchmark::kMillisecond);

/// One decision on a full fleet with a long line: a job ends, the next one starts.
void DecideWithALongLine(benchmark::State& state) {
  Core core("easy", 1000, 8);
  const JobSpec spec = one_gpu();
  std::vector<StartGang> running;
  std::uint64_t next_job = 0;
  for (std::int64_t i = 0; i < 8000 + state.range(0); ++i) {
    for (const Command& c : core.tell(JobSubmitted{{++next_job}, spec, {}}).commands) {
      running.push_back(std::get<StartGang>(c.body));
    }
  }
  std::size_t at = 0;
  for (auto _ : state) {
    core.advance(seconds(1));
    const StartGang gang = running[at++ % running.size()];
    for (const Command& c : core.tell(TaskEnded{gang.job, gang.attempt, 0, {}}).commands) {
      running[(at - 1) % running.size()] = std::get<StartGang>(c.body);
    }
    core.tell(JobSubmitted{{++next_job}, spec, {}});
  }
}
BENCHMARK(DecideWithALongLine)->Arg(100)->Arg(10'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gyre

BENCHMARK_MAIN();
