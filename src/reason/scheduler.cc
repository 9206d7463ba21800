#include "reason/scheduler.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "base/assert.h"
#include "reason/backfill/easy.h"
#include "reason/placement/search.h"
#include "reason/preemption/victims.h"

namespace gyre::reason {
namespace {

/// The next entry of one demand that may overtake.
struct Cursor {
  Waiting entry;
  bool only_short = false;  // entries that run past the reservation do not fit beside it

  bool operator>(const Cursor& o) const { return entry.key > o.entry.key; }
};

}  // namespace

void Scheduler::set_policy(const PolicySpec& policy, Scene scene) {
  policy_ = policy;
  placer_.use(policy.placement);
  scene.cluster.tell_residents_apart(policy.placement == PolicySpec::Placement::GpuClustering);
  for (Line& line : lines_) {
    line.reservation.reset();
    line.stale = Stale::Everything;
    std::vector<Waiting> entries;
    const auto collect = [&](const Waiting& entry) { entries.push_back(entry); };
    line.waiting.for_each(collect);
    line.parked.for_each(collect);
    line.waiting = {};
    line.parked = {};
    line.demands.clear();
    for (const Waiting& entry : entries) demands_.at(entry.demand).waiting = {};
    for (const Waiting& entry : entries) enter(*scene.jobs.find(entry.key.job), entry.demand, line);
  }
}

void Scheduler::fleet_joined(NodeId id, const NodeSpec& spec, Scene scene) {
  sync_partitions(scene.cluster);
  // Cannot fail: the cluster itself has taken the node.
  GYRE_ASSERT(empty_.add(id, spec).has_value());
  GYRE_ASSERT(empty_up_.add(id, spec).has_value());
  reassess(scene.cluster.shape(scene.cluster.node(id).shape).partition, scene.cluster);
}

void Scheduler::fleet_changed(NodeId id, bool up, Scene scene) {
  empty_up_.set_up(id, up);
  reassess(scene.cluster.shape(scene.cluster.node(id).shape).partition, scene.cluster);
}

void Scheduler::settle() {
  for (Line& line : lines_) {
    line.stale = Stale::Nothing;
    line.reservation_stale = false;
  }
}

void Scheduler::sync_partitions(const Cluster& cluster) {
  while (empty_.partition_count() < cluster.partition_count()) {
    const PartitionId next{static_cast<std::uint32_t>(empty_.partition_count())};
    empty_.partition(cluster.partition_name(next));
    empty_up_.partition(cluster.partition_name(next));
  }
}

void Scheduler::reassess(PartitionId partition, const Cluster& cluster) {
  ++fleet_version_;
  Line& changed = line(partition);
  changed.reservation_stale = true;
  changed.stale = Stale::Everything;
  demands_.for_each([&](std::uint32_t index, Demand& demand) {
    if (demand.partition != partition || demand.waiting.empty()) return;
    const bool was_feasible = demand.feasible;
    DemandTable::refresh(demand, cluster);
    assess(demand);
    if (demand.feasible == was_feasible) return;
    WaitingList& from = was_feasible ? changed.waiting : changed.parked;
    WaitingList& to = was_feasible ? changed.parked : changed.waiting;
    demand.waiting.for_each([&](const Waiting& entry) {
      from.erase(entry.key);
      to.insert(entry);
    });
    if (was_feasible) {
      changed.demands.erase(index);
    } else {
      changed.demands.insert(index);
    }
  });
}

OrderKey Scheduler::key_of(const Job& job) const {
  const bool by_priority = policy_.order == PolicySpec::Order::Priority;
  return {by_priority ? -job.spec.priority : 0, job.id};
}

Line& Scheduler::line(PartitionId partition) {
  if (lines_.size() <= partition.value) lines_.resize(partition.value + 1);
  return lines_[partition.value];
}

void Scheduler::assess(Demand& demand) const {
  if (demand.feasible_at == fleet_version_) return;
  demand.feasible_at = fleet_version_;
  std::int64_t work = 0;
  const bool known = demand.partition.value < empty_.partition_count();
  demand.fits_ever = known && fits(empty_, demand, work);
  demand.feasible = demand.fits_ever && fits(empty_up_, demand, work);
}

void Scheduler::enter(const Job& job, std::uint32_t index, Line& line) {
  Demand& demand = demands_.at(index);
  const Waiting entry{key_of(job), job.spec.expected_duration.value_or(Duration::max()), index};
  demand.waiting.insert(entry);
  if (!demand.feasible) return line.parked.insert(entry);
  line.waiting.insert(entry);
  line.demands.insert(index);
  if (line.stale == Stale::Nothing) {
    line.stale = Stale::OneArrival;
    line.arrival = entry;
  } else {
    line.stale = Stale::Everything;
  }
}

bool Scheduler::leave(const OrderKey& key, std::uint32_t index, Line& line) {
  Demand& demand = demands_.at(index);
  if (!demand.waiting.erase(key)) return false;
  if (!demand.feasible) return line.parked.erase(key);
  if (demand.waiting.empty()) line.demands.erase(index);
  return line.waiting.erase(key);
}

bool Scheduler::enqueue(const Job& job, PartitionId partition, Scene scene) {
  sync_partitions(scene.cluster);
  const std::uint32_t index = demands_.intern(partition, job.spec.tasks, scene.cluster);
  assess(demands_.at(index));
  if (!demands_.at(index).fits_ever) return false;
  enter(job, index, line(partition));
  return true;
}

void Scheduler::withdraw(const Job& job, PartitionId partition, Scene scene) {
  Line& target = line(partition);
  const OrderKey key = key_of(job);
  const bool was_first = !target.waiting.empty() && target.waiting.first().key == key;
  leave(key, demands_.intern(partition, job.spec.tasks, scene.cluster), target);
  if (was_first || target.stale != Stale::Nothing) target.stale = Stale::Everything;
}

void Scheduler::job_placed(const Job& job, PartitionId partition) {
  line(partition).running.insert(job);
}

void Scheduler::job_released(const Job& job, PartitionId partition, bool gone, Time now) {
  Line& target = line(partition);
  if (gone) target.running.erase(job.id);
  const auto& expected = job.spec.expected_duration;
  const bool on_time = expected && now == saturating_add(job.attempt_started_at, *expected);
  if (!on_time) target.reservation_stale = true;
  target.stale = Stale::Everything;
}

void Scheduler::job_stopping(const Job& job, PartitionId partition) {
  line(partition).running.update(job);
  line(partition).reservation_stale = true;
  line(partition).stale = Stale::Everything;
}

void Scheduler::cycle(Scene scene, std::int64_t work_max, Actions& actions) {
  std::int64_t work = 0;
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    if (line.stale == Stale::Nothing) continue;
    Turn turn{{i}, line, scene, actions, work, work_max};
    work_off(turn);
    line.stale = Stale::Nothing;
  }
}

