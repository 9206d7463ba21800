// One cycle that takes a full cluster back: 500 nodes of 8 GPUs, 4,000 running and 4,000 waiting
// one-GPU jobs of higher priority. Prints the CPU time of the cycle that decides all evictions, and
// of the cycles that start what they make room for.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "control/controller.h"
#include "cpu_clock.h"

namespace gyre {
namespace {

double cpu_ms() { return cpu_s() * 1e3; }

class Core {
 public:
  const control::Decisions& tell(Event::Body body) {
    return controller_.step({Time{} + seconds(1000), EventSeq{++seq_}, std::move(body)});
  }

 private:
  control::Controller controller_{control::Config{}};
  std::uint64_t seq_ = 0;
};

struct Times {
  double decide_ms = 0;
  double start_max_ms = 0;
  double start_sum_ms = 0;
  std::size_t evictions = 0;
  std::size_t starts = 0;
};

Times run() {
  Core core;
  core.tell(PolicySet{*policy_by_name("priority-easy")});
  core.tell(QueueSet{{"default", ""}});
  for (std::uint32_t i = 0; i < 500; ++i) {
    NodeSpec node;
    node.name = fmt::format("node-{}", i);
    node.gpu_model = "A100";
    node.gpus = 8;
    node.cpu = {128'000};
    node.memory = {1'048'576};
    core.tell(NodeJoined{{i}, node});
  }
  JobSpec spec;
  spec.tasks = {{1, {}}};
  spec.tasks[0].request.gpus = 1;
  spec.preemptible = true;
  for (std::uint64_t i = 1; i <= 8000; ++i) {
    spec.priority = i <= 4000 ? 1 : 9;
    core.tell(JobSubmitted{{i}, spec, {}});
    if (i <= 4000) core.tell(TaskStarted{{i}, 1, 0});
  }
  Times times;
  const double began = cpu_ms();
  const control::Decisions evicted = core.tell(PolicySet{*policy_by_name("preemptive")});
  times.decide_ms = cpu_ms() - began;
  times.evictions = evicted.commands.size();
  for (const Command& command : evicted.commands) {
    const auto& stop = std::get<StopGang>(command.body);
    const double at = cpu_ms();
    const auto& started =
        core.tell(TaskEnded{stop.job, stop.attempt, 0, {TaskExit::Kind::Signaled, 15, true, ""}});
    const double took = cpu_ms() - at;
    times.start_max_ms = std::max(times.start_max_ms, took);
    times.start_sum_ms += took;
    times.starts += started.commands.size();
  }
  return times;
}

}  // namespace
}  // namespace gyre

int main() {
  gyre::Times best;
  best.decide_ms = std::numeric_limits<double>::max();
  for (int i = 0; i < 5; ++i) {
    const gyre::Times times = gyre::run();
    if (times.decide_ms < best.decide_ms) best = times;
  }
  fmt::print("{} evictions decided in one cycle of {:.2f} ms CPU\n", best.evictions,
             best.decide_ms);
  fmt::print("{} starts in cycles of {:.3f} ms mean, {:.3f} ms at most\n", best.starts,
             best.start_sum_ms / static_cast<double>(best.evictions), best.start_max_ms);
  return 0;
}
