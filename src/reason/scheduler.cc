#include "reason/scheduler.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/assert.h"
#include "domain/node_resources.h"
#include "reason/placement/search.h"

namespace gyre::reason {
namespace {

/// Standings are reviewed no more often than this.
constexpr Duration kReviewInterval = seconds(10);

/// In steps of a sixteenth to an eighth, so that little more or less changes nothing.
Duration in_steps(Duration exact) {
  const int low = std::max(0, static_cast<int>(std::bit_width(std::uint64_t(exact.ns))) - 4);
  return Duration{exact.ns >> low << low};
}

}  // namespace

void Scheduler::restart_takes(Duration measured) {
  const Duration before = restart_cost();
  restart_measured_ = in_steps(measured);
  if (!weighs_restarts(policy_) || restart_cost() == before) return;
  for (std::uint32_t i = 0; i < lines_.size(); ++i) line({i}).stale = Stale::Everything;
}

void Scheduler::set_policy(const PolicySpec& policy, Scene scene) {
  std::vector<std::pair<std::uint32_t, Waiting>> entries;  // with their line
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    Line& line = this->line({i});
    drop_claims(line);
    if (line.governed) empty_line({i}, scene);
    const auto collect = [&](const Waiting& entry) { entries.emplace_back(i, entry); };
    line.waiting.for_each(collect);
    line.parked.for_each(collect);
    for (const Waiting& entry : fair_.gated({i})) {
      fair_.forget(entry.key.job);
      --demands_.at(entry.demand).apart;
      collect(entry);
    }
    line.waiting = {};
    line.parked = {};
    line.starving.clear();
    line.patience.clear();
    line.unfinished.reset();
    line.crowded = false;
    line.behind = false;
    line.demands.clear();
    reserve_in(line, std::nullopt);
    line.stale = Stale::Everything;
  }
  policy_ = policy;
  placer_.use(policy.placement);
  use_placer();
  scene.cluster.tell_residents_apart(policy.placement == PolicySpec::Placement::GpuClustering);
  if (!learns_run_times()) run_times_ = {};
  for (const auto& [index, entry] : entries) demands_.at(entry.demand).waiting = {};
  for (const auto& [index, entry] : entries) {
    const Job& job = *scene.jobs.find(entry.key.job);
    if (learns_run_times()) run_times_.join(job, age_of(job));
    line_up(job, entry.demand, scene.now, lines_[index]);
  }
  for (Line& line : lines_) {
    line.running.reach() = Reach();
    for (const JobId id : line.running.ids()) {
      const Job& job = *scene.jobs.find(id);
      line.running.update(job, outlook_of(job, scene.now), scene.now);
    }
  }
}

void Scheduler::learn(std::vector<DemandKind> mix) {
  placer_.learn(std::move(mix));
  use_placer();
}

/// Prospects place as the cluster does.
void Scheduler::use_placer() {
  for (Line& line : lines_) {
    line.unclaimed.use(placer_);
    line.after_leave.use(placer_);
  }
}

void Scheduler::fleet_joined(NodeId id, const NodeSpec& spec, Scene scene) {
  sync_partitions(scene.cluster);
  // Cannot fail: the cluster itself has taken the node.
  GYRE_ASSERT(empty_.add(id, spec).has_value());
  GYRE_ASSERT(empty_up_.add(id, spec).has_value());
  const PartitionId partition = scene.cluster.shape(scene.cluster.node(id).shape).partition;
  reassess(partition, scene.cluster);
  fair_.join(partition, resources_of(spec));
  if (line(partition).governed) empty_line(partition, scene);
}

void Scheduler::fleet_changed(NodeId id, bool up, Scene scene) {
  empty_up_.set_up(id, up);
  const PartitionId partition = scene.cluster.shape(scene.cluster.node(id).shape).partition;
  reassess(partition, scene.cluster);
  fair_.grow(partition, resources_of(scene.cluster.node(id).spec) * (up ? 1 : -1));
  if (line(partition).governed) empty_line(partition, scene);
}

