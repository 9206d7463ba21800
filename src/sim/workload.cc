#include "sim/workload.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "domain/node_resources.h"

namespace gyre::sim {
namespace {

std::int64_t share(std::int64_t total, std::int64_t part, std::int64_t whole) {
  return whole == 0 ? total : (total * part + whole - 1) / whole;
}

Request request_for(const Demand& demand, std::int32_t gpus) {
  Request request;
  request.gpus = gpus;
  request.gpu_milli = demand.gpu_milli;
  request.gpu_models = demand.gpu_models;
  request.cpu = CpuMilli{share(demand.cpu.value, gpus, demand.gpus)};
  request.memory = MemoryMib{share(demand.memory.value, gpus, demand.gpus)};
  return request;
}

std::vector<TaskGroup> split_evenly(const Demand& demand) {
  Request request = request_for(demand, demand.gpus / demand.nodes);
  request.cpu = CpuMilli{share(demand.cpu.value, 1, demand.nodes)};
  request.memory = MemoryMib{share(demand.memory.value, 1, demand.nodes)};
  return {{demand.nodes, request}};
}

std::int32_t largest_node(const Fleet& fleet, const std::string& partition, const Demand& demand) {
  std::int32_t gpus = 0;
  for (const NodeSpec& node : fleet.nodes) {
    const auto& models = demand.gpu_models;
    const bool wanted =
        models.empty() || std::find(models.begin(), models.end(), node.gpu_model) != models.end();
    if (node.partition == partition && wanted) gpus = std::max(gpus, node.gpus);
  }
  return gpus == 0 ? kGpusPerNodeMax : gpus;  // 0: it never fits, but is well-formed
}

}  // namespace

std::vector<TaskGroup> split(const Demand& demand, std::int32_t gpus_per_node_max) {
  if (demand.nodes > 0) return split_evenly(demand);
  if (demand.gpus <= gpus_per_node_max) return {{1, request_for(demand, demand.gpus)}};
  const std::int32_t rest = demand.gpus % gpus_per_node_max;
  std::vector<TaskGroup> tasks{
      {demand.gpus / gpus_per_node_max, request_for(demand, gpus_per_node_max)}};
  if (rest > 0) tasks.push_back({1, request_for(demand, rest)});
  return tasks;
}

Workload make_workload(const Trace& trace, const Fleet& fleet) {
  Workload workload;
  for (const std::string& queue : trace.queues) {
    workload.queues.push_back({queue, fleet.partitioned ? queue : std::string()});
  }
  workload.all_queues = workload.queues;
  // Jobs of one demand in one partition are split alike; unpartitioned queues count as one.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> gang_index;
  workload.gang_of.reserve(trace.jobs.size());
  for (const TraceJob& job : trace.jobs) {
    const std::uint32_t partition = fleet.partitioned ? job.queue : 0;
    const auto [found, is_new] = gang_index.try_emplace(
        {job.demand, partition}, static_cast<std::uint32_t>(workload.gangs.size()));
    if (is_new) {
      const Demand& demand = trace.demands[job.demand];
      const std::string& name = workload.queues[partition].partition;
      workload.gangs.push_back(split(demand, largest_node(fleet, name, demand)));
    }
    workload.gang_of.push_back(found->second);
  }
  return workload;
}

Result<void> give_quotas(Workload& workload, const std::vector<QueueSpec>& quotas,
                         const Fleet& fleet) {
  std::vector<QueueSpec> all = quotas;
  std::set<std::string> parents;
  std::set<std::string> named;
  std::set<std::string> partitions;
  for (const QueueSpec& queue : quotas) {
    named.insert(queue.name);
    parents.insert(queue.parent);
    partitions.insert(queue.partition);
  }
  for (const QueueSpec& queue : workload.queues) {
    if (parents.contains(queue.name)) {
      return fail(ErrorKind::Invalid,
                  "jobs of the trace are in queue '{}', which has queues below it; jobs belong to "
                  "queues without any",
                  queue.name);
    }
    if (!named.contains(queue.name)) all.push_back(queue);
  }
  if (auto valid = validate(all); !valid) return valid;
  for (const std::string& partition : partitions) {
    ResourceSum sum;
    for (const NodeSpec& node : fleet.nodes) {
      if (node.partition == partition) sum += resources_of(node);
    }
    if (auto valid = validate_guarantees(all, partition, sum); !valid) return valid;
  }
  workload.all_queues = std::move(all);
  return {};
}

double gpu_hours(const std::vector<TaskGroup>& tasks, Duration span) {
  constexpr double kMilliNsPerGpuHour = 3.6e15;
  return static_cast<double>(span.ns) * static_cast<double>(gpu_total(tasks).value) /
         kMilliNsPerGpuHour;
}

std::vector<DemandKind> demand_mix(const Workload& workload) {
  std::vector<std::int64_t> jobs_of_gang(workload.gangs.size(), 0);
  for (const std::uint32_t gang : workload.gang_of) ++jobs_of_gang[gang];
  std::map<Request, std::int64_t> tasks_of;
  for (std::size_t i = 0; i < workload.gangs.size(); ++i) {
    for (const TaskGroup& group : workload.gangs[i]) {
      Request kind = group.request;
      kind.memory = MemoryMib{0};
      tasks_of[kind] += jobs_of_gang[i] * group.count;
    }
  }
  std::vector<DemandKind> mix;
  for (const auto& [request, tasks] : tasks_of) mix.push_back({request, tasks});
  return mix;
}

}  // namespace gyre::sim
