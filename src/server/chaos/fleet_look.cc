#include "server/chaos/fleet_look.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "act/gang_start.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using Kind = ChaosFault::Kind;

bool is_of_task(Kind kind) { return kind == Kind::KillTask || kind == Kind::HangTask; }

/// Whether the node's tasks may be lost by it.
bool may_lose_tasks(Kind kind) {
  return kind == Kind::CutNode || kind == Kind::PauseAgent || kind == Kind::KillNode ||
         kind == Kind::SlowNetwork;
}

/// Whether the node's tasks may fail by it.
bool may_fail_tasks(Kind kind) { return kind == Kind::BreakGpu || kind == Kind::FillDisk; }

bool allows(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() || std::find(names.begin(), names.end(), name) != names.end();
}

bool may_be_hit(const Job& job, const FaultRequest& request) {
  return allows(request.queues, job.spec->queue) && allows(request.tenants, job.spec->tenant);
}

/// A service replaces its replicas; a job is tried again as its spec says.
bool comes_back(const Job& job, bool wish) {
  return !job.service.empty() || (wish && job.retries < job.spec->retry.retries_max);
}

struct Target {
  const Job* job = nullptr;
  std::int32_t rank = 0;
};

/// The tasks that run on the node, by job and rank.
std::vector<Target> targets_on(const control::Controller& core, NodeId node) {
  std::vector<Target> targets;
  core.jobs().for_each([&](const Job& job) {
    if (job.state != JobState::Running) return;
    for (const TaskPlacement& task : job.placement) {
      const auto rank = static_cast<std::size_t>(task.rank);
      if (task.node == node && job.tasks.at(rank) == TaskState::Running) {
        targets.push_back({&job, task.rank});
      }
    }
  });
  std::sort(targets.begin(), targets.end(), [](const Target& a, const Target& b) {
    return std::pair(a.job->id, a.rank) < std::pair(b.job->id, b.rank);
  });
  return targets;
}

act::TaskKey key_of(const Target& target) { return act::key_of(*target.job, target.rank); }

Result<act::TaskKey> choose_task(const control::Controller& core, NodeId node,
                                 const FaultRequest& request) {
  std::vector<Target> targets = targets_on(core, node);
  const auto name = [&] { return core.cluster().node(node).spec.name; };
  if (request.job) {
    const auto found = std::find_if(targets.begin(), targets.end(), [&](const Target& one) {
      return one.job->id == *request.job && one.rank == request.rank;
    });
    if (found == targets.end()) {
      return fail(ErrorKind::NotFound, "task {} of job {} does not run on node {}", request.rank,
                  request.job->value, name());
    }
    return key_of(*found);
  }
  std::erase_if(targets, [&](const Target& one) {
    return !may_be_hit(*one.job, request) || !comes_back(*one.job, one.job->spec->retry.on_error);
  });
  if (targets.empty()) {
    return fail(ErrorKind::NotFound,
                "no task runs on node {} that may be hit and would be tried again after an error",
                name());
  }
  const Target& one = targets[request.which % targets.size()];
  return key_of(one);
}

/// Errors: Conflict, a fault of the node would hit what may not be, or would not come back.
Result<void> check_residents(const control::Controller& core, NodeId node,
                             const FaultRequest& request) {
  for (const Target& one : targets_on(core, node)) {
    const Job& job = *one.job;
    if (!may_be_hit(job, request)) {
      return fail(ErrorKind::Conflict, "job {} of queue {} runs on that node and may not be hit",
                  job.id.value, job.spec->queue);
    }
    if (may_lose_tasks(request.kind) && !comes_back(job, job.spec->retry.on_interruption)) {
      return fail(ErrorKind::Conflict,
                  "job {} runs on that node and would not be tried again if its task were lost",
                  job.id.value);
    }
    if (may_fail_tasks(request.kind) && !comes_back(job, job.spec->retry.on_error)) {
      return fail(ErrorKind::Conflict,
                  "job {} runs on that node and would not be tried again after an error",
                  job.id.value);
    }
  }
  return {};
}

/// Errors: Conflict, the node has no GPUs.
Result<void> choose_device(const control::Controller& core, const Node& at, NodeId node,
                           const FaultRequest& request, FaultRecord& fault) {
  if (at.spec.gpus == 0) return fail(ErrorKind::Conflict, "node {} has no GPUs", fault.node);
  fault.device =
      static_cast<std::int32_t>(request.which % static_cast<std::uint64_t>(at.spec.gpus));
  for (const Target& one : targets_on(core, node)) {
    for (const TaskPlacement& placed : one.job->placement) {
      const bool has_it = (placed.allocation.devices >> fault.device & 1U) != 0;
      if (placed.rank != one.rank || !has_it) continue;
      fault.tasks.push_back(key_of(one));
    }
  }
  return {};
}

bool is_in_service(const Node& node) {
  return node.up && !node.silent && !node.quarantined && node.gpu_troubles.none();
}

/// By a person: out of service, and gone.
bool is_given_up(const Node& node) { return !node.up && node.duty != NodeDuty::Open; }

/// By name, the latest of each.
std::map<std::string, const Node*> latest_nodes(const control::Controller& core) {
  std::map<std::string, const Node*> nodes;
  for (const Node& node : core.cluster().nodes()) nodes[node.spec.name] = &node;
  return nodes;
}