bool Scheduler::try_start(const Waiting& waiting, StartRule rule, Turn& turn) {
  const Waiting entry = waiting;  // the original goes away
  Cluster& cluster = turn.scene.cluster;
  auto placement = placer_.find(cluster, demands_.at(entry.demand), entry.key.job.value, turn.work);
  if (!placement) return false;
  for (const TaskPlacement& task : *placement) cluster.allocate(task.node, task.allocation);
  leave(entry.key, entry.demand, turn.line);
  turn.actions.start(entry.key.job, std::move(*placement), rule);
  return true;
}

bool Scheduler::try_start_beside(const Waiting& waiting, Turn& turn) {
  const Waiting entry = waiting;
  Cluster& cluster = turn.scene.cluster;
  std::optional<std::vector<TaskPlacement>> placement;
  {
    Trial trial(cluster, turn.partition);
    hold(trial, cluster, *turn.line.reservation);
    placement = placer_.find(cluster, demands_.at(entry.demand), entry.key.job.value, turn.work);
  }
  if (!placement) return false;
  for (const TaskPlacement& task : *placement) cluster.allocate(task.node, task.allocation);
  run_past(*turn.line.reservation, *placement);
  leave(entry.key, entry.demand, turn.line);
  turn.actions.start(entry.key.job, std::move(*placement), StartRule::Backfill);
  return true;
}

void Scheduler::start_heads(Turn& turn) {
  while (!turn.line.waiting.empty() && !turn.spent()) {
    const Waiting& head = turn.line.waiting.first();
    Demand& demand = demands_.at(head.demand);
    const std::uint64_t growth = turn.scene.cluster.growth(turn.partition);
    if (demand.failed_at == growth) return;
    if (try_start(head, StartRule::HeadOfLine, turn)) {
      turn.line.reservation.reset();
      turn.line.stale = Stale::Everything;
    } else {
      demand.failed_at = growth;
      return;
    }
  }
}

