#include "sim/report/fairness.h"

#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <string>
#include <utility>

namespace gyre::sim {
namespace {

constexpr double kBoundS = 10;

using Shares = std::map<std::string, double>;  // of the fleet, by queue

/// Each queue's part of the fleet: its parent's, by weight among siblings that somebody waits in.
Shares shares_of(const std::vector<QueueSpec>& queues, const std::set<std::string>& used) {
  std::set<std::string> active = used;
  std::map<std::string, std::int64_t> weights;  // sum by parent
  for (std::size_t i = queues.size(); i-- > 0;) {
    if (!active.contains(queues[i].name)) continue;
    active.insert(queues[i].parent);
    weights[queues[i].parent] += queues[i].weight;
  }
  Shares shares{{"", 1.0}};
  for (const QueueSpec& queue : queues) {
    if (!active.contains(queue.name)) continue;
    shares[queue.name] = shares[queue.parent] * static_cast<double>(queue.weight) /
                         static_cast<double>(weights[queue.parent]);
  }
  return shares;
}

/// When the next job of a queue would have ended, were the queue alone, jobs being asked about in
/// the order of their submission.
class Alone {
 public:
  explicit Alone(std::int64_t gpu_milli) : free_(gpu_milli) {}

  double end_of(double submitted_s, double work_s, std::int64_t gpu_milli) {
    begin_s_ = std::max(begin_s_, submitted_s);  // nobody passes the one before it
    while (!ends_.empty() && (ends_.top().first <= begin_s_ || free_ < gpu_milli)) {
      begin_s_ = std::max(begin_s_, ends_.top().first);
      free_ += ends_.top().second;
      ends_.pop();
    }
    free_ -= gpu_milli;
    ends_.emplace(begin_s_ + work_s, gpu_milli);
    return begin_s_ + work_s;
  }

 private:
  using End = std::pair<double, std::int64_t>;
  double begin_s_ = 0;
  std::int64_t free_;
  std::priority_queue<End, std::vector<End>, std::greater<>> ends_;
};

double seconds_of(Duration span) { return static_cast<double>(span.ns) / 1e9; }

double jain_of(const std::map<std::uint32_t, std::pair<double, double>>& progress) {
  double sum = 0;
  double squares = 0;
  for (const auto& [queue, total] : progress) {
    const double mean = total.first / total.second;
    sum += mean;
    squares += mean * mean;
  }
  return squares > 0 ? sum * sum / (static_cast<double>(progress.size()) * squares) : 1;
}

}  // namespace

std::optional<Fairness> fairness_of(const std::vector<JobOutcome>& outcomes, const Trace& trace,
                                    const Workload& workload, std::int64_t fleet_gpu_milli) {
  std::set<std::string> used;
  std::map<std::string, std::int64_t> largest;
  for (const JobOutcome& job : outcomes) {
    if (job.state != JobState::Succeeded) continue;
    const std::string& queue = trace.queues[trace.jobs[job.job].queue];
    used.insert(queue);
    largest[queue] = std::max<std::int64_t>(largest[queue], job.gpu.value);
  }
  if (used.size() < 2) return std::nullopt;
  const Shares shares = shares_of(workload.all_queues, used);
  std::map<std::string, Alone> alone;
  for (const QueueSpec& queue : workload.all_queues) {
    if (!used.contains(queue.name)) continue;
    const auto share =
        static_cast<std::int64_t>(shares.at(queue.name) * static_cast<double>(fleet_gpu_milli));
    alone.emplace(queue.name, std::max({share, queue.guaranteed.gpu_milli, largest[queue.name]}));
  }
  Fairness fairness;
  std::uint64_t above = 0;
  std::uint64_t jobs = 0;
  std::map<std::uint32_t, std::pair<double, double>> progress;  // sum and count by queue
  for (const JobOutcome& job : outcomes) {
    if (job.state != JobState::Succeeded) continue;
    const TraceJob& row = trace.jobs[job.job];
    const double submitted = seconds_of(job.submitted_at - Time{});
    const double end = alone.at(trace.queues[row.queue])
                           .end_of(submitted, seconds_of(row.duration), job.gpu.value);
    const double isolated = std::max(end - submitted, kBoundS);
    const double shared = std::max(seconds_of(*job.ended_at - job.submitted_at), kBoundS);
    const double rho = shared / isolated;
    fairness.rho_max = std::max(fairness.rho_max, rho);
    above += rho > 1 ? 1 : 0;
    ++jobs;
    auto& [sum, count] = progress[row.queue];
    sum += std::min(1.0, 1 / rho);
    ++count;
  }
  fairness.share_above_one = static_cast<double>(above) / static_cast<double>(jobs);
  fairness.jain = jain_of(progress);
  return fairness;
}

}  // namespace gyre::sim
