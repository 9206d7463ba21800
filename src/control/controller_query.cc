// What a controller answers without changing.
#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/assert.h"
#include "base/units.h"
#include "control/controller.h"
#include "reason/placement/placement.h"

namespace gyre::control {
namespace {

std::string describe(const NodeSpec& node) {
  const std::string memory =
      node.gpu_memory.value > 0 ? fmt::format(" of {}", format_memory(node.gpu_memory)) : "";
  const std::string gpus =
      node.gpus == 0 ? "no GPUs"
                     : fmt::format("{}{} x {}{}", node.virtual_gpus ? "virtual GPUs: " : "",
                                   node.gpus, node.gpu_model, memory);
  return fmt::format("{} with {}, {:.15g} CPU, {}", node.name, gpus,
                     static_cast<double>(node.cpu.value) / 1000, format_memory(node.memory));
}

/// What stands in the way where it is the way of sharing and nothing else; empty where it is not.
std::string sharing_detail(const NodeSpec& node, const Shape& shape, const Request& request) {
  if (request.gpus == 0 || can_share(shape, request)) return "";
  Request otherwise = request;
  otherwise.sharing = Sharing::Auto;
  otherwise.gpu_milli = kWholeGpu;
  otherwise.gpus = 1;
  if (!reason::could_run(shape, otherwise)) return "";
  return fmt::format("; on {} {}", node.name, why_not_shared(shape, request));
}

/// The node nearest to what one task asks: of a wanted model if there is one, then most GPUs.
const Node* best_node(const Cluster& cluster, PartitionId partition, const Request& request) {
  const Node* best = nullptr;
  std::tuple<bool, bool, std::int32_t, CpuMilli, MemoryMib> best_rank{};
  for (const Node& node : cluster.nodes()) {
    const Shape& shape = cluster.shape(node.shape);
    if (shape.partition != partition) continue;
    const auto& models = request.gpu_models;
    const bool wanted = std::find(models.begin(), models.end(), shape.gpu_model) != models.end();
    const std::tuple rank{reason::could_run(shape, request), wanted, shape.gpus, shape.cpu,
                          shape.memory};
    if (best == nullptr || rank > best_rank) {
      best = &node;
      best_rank = rank;
    }
  }
  return best;
}

/// Of a job whose turn it is not: when its long wait makes it the first.
std::string patience_text(Time first, Duration starve_after, Time now) {
  if (first == Time::max()) return "";
  const std::string span = format_duration(starve_after);
  if (first <= now)
    return fmt::format("; goes before others, for it has waited longer than {}", span);
  return fmt::format("; goes first after waiting {}, at {}", span, format_utc(first));
}

bool is_of_line(WaitReason reason) {
  return reason == WaitReason::WaitingForTurn || reason == WaitReason::ReservedForOther ||
         reason == WaitReason::FragmentationBlocked || reason == WaitReason::TopologyBlocked ||
         reason == WaitReason::AffinityBlocked;
}

}  // namespace

/// Whom its placement rules name, there must be.
Result<void> Controller::check_groups(const JobSpec& spec) const {
  if (!spec.placement) return {};
  for (const bool near : {true, false}) {
    const std::string& name = near ? spec.placement->near : spec.placement->apart;
    if (name.empty()) continue;
    bool known = groups_.contains(group_id(spec.tenant, name));
    for (const auto& [id, service] : services_.all()) {
      const JobSpec& other = service.spec.replica;
      known = known || (!service.deleted && other.tenant == spec.tenant && group_of(other) == name);
    }
    if (known) continue;
    return fail(ErrorKind::Invalid,
                "placement: {} names the group '{}', and no job that waits or runs and no service "
                "is in it: submit those first; a job is in a group if it says 'placement' itself",
                near ? "near" : "apart", name);
  }
  return {};
}

void Controller::join_group(const JobSpec& spec) {
  if (const auto affinity = affinity_of(spec)) ++groups_[affinity->group];
}

void Controller::leave_group(const JobSpec& spec) {
  const auto affinity = affinity_of(spec);
  if (!affinity) return;
  const auto group = groups_.find(affinity->group);
  if (--group->second == 0) groups_.erase(group);
}

Result<void> Controller::check(const JobSpec& spec) const {
  if (auto valid = validate(spec); !valid) return valid;
  if (auto known = check_groups(spec); !known) return known;
  const auto partition = partition_of(spec);
  if (!partition) {
    std::vector<std::string> names;
    for (const QueueSpec& queue : queues_) names.push_back(queue.name);
    return fail(ErrorKind::Invalid, "there is no queue '{}'; there are: {}", spec.queue,
                fmt::join(names, ", "));
  }
  if (!scheduler_.fair_share().is_leaf(spec.queue)) {
    return fail(ErrorKind::Invalid, "queue '{}' has queues below it; jobs go to one of those",
                spec.queue);
  }
  if (scheduler_.fits_ever(spec, *partition)) return {};
  if (scheduler_.fits_ever(spec.tasks, *partition)) {
    return fail(ErrorKind::NeverFits,
                "this can never run: it asks for {}; the fleet has as many such nodes, but not in "
                "one; ask for fewer nodes, a wider level, or 'preferred' instead of 'required'",
                reason::describe(spec));
  }
  const Request& request = spec.tasks.front().request;
  const Node* best = best_node(cluster_, *partition, request);
  if (best == nullptr) {
    return fail(ErrorKind::NeverFits, "no node has joined that queue '{}' may use", spec.queue);
  }
  const auto nodes = std::count_if(
      cluster_.nodes().begin(), cluster_.nodes().end(),
      [&](const Node& node) { return cluster_.shape(node.shape).partition == *partition; });
  return fail(ErrorKind::NeverFits,
              "this can never run: it asks for {}; the best of {} node{} is {}{}",
              reason::describe(spec), nodes, nodes == 1 ? "" : "s", describe(best->spec),
              sharing_detail(best->spec, cluster_.shape(best->shape), request));
}

Result<Plan> Controller::plan(const JobSpec& spec) const {
  if (auto checked = check(spec); !checked) return tl::unexpected(checked.error());
  Controller fork = *this;
  const JobId id{jobs_.last().value + 1};
  const Decisions& decisions =
      fork.step({now_, EventSeq{seq_.value + 1}, JobSubmitted{id, spec, {}}});
  Plan plan;
  for (const Command& command : decisions.commands) {
    if (const auto* start = std::get_if<StartGang>(&command.body); start && start->job == id) {
      plan.starts_now = true;
      plan.rule = start->rule;
      plan.placement = start->placement;
    }
    if (const auto* stop = std::get_if<StopGang>(&command.body); stop && stop->beneficiary == id) {
      plan.preempts.push_back(stop->job);
    }
  }
  if (!plan.starts_now) plan.waiting = fork.explain(*fork.jobs().find(id));
  return plan;
}

Explanation Controller::explain(const Job& job) const {
  GYRE_ASSERT(job.state == JobState::Queued);
  Explanation answer;
  if (job.hold_until) {
    answer.reason = WaitReason::OnHold;
    const std::string& why = job.exit.message;
    answer.detail =
        fmt::format("attempt {} ended ({}{}{}); retry {} of {} in {}", job.attempt,
                    to_string(job.ending), why.empty() ? "" : ": ", why, job.retries,
                    job.spec->retry.retries_max, format_duration(*job.hold_until - now_));
    return answer;
  }
  answer = scheduler_.explain(job, partition_of(job), cluster_, jobs_, now_);
  const auto room = making_room_.find(job.id);
  if (answer.reason == WaitReason::WaitingForPreemption && room != making_room_.end()) {
    answer.detail = fmt::format("{} job{} being stopped to make room for it", room->second.size(),
                                room->second.size() == 1 ? " is" : "s are");
    answer.blocked_by = *room->second.begin();
  }
  if (is_of_line(answer.reason)) {
    answer.detail += patience_text(scheduler_.starves_at(job), policy().starve_after, now_);
  }
  return answer;
}

}  // namespace gyre::control
