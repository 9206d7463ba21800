#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/shared.h"
#include "base/time.h"
#include "domain/gpu_sample.h"
#include "domain/healing.h"
#include "domain/idle.h"
#include "domain/image_holders.h"
#include "domain/job.h"
#include "domain/job_spec.h"
#include "domain/node.h"
#include "domain/policy.h"
#include "domain/price.h"
#include "domain/queue.h"
#include "domain/service.h"

namespace gyre {

/// Nothing happened but time.
struct Tick {
  bool operator==(const Tick&) const = default;
};
/// From here on decisions follow this policy. The first event of every journal.
struct PolicySet {
  PolicySpec policy;
  bool operator==(const PolicySet&) const = default;
};
/// A queue is there, or its quota is another now. Its parent and its partition never change.
struct QueueSet {
  QueueSpec queue;
  bool operator==(const QueueSet&) const = default;
};
/// A node joined. Ids are dense: the n-th node to join is node n.
struct NodeJoined {
  NodeId node;
  NodeSpec spec;
  bool operator==(const NodeJoined&) const = default;
};
/// A node is gone, with every task on it.
struct NodeLost {
  NodeId node;
  std::string cause;
  bool operator==(const NodeLost&) const = default;
};
/// A lost node is back, empty.
struct NodeReturned {
  NodeId node;
  bool operator==(const NodeReturned&) const = default;
};
/// A person takes a node out of service or back into it; holds whether it is up or not.
struct NodeDutySet {
  NodeId node;
  NodeDuty duty = NodeDuty::Open;
  bool operator==(const NodeDutySet&) const = default;
};
/// A node has not been heard for a while, or is heard again. Meanwhile its tasks may well run, so
/// they keep what they have, but nothing new is put there.
struct NodeContact {
  NodeId node;
  bool silent = false;
  bool operator==(const NodeContact&) const = default;
};
struct JobSubmitted {
  JobId job;
  Shared<JobSpec> spec;
  std::string submission_key;  // a repeated submission with the same key is the same job
  bool operator==(const JobSubmitted&) const = default;
};
struct JobStopRequested {
  JobId job;
  bool operator==(const JobStopRequested&) const = default;
};
struct TaskStarted {
  JobId job;
  std::int32_t attempt = 0;
  std::int32_t rank = 0;
  StartStages stages{};
  bool operator==(const TaskStarted&) const = default;
};
/// A task is over, or could not be started, or its fate is unknown and it is fenced (Kind::Lost).
struct TaskEnded {
  JobId job;
  std::int32_t attempt = 0;
  std::int32_t rank = 0;
  TaskExit exit;
  bool operator==(const TaskEnded&) const = default;
};

/// From here on symptoms are answered by this playbook. Without one nothing is healed by itself.
struct HealingSet {
  HealingSpec healing;
  bool operator==(const HealingSet&) const = default;
};
/// A node's driver reports a critical error of one device.
struct GpuErrorSeen {
  NodeId node;
  std::int32_t device = 0;  // as allocations count them
  std::int32_t xid = 0;
  bool operator==(const GpuErrorSeen&) const = default;
};
/// How a device is has become another. While one of a node's is not well, nothing new is put there.
struct GpuHealthSeen {
  NodeId node;
  std::int32_t device = 0;  // as allocations count them
  GpuHealth health = GpuHealth::Ok;
  bool operator==(const GpuHealthSeen&) const = default;
};
/// A node that came had tasks running that are in no record; they are being ended.
struct OrphansEnded {
  NodeId node;
  std::string tasks;  // which; one line for a person
  bool operator==(const OrphansEnded&) const = default;
};
/// A task has made no progress, and its devices were idle, for so long; confirmed by the node.
struct TaskStalled {
  JobId job;
  std::int32_t attempt = 0;
  std::int32_t rank = 0;
  Duration idle{0};
  bool operator==(const TaskStalled&) const = default;
};

/// What came of a RepairNode; of what a node does not know it is not good.
struct RepairEnded {
  NodeId node;
  CommandId command;
  bool good = false;
  std::string detail;  // one line for a person
  bool operator==(const RepairEnded&) const = default;
};

/// The server's own store was damaged or had no room, and is of use again.
struct StoreHealed {
  Symptom symptom = Symptom::JournalDamaged;
  Time since;
  std::string evidence;  // what was seen and done; one line for a person
  bool operator==(const StoreHealed&) const = default;
};

/// A cycle may look at so many node states from now on; what it does not get to is for the next
/// one. Ignored unless positive.
struct WorkBudgetSet {
  std::int64_t work = 0;
  bool operator==(const WorkBudgetSet&) const = default;
};

/// A service is wanted like this from now on.
struct ServiceApplied {
  ServiceSpec spec;
  bool operator==(const ServiceApplied&) const = default;
};
struct ServiceDeleted {
  std::string service;
  bool operator==(const ServiceDeleted&) const = default;
};
/// What its proxy sees of a service: told when it has become another, and not more often than makes
/// sense to act upon.
struct ServiceLoadSeen {
  std::string service;
  std::int64_t in_flight_milli = 0;  // requests at replicas, the mean since it was last told
  std::int64_t queued = 0;           // requests that wait for a replica
  Duration waited{0};                // the longest that one did, or does, since it was last told
  std::int64_t gpu_ppm = -1;         // busy time of the GPUs of all ready replicas; -1: not known
  bool operator==(const ServiceLoadSeen&) const = default;
};
/// What the probes say of a replica has become another.
struct ReplicaProbed {
  JobId job;
  std::int32_t attempt = 0;
  ReplicaHealth health = ReplicaHealth::Ready;
  std::string detail;  // for a person, where it is not ready
  bool operator==(const ReplicaProbed&) const = default;
};

/// From here on what jobs hold costs this; without prices nothing is charged.
struct PriceSet {
  std::optional<PriceList> prices;
  bool operator==(const PriceSet&) const = default;
};

/// From here on jobs that do not use their GPUs are treated like this.
struct IdleSet {
  IdleSpec idle;
  bool operator==(const IdleSet&) const = default;
};
/// What a job's devices have done; told where it matters to what was set last.
struct GpuUseSeen {
  GpuUse use;
  bool operator==(const GpuUseSeen&) const = default;
};

/// What a node says of the images that it holds has become another.
struct NodeImagesSeen {
  NodeId node;
  std::vector<HeldImage> added;
  std::vector<HeldImage> removed;
  bool operator==(const NodeImagesSeen&) const = default;
};

/// Something the core learns. A world stamps events on entry: `at` never goes backwards, and `seq`
/// grows by one each time, so equal times are ordered.
struct Event {
  Time at;
  EventSeq seq;
  using Body =
      std::variant<Tick, PolicySet, QueueSet, NodeJoined, NodeLost, NodeReturned, NodeDutySet,
                   NodeContact, JobSubmitted, JobStopRequested, TaskStarted, TaskEnded, HealingSet,
                   GpuErrorSeen, TaskStalled, StoreHealed, ServiceApplied, ServiceDeleted,
                   ServiceLoadSeen, ReplicaProbed, WorkBudgetSet, PriceSet, IdleSet, GpuUseSeen,
                   RepairEnded, NodeImagesSeen, GpuHealthSeen, OrphansEnded>;
  Body body;

  bool operator==(const Event&) const = default;
};

}  // namespace gyre
