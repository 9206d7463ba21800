#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string>

#include "base/units.h"
#include "reason/placement/search.h"
#include "reason/placement/thought.h"
#include "reason/question.h"
#include "reason/scheduler.h"

namespace gyre::reason {
namespace {

/// Thousandths as a plain number, however large: "1024", "0.5".
std::string thousandths(std::int64_t number) {
  return fmt::format("{:.15g}", static_cast<double>(number) / 1000);
}

std::string gpus_text(const Request& request) {
  const std::string model =
      request.gpu_models.empty() ? "" : fmt::format(" {}", fmt::join(request.gpu_models, " or "));
  if (request.gpus == 0) return "no GPU";
  if (request.gpu_milli < kWholeGpu) {
    const std::string by =
        request.sharing == Sharing::Auto ? "" : fmt::format(" by {}", to_string(request.sharing));
    return fmt::format("{:.3g} of one{} GPU{}", request.gpu_milli.value / 1000.0, model, by);
  }
  return fmt::format("{}{} GPU{}", request.gpus, model, request.gpus == 1 ? "" : "s");
}

std::string_view domain_name(TopologyLevel level) {
  return level == TopologyLevel::Nvlink ? "NVLink domain" : to_string(level);
}

}  // namespace

std::string describe(const GangRequest& request) {
  std::string text;
  for (const TaskGroup& group : request.tasks) {
    if (!text.empty()) text += " and ";
    if (group.count > 1) text += fmt::format("{} nodes with ", group.count);
    text += gpus_text(group.request);
    if (group.request.cpu.value > 0) {
      text += fmt::format(", {} CPU", thousandths(group.request.cpu.value));
    }
    if (group.request.memory.value > 0) text += ", " + format_memory(group.request.memory);
    if (group.count > 1) text += " each";
  }
  if (request.topology && request.topology->required) {
    text += fmt::format(", all in one {}", domain_name(request.topology->level));
  }
  return text;
}

namespace {

/// What is free in sum, and at most in one place, on nodes that some task of the demand could use.
struct Free {
  std::int64_t gpu_milli = 0;
  std::int64_t cpu = 0;
  std::int64_t memory = 0;
  std::int64_t node_gpu_milli_max = 0;
};

Free free_for(const Demand& demand, const Cluster& cluster) {
  Free sum;
  for (const std::uint32_t index : cluster.classes(demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    const bool usable = std::any_of(
        demand.groups.begin(), demand.groups.end(),
        [&](const Demand::Group& group) { return group.could_run[state.shape.value] != 0; });
    if (!usable) continue;
    const auto nodes = static_cast<std::int64_t>(state.nodes.size());
    const std::int64_t gpu =
        std::accumulate(state.free.gpu.begin(), state.free.gpu.end(), std::int64_t{0});
    sum.gpu_milli += nodes * gpu;
    sum.cpu += nodes * state.free.cpu.value;
    sum.memory += nodes * state.free.memory.value;
    sum.node_gpu_milli_max = std::max(sum.node_gpu_milli_max, gpu);
  }
  return sum;
}

bool enough_in_sum(const Demand& demand, const Free& free) {
  Free need;
  for (const Demand::Group& group : demand.groups) {
    need.gpu_milli += std::int64_t{group.count} * group.request.gpu_total().value;
    need.cpu += group.count * group.request.cpu.value;
    need.memory += group.count * group.request.memory.value;
  }
  return need.gpu_milli <= free.gpu_milli && need.cpu <= free.cpu && need.memory <= free.memory;
}

/// What is to be said where it would not even fit, were all gone that are expected to end.
std::string_view held_text(const Running& running, const Demand& demand, const Cluster& cluster,
                           const JobTable& jobs, Time now) {
  if (!running.has_endless()) return "";
  std::int64_t work = 0;
  Thought thought(cluster, demand, work);
  running.walk(now, [&](const Ending& ending) {
    release_all(*jobs.find(ending.job), thought);
    return !thought.fits();
  });
  if (thought.fits()) return "";
  return "; what it needs is held by replicas of services, which do not end by themselves: others "
         "pass it until some are gone";
}

bool fits(const JobSpec& spec, PartitionId partition, const Cluster& cluster) {
  std::int64_t work = 0;
  return fits(cluster, DemandTable::make(partition, spec, cluster), work);
}

/// Whether it would fit once all are gone who are being stopped.
bool fits_once_stopped(const Running& running, const Demand& demand, const Cluster& cluster,
                       const JobTable& jobs) {
  std::int64_t work = 0;
  Thought thought(cluster, demand, work);
  for (const auto& [at, id] : running.leaving()) release_all(*jobs.find(id), thought);
  return thought.fits();
}

std::string free_text(const Free& free) {
  return fmt::format("{} GPUs, {} CPU and {} are free in sum, at most {} GPUs on one node",
                     thousandths(free.gpu_milli), thousandths(free.cpu),
                     format_memory({free.memory}), thousandths(free.node_gpu_milli_max));
}

/// Why nodes with room are none that the job may take.
std::string barred_text(const Cluster& cluster, const JobSpec& spec) {
  const PlacementRules& rules = *spec.placement;
  const Affinity affinity = *affinity_of(spec);
  std::vector<std::string> parts;
  if (rules.max_per_node > 0) {
    const auto places = cluster.group(affinity.group);
    const auto full = std::count_if(places.begin(), places.end(), [&](const GroupTasks& place) {
      return place.tasks >= rules.max_per_node;
    });
    parts.push_back(fmt::format("{} run {} or more tasks of its group '{}'", full,
                                rules.max_per_node, group_of(spec)));
  }
  if (!rules.apart.empty()) {
    parts.push_back(fmt::format("{} run '{}', which it is to be apart from",
                                cluster.group(affinity.apart).size(), rules.apart));
  }
  return fmt::format("of the nodes {}", fmt::join(parts, ", and "));
}

/// Of a job that does not fit: what it asks for beside resources, if that is why. Takes it off the
/// demand.
bool blocked_by_wishes(const Cluster& cluster, const JobSpec& spec, Demand& demand,
                       std::string_view held, Explanation& answer) {
  const std::string need = describe(spec);
  std::int64_t work = 0;
  if (demand.restricted()) {
    demand.affinity.reset();
    if (fits(cluster, demand, work)) {
      answer.reason = WaitReason::AffinityBlocked;
      answer.detail = fmt::format(
          "needs {}; enough nodes have this free, but may not be taken: {}; {} jobs ahead{}", need,
          barred_text(cluster, spec), answer.jobs_ahead, held);
      return true;
    }
  }
  const auto level = demand.within();
  if (!level) return false;
  demand.topology.reset();
  if (!fits(cluster, demand, work)) return false;
  answer.reason = WaitReason::TopologyBlocked;
  answer.detail = fmt::format(
      "needs {}; enough nodes have this free, but in no {} enough of "
      "them; {} jobs ahead{}",
      need, domain_name(*level), answer.jobs_ahead, held);
  return true;
}

/// What of its quota keeps a job waiting that is at the gate. Who has no room because jobs hold all
/// that there is waits for those; but room that is free is kept by the quota.
std::optional<QuotaBlock> quota_block(const FairShare& fair, JobId job, const Line& line,
                                      const Demand& demand, const Cluster& cluster) {
  auto block = fair.block_of(job);
  std::int64_t work = 0;
  if (block && block->full && (!line.waiting.empty() || !fits(cluster, demand, work))) {
    block.reset();
  }
  return block;
}

}  // namespace

Explanation Scheduler::explain(const Job& job, PartitionId partition, const Cluster& cluster,
                               const JobTable& jobs, Time now) const {
  const Line& line = lines_[partition.value];
  const OrderKey key = key_of(job, line);
  Demand demand = DemandTable::make(partition, *job.spec, cluster);
  assess(demand);
  Explanation answer;
  const std::string need = describe(*job.spec);
  if (!demand.fits_ever) {
    answer.reason = WaitReason::NeverFits;
    answer.detail = fmt::format("needs {}; the fleet has no such nodes", need);
    return answer;
  }
  const bool gated = fair_.is_gated(job.id);
  if (const auto block = gated ? quota_block(fair_, job.id, line, demand, cluster) : std::nullopt) {
    answer.reason = block->for_ever ? WaitReason::ExceedsMaxQuota : WaitReason::WaitingForQuota;
    answer.detail = block->detail;
    answer.jobs_ahead = fair_.ahead_of(job.id);
    return answer;
  }
  if (!demand.feasible) {
    answer.reason = WaitReason::WaitingForProvisioning;
    answer.detail =
        fmt::format("needs {}; the nodes that have this are down or out of service", need);
    return answer;
  }
  answer.jobs_ahead = static_cast<std::int64_t>(line.waiting.rank(key));
  if (gated) {
    const std::int64_t ahead = fair_.ahead_of(job.id);
    answer.jobs_ahead = static_cast<std::int64_t>(line.waiting.size()) + ahead;
    if (ahead > 0) answer.blocked_by = fair_.first_of_queue(job.id);
  }
  // Nodes may have gone since room was to be made on them.
  const bool room_is_made =
      line.making_room.contains(job.id) && fits_once_stopped(line.running, demand, cluster, jobs);
  answer.reason = WaitReason::WaitingForPreemption;
  if (room_is_made && line.claims.contains(job.id)) return answer;
  const bool first = line.waiting.empty() || line.waiting.first().key == key;
  const bool other = line.reservation && line.reservation->job != job.id;
  if (!first) answer.blocked_by = other ? line.reservation->job : line.waiting.first().key.job;
  // What is free may be kept for who has a claim from that one too.
  const auto ahead = answer.blocked_by;
  const bool claims_first =
      !line.claims.empty() &&
      (first || !line.reservation || (ahead && fits(jobs.find(*ahead)->spec, partition, cluster)));
  if (claims_first) answer.blocked_by = line.claims.begin()->first;
  const bool pending = !answer.blocked_by || line.unfinished.has_value();
  std::int64_t work = 0;
  if (fits(cluster, demand, work)) {
    answer.reason = pending ? WaitReason::PendingEvaluation : WaitReason::ReservedForOther;
    answer.detail =
        pending ? "fits now; the next decision looks at it"
                : fmt::format("needs {}, which is free, but kept for job {}, which goes before it",
                              need, answer.blocked_by->value);
    return answer;
  }
  const std::string_view held = held_text(line.running, demand, cluster, jobs, now);
  if (blocked_by_wishes(cluster, job.spec, demand, held, answer) || room_is_made) return answer;
  const Free free = free_for(demand, cluster);
  answer.reason =
      enough_in_sum(demand, free) ? WaitReason::FragmentationBlocked : WaitReason::WaitingForTurn;
  answer.detail =
      fmt::format("needs {}; {}; {} jobs ahead{}", need, free_text(free), answer.jobs_ahead, held);
  return answer;
}

}  // namespace gyre::reason