void Scheduler::work_off(Turn& turn) {
  Line& line = turn.line;
  start_heads(turn);
  line.exhausted = turn.spent() && !line.waiting.empty();
  if (line.waiting.empty() || line.exhausted) line.reservation.reset();
  if (line.waiting.empty() || line.exhausted) return;
  const Waiting head = line.waiting.first();
  const bool same_head = line.reservation && line.reservation->job == head.key.job;
  const bool one_arrival = line.stale == Stale::OneArrival && line.arrival->key != head.key;
  if (policy_.preemption && !one_arrival) evict_for(head, turn);
  if (policy_.backfill == PolicySpec::Backfill::None) return;
  const bool keep = same_head && turn.scene.now < line.reservation->at && !line.reservation_stale;
  if (!keep) {
    const Question question{turn.scene.cluster, turn.scene.jobs, placer_, turn.scene.now,
                            turn.work};
    line.reservation = reserve(question, head.key.job, demands_.at(head.demand), line.running);
    line.reservation_stale = false;
  }
  if (!line.reservation) return;
  if (keep && one_arrival) {
    backfill_one(*line.arrival, turn);
  } else {
    backfill_all(turn);
  }
}

void Scheduler::evict_for(const Waiting& head, Turn& turn) {
  const Question question{turn.scene.cluster, turn.scene.jobs, placer_, turn.scene.now, turn.work};
  const Job& job = *turn.scene.jobs.find(head.key.job);
  const auto victims = choose_victims(question, job, demands_.at(head.demand), turn.line.running);
  for (const JobId victim : victims) turn.actions.evict(victim, job.id);
}

void Scheduler::backfill_one(const Waiting& entry, Turn& turn) {
  Demand& demand = demands_.at(entry.demand);
  const std::uint64_t growth = turn.scene.cluster.growth(turn.partition);
  if (demand.failed_at == growth) return;
  if (entry.expected > turn.line.reservation->at - turn.scene.now) {
    try_start_beside(entry, turn);
  } else if (!try_start(entry, StartRule::Backfill, turn)) {
    demand.failed_at = growth;
  }
}

void Scheduler::backfill_all(Turn& turn) {
  const OrderKey head = turn.line.waiting.first().key;
  const Duration slack = turn.line.reservation->at - turn.scene.now;
  const std::uint64_t growth = turn.scene.cluster.growth(turn.partition);
  std::priority_queue<Cursor, std::vector<Cursor>, std::greater<>> cursors;
  const auto advance = [&](std::uint32_t index, const std::optional<OrderKey>& after,
                           bool only_short) {
    const Duration limit = only_short ? slack : Duration::max();
    const WaitingList& list = demands_.at(index).waiting;
    const Waiting* next = list.next(after, limit);
    if (next != nullptr && next->key == head) next = list.next(head, limit);
    if (next != nullptr) cursors.push({*next, only_short});
  };
  for (const std::uint32_t index : turn.line.demands) {
    if (demands_.at(index).failed_at != growth) advance(index, std::nullopt, false);
  }
  while (!cursors.empty() && !turn.spent()) {
    Cursor cursor = cursors.top();
    cursors.pop();
    const Waiting& entry = cursor.entry;
    if (entry.expected > slack) {
      cursor.only_short = !try_start_beside(entry, turn);
    } else if (!try_start(entry, StartRule::Backfill, turn)) {
      demands_.at(entry.demand).failed_at = growth;
      continue;
    }
    advance(entry.demand, entry.key, cursor.only_short);
  }
  turn.line.exhausted = !cursors.empty();
}

bool Scheduler::fits_ever(const std::vector<TaskGroup>& tasks, PartitionId partition) const {
  if (partition.value >= empty_.partition_count()) return false;
  std::int64_t work = 0;
  const Demand demand = DemandTable::make(partition, tasks, empty_);
  return fits(empty_, demand, work);
}

std::vector<Reservation> Scheduler::reservations() const {
  std::vector<Reservation> all;
  for (const Line& line : lines_) {
    if (line.reservation) all.push_back(*line.reservation);
  }
  return all;
}

void Scheduler::restore_reservation(const Reservation& reservation, PartitionId partition) {
  line(partition).reservation = reservation;
}

}  // namespace gyre::reason
