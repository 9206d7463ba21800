// Workloads through quotas, in the settings of Kueue's own performance test: cohorts of queues that
// are guaranteed 20 each and may borrow up to 100 more, workloads of three sizes, the larger ones
// of higher priority. A queue's workloads come at fixed intervals and end a fixed time after they
// started; those evicted queue again. Simulated time; prints what the core took of CPU time.
//
//   bench_quotas [POLICY]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "control/controller.h"
#include "cpu_clock.h"

namespace gyre {
namespace {

constexpr std::int32_t kNominal = 20;
constexpr std::int32_t kBorrowed = 100;
constexpr std::int32_t kGpusPerNode = 10;

/// Workloads of one kind, of each queue.
struct Kind {
  std::int32_t count;  // in each queue
  Duration interval;   // between two of them
  Duration run;
  std::int32_t priority;
  std::int32_t nodes;
  std::int32_t gpus;  // of each node
};

struct Setting {
  std::string name;
  std::int32_t cohorts;
  std::int32_t queues;  // of each cohort
  std::vector<Kind> kinds;
};

/// kueue/test/performance/scheduler/configs/{baseline,large-scale}/generator.yaml.
std::vector<Setting> settings() {
  const auto ms = [](std::int64_t n) { return milliseconds(n); };
  return {{"baseline",
           5,
           6,
           {{350, ms(100), ms(200), 1, 1, 1},
            {100, ms(500), ms(500), 2, 1, 5},
            {50, ms(1200), ms(1000), 3, 4, 5}}},
          {"large-scale",
           10,
           100,
           {{35, ms(60), ms(150), 1, 1, 1},
            {11, ms(300), ms(350), 2, 1, 5},
            {4, ms(700), ms(700), 3, 4, 5}}}};
}

class Bench {
 public:
  Bench(const Setting& setting, std::string_view policy) : setting_(setting) {
    tell(PolicySet{*policy_by_name(policy)});
    const std::int32_t gpus = setting.cohorts * setting.queues * kNominal;
    for (std::int32_t i = 0; i < gpus / kGpusPerNode; ++i) {
      NodeSpec node;
      node.name = fmt::format("node-{}", i);
      node.gpu_model = "A100";
      node.gpus = kGpusPerNode;
      node.cpu = {128'000};
      node.memory = {1'048'576};
      tell(NodeJoined{{static_cast<std::uint32_t>(i)}, node});
    }
    for (std::int32_t c = 0; c < setting.cohorts; ++c) add_cohort(c);
  }

  void run() {
    took_.clear();
    while (!due_.empty()) {
      const Due due = due_.top();
      if (const auto wakeup = core_.next_wakeup(); wakeup && *wakeup < due.at) {
        now_ = std::max(now_, *wakeup);
        tell(Tick{});
        continue;
      }
      due_.pop();
      now_ = due.at;
      due.attempt == 0 ? submit(due) : end(due);
    }
    report();
  }

 private:
  /// A submission (attempt 0) or the end of an attempt.
  struct Due {
    Time at;
    std::uint64_t job;  // of submissions: a number
    std::int32_t attempt = 0;
    std::int32_t queue = 0;
    std::size_t kind = 0;
    bool operator>(const Due& o) const {
      return std::tie(at, job, attempt) > std::tie(o.at, o.job, o.attempt);
    }
  };

  void add_cohort(std::int32_t cohort) {
    QueueSpec root{.name = fmt::format("cohort-{}", cohort)};
    root.guaranteed.gpu_milli = std::int64_t{setting_.queues} * kNominal * kWholeGpu.value;
    root.gpu_milli_max = root.guaranteed.gpu_milli;
    tell(QueueSet{root});
    for (std::int32_t q = 0; q < setting_.queues; ++q) {
      QueueSpec queue{.name = fmt::format("cohort-{}-queue-{}", cohort, q), .parent = root.name};
      queue.guaranteed.gpu_milli = std::int64_t{kNominal} * kWholeGpu.value;
      queue.gpu_milli_max = std::int64_t{kNominal + kBorrowed} * kWholeGpu.value;
      const auto index = static_cast<std::int32_t>(queues_.size());
      queues_.push_back(queue.name);
      tell(QueueSet{queue});
      for (std::size_t k = 0; k < setting_.kinds.size(); ++k) {
        const Kind& kind = setting_.kinds[k];
        for (std::int64_t n = 1; n <= kind.count; ++n) {
          due_.push({Time{} + kind.interval * n, due_.size(), 0, index, k});
        }
      }
    }
  }

  void submit(const Due& due) {
    const Kind& kind = setting_.kinds[due.kind];
    JobSpec spec;
    spec.queue = queues_[static_cast<std::size_t>(due.queue)];
    spec.priority = kind.priority;
    spec.tasks = {{kind.nodes, {}}};
    spec.tasks[0].request.gpus = kind.gpus;
    spec.preemptible = true;
    kinds_.emplace(++jobs_, due.kind);
    tell(JobSubmitted{{jobs_}, std::move(spec), {}});
  }

  void end(const Due& due) {
    const auto running = running_.find(due.job);
    if (running == running_.end() || running->second.attempt != due.attempt) return;
    const StartGang start = std::move(running->second);
    running_.erase(running);
    ++ended_;
    last_end_ = now_;
    end_tasks(start, {});
  }

  void end_tasks(const StartGang& start, const TaskExit& exit) {
    for (const TaskPlacement& task : start.placement) {
      tell(TaskEnded{start.job, start.attempt, task.rank, exit});
    }
  }

  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    const double began = cpu_s();
    const Commands commands = core_.step(event).commands;
    took_.push_back(cpu_s() - began);
    for (const Command& command : commands) {
      if (const auto* start = std::get_if<StartGang>(&command.body)) {
        ++starts_;
        running_.insert_or_assign(start->job.value, *start);
        const Duration run = setting_.kinds[kinds_.at(start->job.value)].run;
        due_.push({now_ + run, start->job.value, start->attempt});
      } else if (const auto* stop = std::get_if<StopGang>(&command.body)) {
        stopping_.push(stop->job.value);
      }
    }
    if (answers_) return;
    answers_ = true;
    while (!stopping_.empty()) {
      const auto running = running_.find(stopping_.front());
      stopping_.pop();
      if (running == running_.end()) continue;
      const StartGang start = std::move(running->second);
      running_.erase(running);
      ++evictions_;
      end_tasks(start, {TaskExit::Kind::Signaled, 15, true, ""});
    }
    answers_ = false;
  }