std::string service_trouble(const control::Controller& core) {
  for (const auto& [name, service] : core.services().all()) {
    const auto ready = std::count_if(
        service.replicas.begin(), service.replicas.end(),
        [](const Replica& one) { return one.ready && one.phase == Replica::Phase::Serving; });
    if (!service.deleted && ready < service.scale.wanted) {
      return fmt::format("service {} has {} of {} replicas ready", name, ready,
                         service.scale.wanted);
    }
  }
  return "";
}

void settle(FaultRecord& fault, FaultRecord::State state, Time now, std::string detail = "") {
  fault.state = state;
  fault.detail = std::move(detail);
  if (state == FaultRecord::State::Recovered) fault.recovered_at = now;
}

void look_at_task(const control::Controller& core, Time now, FaultRecord& fault) {
  const Job* job = core.jobs().find(fault.task->job);
  if (job == nullptr || !job->service.empty()) {
    if (service_trouble(core).empty()) settle(fault, FaultRecord::State::Recovered, now);
    return;
  }
  if (job->state == JobState::Failed) {
    return settle(fault, FaultRecord::State::Lost, now,
                  fmt::format("job {} has failed", job->id.value));
  }
  const std::int32_t rank = fault.task->rank;
  const bool again = job->state == JobState::Running &&
                     job->tasks[static_cast<std::size_t>(rank)] == TaskState::Running &&
                     (fault.kind == Kind::HangTask || attempt_of(*job, rank) > fault.task->attempt);
  if (again || is_final(job->state)) settle(fault, FaultRecord::State::Recovered, now);
}

}  // namespace

Result<FaultRecord> aim(const control::Controller& core, const std::string& node,
                        const FaultRequest& request) {
  const auto id = find_node(core, node);
  if (!id) return tl::unexpected(id.error());
  const Node& at = core.cluster().node(*id);
  FaultRecord fault;
  fault.kind = request.kind;
  fault.way = request.way;
  fault.node = at.spec.name;
  fault.lasts = request.lasts;
  fault.network = request.network;
  fault.by = request.by;
  if (!is_in_service(at)) {
    return fail(ErrorKind::Conflict, "node {} is not in service: it has troubles of its own",
                fault.node);
  }
  if (request.kind == Kind::DrainNode && at.duty != NodeDuty::Open) {
    return fail(ErrorKind::Conflict, "node {} is out of service already", fault.node);
  }
  if (is_of_task(request.kind)) {
    const auto task = choose_task(core, *id, request);
    if (!task) return tl::unexpected(task.error());
    fault.task = *task;
  } else if (auto good = check_residents(core, *id, request); !good) {
    return tl::unexpected(good.error());
  }
  if (request.kind == Kind::BreakGpu) {
    if (auto good = choose_device(core, at, *id, request, fault); !good) {
      return tl::unexpected(good.error());
    }
  }
  return fault;
}

FaultRecord aim_at_server(const FaultRequest& request) {
  FaultRecord fault;
  fault.kind = request.kind;
  fault.lasts = request.lasts;
  fault.jump = request.jump;
  fault.delay = request.delay;
  fault.by = request.by;
  return fault;
}

std::string unrest(const control::Controller& core, const std::vector<FaultRecord>& own) {
  std::set<std::string> nodes;
  std::set<JobId> jobs;
  for (const FaultRecord& fault : own) {
    nodes.insert(fault.node);
    if (fault.task) jobs.insert(fault.task->job);
  }
  for (const auto& [name, node] : latest_nodes(core)) {
    if (is_in_service(*node) || is_given_up(*node) || nodes.contains(name)) continue;
    return fmt::format("node {} is {}", name,
                       !node->up           ? "down"
                       : node->silent      ? "silent"
                       : node->quarantined ? "in quarantine"
                                           : "not sure of its GPUs");
  }
  for (const Incident& incident : core.healer().incidents()) {
    if (incident.outcome != Incident::Outcome::Open &&
        incident.outcome != Incident::Outcome::Held) {
      continue;
    }
    const bool of_node =
        incident.node && nodes.contains(core.cluster().node(*incident.node).spec.name);
    if (of_node || (incident.job && jobs.contains(*incident.job))) continue;
    return fmt::format("incident {} is open", incident.id);
  }
  return service_trouble(core);
}

void look_for_recovery(const control::Controller& core, Time now, FaultRecord& fault) {
  if (is_of_task(fault.kind)) return look_at_task(core, now, fault);
  if (fault.of_server()) {
    if (unrest(core, {}).empty()) settle(fault, FaultRecord::State::Recovered, now);
    return;
  }
  const auto nodes = latest_nodes(core);
  const auto found = nodes.find(fault.node);
  if (found == nodes.end()) return;
  if (is_given_up(*found->second)) {
    return settle(fault, FaultRecord::State::Lost, now, "its node has been taken out of service");
  }
  if (!is_in_service(*found->second)) return;
  if (fault.kind == Kind::DrainNode && found->second->duty == NodeDuty::Draining) return;
  if (service_trouble(core).empty()) settle(fault, FaultRecord::State::Recovered, now);
}

}  // namespace gyre::server
