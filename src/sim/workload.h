#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/demand_mix.h"
#include "domain/node.h"
#include "domain/queue.h"
#include "domain/request.h"
#include "sim/traces/fleet.h"
#include "sim/traces/trace.h"

namespace gyre::sim {

/// A trace made ready for a fleet: every demand split into tasks. Equal gangs are stored once.
struct Workload {
  std::vector<QueueSpec> queues;      // by the trace's queue index
  std::vector<QueueSpec> all_queues;  // parents first; those that the trace does not name as well
  std::vector<std::vector<TaskGroup>> gangs;
  std::vector<std::uint32_t> gang_of;  // by job
};

/// A demand as tasks: one, if it fits a node of `gpus_per_node_max` GPUs, else as many nodes of
/// that size as it fills and one task for the remainder. CPU and memory follow the GPUs, rounded
/// up.
std::vector<TaskGroup> split(const Demand& demand, std::int32_t gpus_per_node_max);

/// Splits by the largest node that the job may use: of a model it accepts, in its queue's
/// partition. O(jobs + distinct demands * nodes).
Workload make_workload(const Trace& trace, const Fleet& fleet);

/// Gives queues their quotas, and adds those that only `quotas` names. Errors: Invalid where they
/// cannot stand beside one another, guarantee more than the fleet has, or a queue of the trace has
/// others below it.
Result<void> give_quotas(Workload& workload, const std::vector<QueueSpec>& quotas,
                         const Fleet& fleet);

/// GPU hours of so many tasks over `span`.
double gpu_hours(const std::vector<TaskGroup>& tasks, Duration span);

/// All tasks of the workload by kind, by request.
std::vector<DemandKind> demand_mix(const Workload& workload);

}  // namespace gyre::sim
