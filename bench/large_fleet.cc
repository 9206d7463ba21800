// 10,000 nodes of 8 GPUs, 100,000 waiting jobs of mixed size: CPU time of one event's decision, and
// memory. With fewer nodes as many fewer jobs wait. With racks, of 32 nodes, each gang must be in
// one.
//
//   bench_large_fleet [POLICY [NODES [racks]]]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <string>
#include <vector>

#include "base/rng.h"
#include "control/controller.h"
#include "cpu_clock.h"

namespace gyre {
namespace {

constexpr std::uint32_t kNodes = 10'000;
constexpr std::uint64_t kWaitingPerNode = 10;
constexpr std::uint64_t kMeasuredPerNode = 4;

double cpu_us() { return cpu_s() * 1e6; }

class Bench {
 public:
  Bench(std::string_view policy, std::uint32_t nodes, bool racks)
      : nodes_(nodes), racks_(racks), rng_(1) {
    tell(PolicySet{*policy_by_name(policy)});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < nodes_; ++i) {
      NodeSpec node;
      node.name = fmt::format("node-{}", i);
      node.gpu_model = "A100";
      node.gpus = 8;
      node.cpu = {128'000};
      node.memory = {1'048'576};
      if (racks_) node.location.rack = fmt::format("r{}", i / 32);
      tell(NodeJoined{{i}, node});
    }
  }

  /// Submits until as many wait, then lets jobs come and go and measures.
  void run() {
    while (jobs_ < kWaitingPerNode * nodes_ + running_.size()) submit();
    took_.clear();
    for (std::uint64_t i = 0; i < kMeasuredPerNode * nodes_; ++i) {
      now_ = now_ + milliseconds(200);
      if (i % 2 == 0) {
        end_one();
      } else {
        submit();
      }
    }
    std::sort(took_.begin(), took_.end());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{} jobs run, {} wait; of {} events: p50 {:.1f} us, p99 {:.1f} us, max {:.1f} us CPU; "
        "{} MiB\n",
        running_.size(), jobs_ - ended_ - running_.size(), took_.size(), took_[took_.size() / 2],
        took_[took_.size() * 99 / 100], took_.back(), usage.ru_maxrss / 1024);
  }

 private:
  void submit() {
    static constexpr std::int32_t kGpus[] = {1, 1, 1, 1, 1, 2, 2, 4, 8, 8};
    static constexpr std::int32_t kGang[] = {1, 1, 1, 1, 2, 2, 4, 8, 16, 32};
    JobSpec spec;
    spec.tenant = fmt::format("tenant-{}", rng_.below(50));
    spec.name = fmt::format("train-{}", jobs_);
    spec.priority = static_cast<std::int32_t>(rng_.below(11));
    const std::int32_t gpus = kGpus[rng_.below(10)];
    const std::int32_t nodes = gpus == 8 ? kGang[rng_.below(10)] : 1;
    spec.tasks = {{nodes, {}}};
    spec.tasks[0].request.gpus = gpus;
    spec.tasks[0].request.cpu = {4000 * gpus};
    spec.expected_duration = seconds(60 + static_cast<std::int64_t>(rng_.below(36'000)));
    spec.preemptible = rng_.below(2) == 0;
    spec.checkpoint.interval = seconds(600);
    if (racks_) spec.topology = Topology{TopologyLevel::Rack, true};
    ++jobs_;
    tell(JobSubmitted{{jobs_}, std::move(spec), {}});
  }

  void end_one() {
    const std::size_t index = rng_.below(running_.size());
    const StartGang start = running_[index];
    running_[index] = running_.back();
    running_.pop_back();
    ++ended_;
    for (const TaskPlacement& task : start.placement) {
      tell(TaskEnded{start.job, start.attempt, task.rank, {}});
    }
  }

  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    const double began = cpu_us();
    const auto& decisions = core_.step(event);
    took_.push_back(cpu_us() - began);
    for (const Command& command : decisions.commands) {
      if (const auto* start = std::get_if<StartGang>(&command.body)) running_.push_back(*start);
      if (const auto* stop = std::get_if<StopGang>(&command.body)) stopping_.push_back(*stop);
    }
    if (answers_) return;
    answers_ = true;
    while (!stopping_.empty()) {
      const StopGang stop = stopping_.front();
      stopping_.pop_front();
      const auto found =
          std::find_if(running_.begin(), running_.end(),
                       [&](const StartGang& start) { return start.job == stop.job; });
      if (found == running_.end()) continue;
      const StartGang start = *found;
      *found = running_.back();
      running_.pop_back();
      for (const TaskPlacement& task : start.placement) {
        tell(TaskEnded{
            start.job, start.attempt, task.rank, {TaskExit::Kind::Signaled, 15, true, ""}});
      }
    }
    answers_ = false;
  }

  std::uint32_t nodes_;
  bool racks_;
  Rng rng_;
  control::Controller core_{control::Config{}};
  Time now_;
  std::uint64_t seq_ = 0;
  std::uint64_t jobs_ = 0;
  std::uint64_t ended_ = 0;
  std::vector<StartGang> running_;
  std::deque<StopGang> stopping_;
  bool answers_ = false;      // an eviction is being answered
  std::vector<double> took_;  // by event
};

}  // namespace
}  // namespace gyre

int main(int argc, char** argv) {
  const auto nodes = argc > 2 ? static_cast<std::uint32_t>(std::atoi(argv[2])) : gyre::kNodes;
  const bool racks = argc > 3 && std::string_view(argv[3]) == "racks";
  gyre::Bench(argc > 1 ? argv[1] : "preemptive", nodes, racks).run();
  return 0;
}