  void report() {
    double sum = 0;
    for (const double one : took_) sum += one;
    std::sort(took_.begin(), took_.end());
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{}: {} queues, {} workloads, {} ended after {:.1f} s simulated; {} starts, {} evictions\n"
        "  {:.3f} s CPU in the core: {:.0f} workloads/s; {} events, p50 {:.1f} us, p99 {:.1f} us, "
        "max {:.1f} us; {} MiB\n",
        setting_.name, queues_.size(), jobs_, ended_, static_cast<double>(last_end_.ns) * 1e-9,
        starts_, evictions_, sum, static_cast<double>(ended_) / sum, took_.size(),
        took_[took_.size() / 2] * 1e6, took_[took_.size() * 99 / 100] * 1e6, took_.back() * 1e6,
        usage.ru_maxrss / 1024);
  }

  Setting setting_;
  control::Controller core_{control::Config{}};
  Time now_;
  Time last_end_;
  std::uint64_t seq_ = 0;
  std::uint64_t jobs_ = 0;
  std::uint64_t ended_ = 0;
  std::uint64_t starts_ = 0;
  std::uint64_t evictions_ = 0;
  bool answers_ = false;  // an eviction is being answered
  std::vector<std::string> queues_;
  std::unordered_map<std::uint64_t, std::size_t> kinds_;  // by job
  std::unordered_map<std::uint64_t, StartGang> running_;  // by job
  std::queue<std::uint64_t> stopping_;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due_;
  std::vector<double> took_;  // by event
};

}  // namespace
}  // namespace gyre

int main(int argc, char** argv) {
  for (const gyre::Setting& setting : gyre::settings()) {
    gyre::Bench(setting, argc > 1 ? argv[1] : "preemptive").run();
  }
  return 0;
}
