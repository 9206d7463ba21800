// What `gyre explain` costs among 10,000 waiting jobs: 100 nodes of 8 GPUs are full, each question
// is about one of those that wait. Prints the CPU time of the copy that is made on the core's
// thread, and of the answer.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/rng.h"
#include "control/controller.h"
#include "control/forecast/outlook.h"
#include "cpu_clock.h"

namespace gyre {
namespace {

constexpr std::uint64_t kWaiting = 10'000;

double cpu_ms() { return cpu_s() * 1e3; }

class Core {
 public:
  explicit Core(const std::string& policy) {
    tell(PolicySet{*policy_by_name(policy)});
    tell(QueueSet{{"default", ""}});
    for (std::uint32_t i = 0; i < 100; ++i) {
      NodeSpec node;
      node.name = fmt::format("node-{}", i);
      node.gpu_model = i % 2 == 0 ? "A100" : "V100";
      node.gpus = 8;
      node.cpu = {128'000};
      node.memory = {1'048'576};
      tell(NodeJoined{{i}, node});
    }
  }

  void fill() {
    Rng rng(1);
    while (waiting_ < kWaiting) {
      now_ = now_ + seconds(1);
      const JobId id{controller.jobs().last().value + 1};
      tell(JobSubmitted{id, spec(rng), {}});
      const Job& job = *controller.jobs().find(id);
      if (job.state == JobState::Queued) {
        ++waiting_;
        continue;
      }
      for (std::size_t rank = 0; rank < job.tasks.size(); ++rank) {
        tell(TaskStarted{id, 1, static_cast<std::int32_t>(rank)});
      }
    }
  }

  Time now() const { return now_; }
  control::Controller controller{control::Config{}};

 private:
  void tell(Event::Body body) { controller.step({now_, EventSeq{++seq_}, std::move(body)}); }

  static JobSpec spec(Rng& rng) {
    JobSpec spec;
    spec.name = fmt::format("train-{}", rng.below(20));
    spec.tenant = fmt::format("tenant-{}", rng.below(10));
    spec.priority = static_cast<std::int32_t>(rng.below(3));
    spec.expected_duration = seconds(600 + static_cast<std::int64_t>(rng.below(36'000)));
    spec.checkpoint.interval = seconds(600);
    TaskGroup tasks;
    tasks.count = rng.below(8) == 0 ? 4 : 1;
    tasks.request.gpus = 1 << rng.below(4);
    tasks.request.gpu_models = {rng.below(2) == 0 ? "A100" : "V100"};
    tasks.request.cpu = CpuMilli{1000};
    spec.tasks = {tasks};
    return spec;
  }

  Time now_ = Time{} + seconds(1'000'000);
  std::uint64_t seq_ = 0;
  std::uint64_t waiting_ = 0;
};

void run(const std::string& policy) {
  Core core(policy);
  core.fill();
  std::vector<JobId> waiting;
  core.controller.jobs().for_each([&](const Job& job) {
    if (job.state == JobState::Queued && task_count(job.spec->tasks) == 4)
      waiting.push_back(job.id);
  });
  for (const std::size_t percent : {0, 50, 99}) {
    const JobId job = waiting[waiting.size() * percent / 100];
    double began = cpu_ms();
    const control::Controller copy = core.controller;
    const double copied = cpu_ms() - began;
    began = cpu_ms();
    const control::Outlook outlook = control::outlook(copy, job, core.now());
    const double took = cpu_ms() - began;
    std::string sooner;
    for (const control::Alternative& one : outlook.alternatives) {
      sooner += one.sooner         ? fmt::format(" {}", (*one.sooner - core.now()).seconds())
                : one.looked_ahead ? " -"
                                   : " ?";
    }
    fmt::print("{}, {} % of the line: copy {:.0f} ms, answer {:.0f} ms; starts in {} s; {}\n",
               policy, percent, copied, took,
               outlook.start.median ? (*outlook.start.median - core.now()).seconds() : -1, sooner);
  }
}

}  // namespace
}  // namespace gyre

int main(int argc, char** argv) {
  if (argc > 1) {
    gyre::run(argv[1]);
    return 0;
  }
  for (const char* policy : {"easy", "preemptive", "gyre"}) gyre::run(policy);
}
