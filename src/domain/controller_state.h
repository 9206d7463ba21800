#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "domain/command.h"
#include "domain/demand_mix.h"
#include "domain/gpu_sample.h"
#include "domain/healing.h"
#include "domain/idle.h"
#include "domain/image_holders.h"
#include "domain/job.h"
#include "domain/node.h"
#include "domain/policy.h"
#include "domain/price.h"
#include "domain/queue.h"
#include "domain/reservation.h"
#include "domain/run_time_history.h"
#include "domain/service.h"

namespace gyre {

struct NodeState {
  NodeSpec spec;
  bool up = true;
  NodeDuty duty = NodeDuty::Open;
  bool silent = false;
  GpuTroubles gpu_troubles{};
  bool operator==(const NodeState&) const = default;
};

/// Node states that a cycle may look at, until a WorkBudgetSet says otherwise.
inline constexpr std::int64_t kCycleWorkDefault = 2'000'000;

/// All of a controller that does not follow from the rest of it: what a snapshot holds. A
/// controller restored from this decides as the original would.
struct ControllerState {
  EventSeq seq;  // of the last event in it
  Time now;
  CommandId last_command;
  JobId last_job;  // the highest id so far
  PolicySpec policy;
  std::vector<std::string> partitions;  // in the order in which they were first named
  std::vector<QueueSpec> queues;
  std::vector<NodeState> nodes;           // by id
  std::vector<Job> jobs;                  // by id, finished ones that are still kept included
  std::vector<Reservation> reservations;  // by partition
  RunTimeHistory run_times;
  DemandMix demand_mix;
  HealingState healing;
  std::vector<QueueUsage> queue_usages;  // by queue, of those that keep some
  std::vector<Admission> admissions;     // by place
  std::int64_t last_admission = 0;       // the highest place so far
  std::vector<Service> services;         // by name
  std::int64_t cycle_work_max = kCycleWorkDefault;
  LedgerState ledger;
  IdleState idle;
  std::vector<ImageHolding> images;       // by image
  std::vector<ImageFetch> image_fetches;  // by node, then as they were asked for
  std::vector<Duration> stops;            // how long the latest took; the latest last
  std::vector<Duration> starts;           // the same

  bool operator==(const ControllerState&) const = default;
};

}  // namespace gyre