void Scheduler::settle() {
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    Line& line = lines_[i];
    line.stale = Stale::Nothing;
    line.reservation_stale = false;
    if (!line.governed) continue;
    fair_.take_disorder({i});
    std::int64_t work = 0;
    static_cast<void>(
        fair_.pick({i}, demands_, work));  // whom their quotas keep out is known again
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
  drop_claims(changed);
  changed.stale = Stale::Everything;
  demands_.for_each([&](std::uint32_t index, Demand& demand) {
    if (demand.partition != partition || (demand.waiting.empty() && demand.apart == 0)) return;
    const bool was_feasible = demand.feasible;
    DemandTable::refresh(demand, cluster);
    assess(demand);
    if (demand.feasible == was_feasible || demand.waiting.empty()) return;
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

Time Scheduler::starves_at(const Job& job) const {
  if (policy_.starve_after.ns <= 0) return Time::max();
  return saturating_add(saturating_add(job.submitted_at, job.ran), policy_.starve_after);
}

OrderKey Scheduler::key_of(const Job& job, const Line& line) const {
  if (line.starving.contains(job.id)) return {kStarving, job.id};
  if (const std::int64_t place = line.governed ? fair_.place_of(job.id) : 0; place > 0) {
    return {place, job.id};
  }
  return {order_of(policy_.order).rank(job, view(Time{})), job.id};
}

Waiting Scheduler::entry_of(const Job& job, std::uint32_t demand, const Line& line) const {
  const auto declared = estimate_of(job.spec);
  const bool known = declared && !learns_run_times();
  return {key_of(job, line), known ? std::max(Duration{0}, *declared - job.kept) : Duration::max(),
          demand};
}

Waiting Scheduler::ordered_entry_of(const Job& job, std::uint32_t demand, const Line& line) const {
  Waiting entry = entry_of(job, demand, line);
  if (entry.key.rank == kStarving) return entry;
  entry.key.rank = order_of(policy_.order).rank(job, view(Time{}));
  return entry;
}

Running::Outlook Scheduler::outlook_of(const Job& job, Time now) {
  Running::Outlook outlook;
  if (learns_run_times()) run_times_.join(job, age_of(job, now));
  const auto declared = estimate_of(job.spec);
  if (declared && !learns_run_times())
    outlook.remaining = std::max(Duration{0}, *declared - job.kept);
  const bool stays = job.state == JobState::Starting || job.state == JobState::Running;
  if (!policy_.preemption || !job.spec->preemptible || !stays) return outlook;
  if (job.preemptions >= policy_.preemptions_max) return outlook;
  if (starves_at(job) <= job.attempt_started_at) return outlook;
  const Time safe_until = saturating_add(job.attempt_started_at, policy_.run_min);
  if (now < safe_until) {
    outlook.standing = Standing{kSafe, safe_until};
  } else {
    outlook.standing = order_of(policy_.order).standing(job, view(now));
  }
  return outlook;
}

Line& Scheduler::line(PartitionId partition) {
  if (lines_.size() <= partition.value) {
    lines_.resize(partition.value + 1);
    dues_.resize(lines_.size());
  }
  dues_[partition.value].look = soonest_.look = Time{};
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

void Scheduler::line_up(const Job& job, std::uint32_t demand, Time now, Line& line) {
  const Time starves = starves_at(job);
  if (starves <= now) {
    line.starving.insert(job.id);
  } else if (starves < Time::max()) {
    line.patience.emplace(starves, job.id);
  }
  if (!line.governed) return enter(entry_of(job, demand, line), line);
  ++demands_.at(demand).apart;
  fair_.gate(job, ordered_entry_of(job, demand, line));
}

void Scheduler::enter(const Waiting& entry, Line& line) {
  Demand& demand = demands_.at(entry.demand);
  demand.waiting.insert(entry);
  if (!demand.feasible) return line.parked.insert(entry);
  line.waiting.insert(entry);
  // What was kept for others when it failed may be free now.
  if (line.demands.insert(entry.demand).second) demand.failed_at.reset();
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

JobId Scheduler::batch_for(const JobSpec& spec, JobId job, Time now) {
  return learns_run_times() ? run_times_.batch_for(spec, job, now) : JobId{};
}

bool Scheduler::enqueue(const Job& job, PartitionId partition, Scene scene) {
  sync_partitions(scene.cluster);
  const std::uint32_t index = demands_.intern(partition, *job.spec, scene.cluster);
  assess(demands_.at(index));
  if (!demands_.at(index).fits_ever) return false;
  if (learns_run_times()) run_times_.join(job, age_of(job));
  const bool absurd = job.spec->expected_duration && !estimate_of(job.spec);
  if (absurd && job.attempt == 0) ++absurd_estimates_;
  line_up(job, index, scene.now, line(partition));
  return true;
}

void Scheduler::withdraw(const Job& job, PartitionId partition, Scene scene) {
  Line& target = line(partition);
  drop_claim(job.id, target);
  fair_.advance(scene.now);
  if (fair_.is_gated(job.id)) {
    --demands_.at(fair_.entry_of(job.id).demand).apart;
    fair_.forget(job.id);
    return no_longer_waits(job, target);
  }
  const OrderKey key = key_of(job, target);
  // Others wait for its start, or for the room that is kept for it.
  const bool was_ahead = (!target.waiting.empty() && target.waiting.first().key == key) ||
                         (target.reservation && target.reservation->job == job.id);
  leave(key, demands_.intern(partition, *job.spec, scene.cluster), target);
  no_longer_waits(job, target);
  fair_.forget(job.id);
  if (target.reservation && target.reservation->job == job.id) target.reservation.reset();
  if (was_ahead || target.stale != Stale::Nothing) target.stale = Stale::Everything;
}

void Scheduler::no_longer_waits(const Job& job, Line& line) const {
  if (policy_.starve_after.ns <= 0) return;
  line.patience.erase({starves_at(job), job.id});
  line.starving.erase(job.id);
}

void Scheduler::job_placed(const Job& job, PartitionId partition, Time now) {
  no_longer_waits(job, line(partition));
  line(partition).running.insert(job, outlook_of(job, now), now);
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    const TaskPlacement& task = job.placement[i];
    if (task.allocation.group.value == 0 || job.tasks[i] == TaskState::Ended) continue;
    grouped_.add(task.node, {job.id, i, task.allocation});
  }
  if (line(partition).governed) {
    fair_.advance(now);
    job_counts(job);
  }
  if (job.preempted_for.value != 0) ++line(partition).making_room[job.preempted_for];
}

void Scheduler::job_released(const Job& job, PartitionId partition, bool gone, Time now) {
  Line& target = line(partition);
  if (target.running.expected_end(job.id) != now) target.reservation_stale = true;
  target.stale = Stale::Everything;
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    const TaskPlacement& task = job.placement[i];
    if (task.allocation.group.value == 0 || job.tasks[i] != TaskState::Ended) continue;
    grouped_.remove(task.node, job.id);
  }
  if (!gone) return target.running.shrink(job);
  target.running.erase(job);
  fair_.advance(now);
  fair_.forget(job.id);
  const auto room = target.making_room.find(job.preempted_for);
  if (room == target.making_room.end() || --room->second > 0) return;
  if (target.claims.contains(room->first)) target.claims_ready.insert(room->first);
  target.making_room.erase(room);
}

void Scheduler::job_stopping(const Job& job, PartitionId partition, Time now) {
  line(partition).running.update(job, outlook_of(job, now), now);
  if (job.state == JobState::Preempting && job.preempted_for.value != 0) {
    ++line(partition).making_room[job.preempted_for];
  }
  line(partition).reservation_stale = true;
  line(partition).stale = Stale::Everything;
  fair_.advance(now);
  fair_.stopping(job.id);
}

void Scheduler::job_held(const Job& job) {
  if (learns_run_times()) run_times_.join(job, age_of(job));
}

void Scheduler::job_over(const Job& job, PartitionId partition, std::optional<Duration> total,
                         Scene scene) {
  if (!learns_run_times()) return;
  run_times_.leave(job);
  if (total) learn_run_time(job, *total, partition, scene);
}

void Scheduler::drop_claim(JobId job, Line& line) {
  const auto claim = line.claims.find(job);
  if (claim == line.claims.end()) return;
  const Waiting entry = claim->second.entry;
  --demands_.at(entry.demand).apart;
  for (const TaskPlacement& task : claim->second.room.placement) {
    line.claimed.remove(task.node, job);
  }
  line.claims.erase(claim);
  ++reservations_version_;
  line.claims_ready.erase(job);
  enter(entry, line);
  ++line.unheld;
}

void Scheduler::drop_claims(Line& line) {
  while (!line.claims.empty()) drop_claim(line.claims.begin()->first, line);
}

std::optional<Time> Scheduler::next_wakeup(Time now) const {
  if (has_leftover()) return now;
  Time first = Time::max();
  if (soonest_.look != Time{}) {
    first = soonest_.wake;
  } else {
    for (const Line& line : lines_) first = std::min(first, wake_of(line));
  }
  first = std::min(first, fair_.next_window());
  if (first > Time::max() - kReviewInterval) return std::nullopt;
  const std::int64_t step = kReviewInterval.ns;
  return std::max(now, Time{(first.ns + step - 1) / step * step});
}

bool Scheduler::fits_ever(const GangRequest& request, PartitionId partition) const {
  if (partition.value >= empty_.partition_count()) return false;
  std::int64_t work = 0;
  const Demand demand = DemandTable::make(partition, request, empty_);
  return fits(empty_, demand, work);
}

PredictionFallbacks Scheduler::prediction_fallbacks() const {
  PredictionFallbacks all{absurd_estimates_, 0, run_times_.unseen()};
  for (const Line& line : lines_) all.overrun += line.running.overrun();
  return all;
}

std::vector<Reservation> Scheduler::reservations() const {
  std::vector<Reservation> all;
  for_each_reservation([&](const Reservation& one) { all.push_back(one); });
  return all;
}

std::vector<NodeId> Scheduler::room_for(const JobSpec& spec, std::int32_t count,
                                        PartitionId partition, Scene scene, std::int64_t& work) {
  const Demand demand = DemandTable::make(partition, spec, scene.cluster);
  const ImageId image = image_id(spec.launch.container.image);
  Trial trial(scene.cluster, partition);
  std::vector<NodeId> nodes;
  for (std::int32_t i = 0; i < count; ++i) {
    const auto placement = placer_.find(scene.cluster, demand, {0, scene.images.of(image)}, work);
    if (!placement) break;
    for (const TaskPlacement& task : *placement) {
      trial.allocate(task.node, task.allocation);
      nodes.push_back(task.node);
    }
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

void Scheduler::reserve_in(Line& line, std::optional<Reservation> room) {
  if (line.reservation || room) ++reservations_version_;
  line.reservation = std::move(room);
}

void Scheduler::restore_reservation(const Reservation& reservation, const Job& job,
                                    PartitionId partition, const Cluster& cluster) {
  Line& target = line(partition);
  if (!reservation.claimed) {
    reserve_in(target, reservation);
    return;
  }
  const std::uint32_t demand = demands_.intern(partition, *job.spec, cluster);
  claim(entry_of(job, demand, target), reservation, target);
}

void Scheduler::claim(const Waiting& entry, const Reservation& room, Line& line) {
  leave(entry.key, entry.demand, line);
  ++demands_.at(entry.demand).apart;
  line.claims.emplace(entry.key.job, Claim{entry, room});
  ++reservations_version_;
  for (std::size_t i = 0; i < room.placement.size(); ++i) {
    line.claimed.add(room.placement[i].node, {entry.key.job, i, room.placement[i].allocation});
  }
  if (!line.making_room.contains(entry.key.job)) line.claims_ready.insert(entry.key.job);
}

}  // namespace gyre::reason
