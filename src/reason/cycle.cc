// One cycle over the lines: what starts, and what may overtake.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "reason/backfill/conservative.h"
#include "reason/backfill/easy.h"
#include "reason/backfill/in_the_way.h"
#include "reason/placement/thought.h"
#include "reason/preemption/claimed.h"
#include "reason/queueing/merge.h"
#include "reason/scheduler.h"

namespace gyre::reason {
namespace {

/// Jobs that a plan looks ahead; those behind them wait until it comes to them.
constexpr int kPlannedMax = 16;

}  // namespace

std::int64_t Scheduler::cycle(Scene scene, std::int64_t work_max, Actions& actions) {
  std::int64_t work = fair_.advance(scene.now);
  const Effort effort{work, work_max};
  if (soonest_.look > scene.now) return work;
  Due soonest{Time::max()};
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    if (dues_[i].look <= scene.now) {
      look_at({i}, scene, effort, actions);
      dues_[i] = due_of(lines_[i]);
    }
    soonest.look = std::min(soonest.look, dues_[i].look);
    soonest.wake = std::min(soonest.wake, dues_[i].wake);
  }
  soonest_ = soonest;
  return work;
}

void Scheduler::look_at(PartitionId partition, Scene scene, const Effort& effort,
                        Actions& actions) {
  Line& line = this->line(partition);
  review(partition, scene, effort);
  if (line.governed && restock(partition, scene, effort)) review(partition, scene, effort);
  if (line.stale == Stale::Nothing && !line.unfinished) return;
  Turn turn{
      partition, line, scene, actions, effort.work, effort.work_max, {scene.cluster, placer_}};
  // What changed while a pass is unfinished is for the next pass.
  const bool goes_on = line.unfinished.has_value();
  const bool changed = goes_on && line.stale != Stale::Nothing;
  do {
    work_off(turn);
    line.stale = changed ? Stale::Everything : Stale::Nothing;
  } while (line.governed && !turn.spent() && restock(partition, scene, effort));
}

Time Scheduler::wake_of(const Line& line) {
  Time wake = Time::max();
  if (!line.patience.empty()) wake = line.patience.begin()->first;
  if (!line.waiting.empty()) wake = std::min(wake, line.running.next_review().first);
  return wake;
}

Scheduler::Due Scheduler::due_of(const Line& line) {
  // What quotas count changes with the time.
  const bool at_once =
      line.governed || line.unfinished || line.behind || line.stale != Stale::Nothing;
  const Time wake = wake_of(line);
  return {at_once ? Time{} : std::min(wake, line.running.next_passing()), wake};
}

bool Scheduler::has_leftover(PartitionId partition) const {
  const Line& line = lines_[partition.value];
  if (line.unfinished || line.behind || line.stale != Stale::Nothing) return true;
  return line.governed && line.waiting.size() < line.in_line_max && fair_.has_pending(partition);
}

bool Scheduler::has_leftover() const {
  if (soonest_.look != Time{}) return false;
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    if (has_leftover({i})) return true;
  }
  return false;
}

/// Brings the standings of running jobs up to date, if anybody waits for them to change, and puts
/// those first that have waited too long. With half of what work there is: decisions are due too.
void Scheduler::review(PartitionId partition, Scene scene, const Effort& effort) {
  Line& target = line(partition);
  std::int64_t& work = effort.work;
  const std::int64_t work_max = work + std::max<std::int64_t>(1, (effort.work_max - work) / 2);
  const std::int64_t passing = (work_max - work + kActWork - 1) / kActWork;
  const std::int64_t passed = target.running.advance(scene.now, passing);
  work += kActWork * passed;
  target.behind = passed == passing;
  while (!target.patience.empty() && target.patience.begin()->first <= scene.now) {
    if (work >= work_max) {
      target.behind = true;
      break;
    }
    work += kActWork;
    const Job& job = *scene.jobs.find(target.patience.begin()->second);
    target.patience.erase(target.patience.begin());
    const std::uint32_t index = demands_.intern(partition, *job.spec, scene.cluster);
    drop_claim(job.id, target);
    const bool gated = fair_.is_gated(job.id);
    if (!gated) leave(key_of(job, target), index, target);
    target.starving.insert(job.id);
    if (target.governed) fair_.rerank(job.id, ordered_entry_of(job, index, target));
    if (gated) continue;
    enter(entry_of(job, index, target), target);
    target.stale = Stale::Everything;
  }
  if (target.waiting.empty()) return;
  while (true) {
    const auto [at, id] = target.running.next_review();
    if (at > scene.now) return;
    if (work >= work_max) {
      target.behind = true;
      return;
    }
    work += kActWork;
    const Job& job = *scene.jobs.find(id);
    target.running.update(job, outlook_of(job, scene.now), scene.now);
    target.stale = Stale::Everything;
  }
}

/// Starts a job that is not the one that room is kept for.
void Scheduler::start(const Waiting& entry, std::vector<TaskPlacement> placement, StartRule rule,
                      Turn& turn) {
  for (const TaskPlacement& task : placement) {
    turn.scene.cluster.allocate(task.node, task.allocation);
  }
  for (const TaskPlacement& task : placement) {
    turn.work += std::ssize(turn.line.claimed.on(task.node));
    for (const NodeParts::Part& part : turn.line.claimed.on(task.node)) {
      run_past(turn.line.claims.at(part.job).room, part.task, task.allocation);
    }
  }
  turn.work += kActWork + std::ssize(placement);
  leave(entry.key, entry.demand, turn.line);
  turn.actions.start(entry.key.job, std::move(placement), rule);
  if (turn.ground.id != 0) follow_unclaimed(turn);
}

/// The job's demand where it may not go everywhere: on some nodes it would keep others from the
/// room that is kept for them. nullopt: it may. `beside`: nullptr, or a room besides those claimed.
std::optional<Demand> Scheduler::narrowed(const Waiting& entry, const Reservation* beside,
                                          const Turn& turn) const {
  const Demand& demand = demands_.at(entry.demand);
  if (!demand.affinity) return std::nullopt;
  std::vector<NodeId> nodes;
  turn.work += std::ssize(turn.line.claims);
  if (beside != nullptr) add_in_the_way(demand, *beside, turn.scene.jobs, nodes);
  for (const auto& [job, claim] : turn.line.claims) {
    // Tasks of a claim count as there for who asks for the same.
    if (claim.entry.demand == entry.demand) continue;
    add_in_the_way(demand, claim.room, turn.scene.jobs, nodes);
  }
  turn.work += std::ssize(nodes) + std::ssize(demand.avoid);
  return nodes.empty() ? std::nullopt : std::optional(demand.kept_from(std::move(nodes)));
}

bool Scheduler::try_start(const Waiting& waiting, StartRule rule, Turn& turn) {
  const Waiting entry = waiting;  // the original goes away
  const auto& [cluster, placer, id] = turn.ground;
  const std::optional<Demand> part = narrowed(entry, nullptr, turn);
  const Demand& demand = part ? *part : demands_.at(entry.demand);
  auto placement = placer.find(cluster, demand, turn.asker(entry.key.job), turn.work);
  if (!placement) return false;
  start(entry, std::move(*placement), rule, turn);
  return true;
}

bool Scheduler::try_start_beside(const Waiting& waiting, Turn& turn) {
  const Waiting entry = waiting;
  const auto& [cluster, placer, id] = turn.ground;
  Reservation& reservation = *turn.line.reservation;
  const std::optional<Demand> part = narrowed(entry, &reservation, turn);
  const Demand& demand = part ? *part : demands_.at(entry.demand);
  Thought thought(cluster, demand, turn.work);
  turn.work += 3 * std::ssize(reservation.placement);
  hold(thought, cluster, reservation);
  if (!thought.fits()) return false;
  std::optional<std::vector<TaskPlacement>> placement;
  {
    Trial trial(cluster, turn.partition);
    hold(trial, cluster, reservation);
    placement = placer.find(cluster, demand, turn.asker(entry.key.job), turn.work);
  }
  if (!placement) return false;
  run_past(reservation, *placement);
  start(entry, std::move(*placement), StartRule::Backfill, turn);
  return true;
}

/// Starts the jobs whose victims are gone. One that cannot have its room after all is in line
/// again. False if work was spent before all were looked at.
bool Scheduler::start_claimed(Turn& turn) {
  Line& line = turn.line;
  Cluster& cluster = turn.scene.cluster;
  for (bool any = false; !line.claims_ready.empty(); any = true) {
    if (any && turn.spent()) return false;
    const JobId job = *line.claims_ready.begin();
    std::vector<TaskPlacement> placement = line.claims.at(job).room.placement;
    turn.work += kActWork + std::ssize(placement);
    const Demand& demand = demands_.at(line.claims.at(job).entry.demand);
    const bool free =
        std::all_of(placement.begin(), placement.end(), [&](const TaskPlacement& task) {
          return is_free(cluster, task) && may_take(cluster, demand, task.node);
        });
    drop_claim(job, line);
    if (!free) continue;
    for (const TaskPlacement& task : placement) cluster.allocate(task.node, task.allocation);
    const Job& starting = *turn.scene.jobs.find(job);
    leave(key_of(starting, line), demands_.intern(turn.partition, *starting.spec, cluster), line);
    turn.actions.start(job, std::move(placement), StartRule::HeadOfLine);
  }
  return true;
}

/// False if work was spent before one was met that does not fit: the next may.
bool Scheduler::start_heads(const Turn& among) {
  std::optional<Trial> held;
  Turn turn = without_claims(among, held);
  for (bool any = false; !turn.line.waiting.empty(); any = true) {
    if (any && turn.spent()) return false;
    const Waiting& head = turn.line.waiting.first();
    Demand& demand = demands_.at(head.demand);
    const Demand::Failure failure = turn.failure();
    if (demand.failed_at == failure) return true;
    if (try_start(head, StartRule::HeadOfLine, turn)) {
      reserve_in(turn.line, std::nullopt);
      turn.line.stale = Stale::Everything;
    } else {
      demand.failed_at = failure;
      return true;
    }
  }
  return true;
}

/// However much was spent before, a pass over the line gets one job further.
void Scheduler::work_off(Turn& turn) {
  Line& line = turn.line;
  const bool goes_on = line.unfinished.has_value();
  const Unfinished from = std::exchange(line.unfinished, std::nullopt).value_or(Unfinished{});
  if (!start_claimed(turn) || !start_heads(turn)) {
    line.unfinished = from;
    return;
  }
  if (line.waiting.empty()) return reserve_in(line, std::nullopt);
  const bool one_arrival =
      !goes_on && line.stale == Stale::OneArrival && line.arrival->key != line.waiting.first().key;
  if ((policy_.preemption || line.governed) && !from.way_made) {
    make_way(turn, one_arrival ? &*line.arrival : nullptr, from.after);
    if (line.unfinished) return;
  }
  if (line.waiting.empty()) return reserve_in(line, std::nullopt);
  std::optional<Trial> held;
  Turn left = without_claims(turn, held);
  const std::optional<OrderKey> after = from.way_made ? from.after : std::nullopt;
  if (policy_.backfill == PolicySpec::Backfill::None) {
    if (is_kept_out(line.waiting.first(), left)) pass_those_kept_out(left, after);
    return;
  }
  const std::size_t waiting = line.waiting.size();
  backfill(left, one_arrival, after);
  // Of that room some was free at once: those behind are next.
  const bool goes_behind = line.crowded && line.waiting.size() < waiting && !line.unfinished;
  if (goes_behind) line.unfinished = Unfinished{};
}

void Scheduler::backfill(Turn& turn, bool one_arrival, const std::optional<OrderKey>& after) {
  Line& line = turn.line;
  if (policy_.backfill == PolicySpec::Backfill::Greedy) {
    // Nobody passes a job that has waited too long.
    const Waiting& first = line.waiting.first();
    if (first.key.rank == kStarving && !is_kept_out(first, turn)) return;
    if (!one_arrival) return backfill_all(turn, after);
    if (!line.claims.contains(line.arrival->key.job)) backfill_one(*line.arrival, turn);
    return;
  }
  if (policy_.backfill == PolicySpec::Backfill::Conservative) return backfill_by_plan(turn, after);
  const Waiting head = line.waiting.first();
  // That of one behind a head that is kept out lasts for the pass that made it.
  const bool goes_on = after && line.running.has_endless();
  const bool its_own = line.reservation && (goes_on || line.reservation->job == head.key.job);
  const bool keep = its_own && turn.scene.now < line.reservation->at && !line.reservation_stale;
  if (!keep) {
    reserve_in(line, reserve_for(head, turn));
    line.reservation_stale = false;
    const bool kept_out = !line.reservation && line.running.has_endless();
    if (kept_out) reserve_in(line, pass_those_kept_out(turn, after));
    if (line.unfinished || (!line.reservation && !kept_out)) return;
  }
  if (keep && one_arrival) {
    backfill_one(*line.arrival, turn);
  } else {
    backfill_all(turn, after);
  }
}

std::optional<Reservation> Scheduler::reserve_for(const Waiting& entry, Turn& turn) {
  return reserve(turn.question(), entry.key.job, demands_.at(entry.demand), turn.line.running);
}

/// Whether it would not even fit if all were gone that are expected to end: replicas of services
/// hold what it needs. To wait for them could be for ever.
bool Scheduler::is_kept_out(const Waiting& entry, Turn& turn) {
  return turn.line.running.has_endless() && !reserve_for(entry, turn);
}

/// Gives the turn of a first that is kept out to those behind it, as they stand in line: what is
/// reserved for the first of them that must wait for its room. Who asks for what one before asked
/// for is kept out as that one is.
std::optional<Reservation> Scheduler::pass_those_kept_out(Turn& turn,
                                                          const std::optional<OrderKey>& after) {
  const Demand& first = demands_.at(turn.line.waiting.first().demand);
  Merge merge(demands_, {turn.line.waiting, turn.line.demands}, after, turn.effort(),
              [&first](const Demand& demand) { return &demand != &first; });
  for (bool any = false; !merge.done() && (!any || !turn.spent()); any = true) {
    const Waiting entry = merge.top();
    if (try_start(entry, StartRule::HeadOfLine, turn)) {
      merge.advance();
    } else if (auto room = reserve_for(entry, turn)) {
      return room;
    } else {
      merge.drop();
    }
  }
  if (!merge.ended()) turn.line.unfinished = Unfinished{true, merge.passed()};
  return std::nullopt;
}

void Scheduler::backfill_one(const Waiting& entry, Turn& turn) {
  Demand& demand = demands_.at(entry.demand);
  const Demand::Failure failure = turn.failure();
  if (demand.failed_at == failure) return;
  const auto& reservation = turn.line.reservation;
  if (reservation && entry.expected > reservation->at - turn.scene.now) {
    try_start_beside(entry, turn);
  } else if (!try_start(entry, StartRule::Backfill, turn)) {
    demand.failed_at = failure;
  }
}

void Scheduler::backfill_all(Turn& turn, const std::optional<OrderKey>& after) {
  const auto& reservation = turn.line.reservation;
  const std::optional<JobId> head = reservation ? std::optional(reservation->job) : std::nullopt;
  const Duration slack = reservation ? reservation->at - turn.scene.now : Duration::max();
  const Demand::Failure failure = turn.failure();
  Merge merge(demands_, {turn.line.waiting, turn.line.demands}, after, turn.effort(),
              [&](const Demand& demand) { return demand.failed_at != failure; });
  for (bool any = false; !merge.done() && (!any || !turn.spent()); any = true) {
    const Waiting entry = merge.top();
    if (entry.key.job == head) {
      merge.advance();
    } else if (entry.expected > slack) {
      if (!try_start_beside(entry, turn)) merge.limit(slack);
      merge.advance();
    } else if (try_start(entry, StartRule::Backfill, turn)) {
      merge.advance();
    } else {
      demands_.at(entry.demand).failed_at = failure;
      merge.drop();
    }
  }
  if (!merge.ended()) turn.line.unfinished = Unfinished{true, merge.passed()};
}

void Scheduler::backfill_by_plan(Turn& turn, const std::optional<OrderKey>& after) {
  Line& line = turn.line;
  reserve_in(line, std::nullopt);
  Schedule schedule(turn.question(), turn.partition, line.running);
  Merge merge(demands_, {line.waiting, line.demands}, after, turn.effort(),
              [](const Demand&) { return true; });
  int planned = 0;
  for (bool any = false; !merge.done() && planned < kPlannedMax && (!any || !turn.spent());
       any = true) {
    const Waiting entry = merge.top();
    const std::optional<Demand> part = narrowed(entry, nullptr, turn);
    auto room =
        schedule.plan(entry.key.job, part ? *part : demands_.at(entry.demand), entry.expected);
    if (!room && line.running.has_endless() && schedule.never_fits()) {
      merge.drop();
      continue;
    }
    ++planned;
    if (room && room->at <= turn.scene.now) {
      schedule.started();
      start(entry, std::move(room->placement), StartRule::Backfill, turn);
    } else if (room && !line.reservation) {
      reserve_in(line, std::move(room));
    }
    merge.advance();
  }
  // Nobody is planned behind one for whom the work did not do, but behind one that is kept out.
  if (planned == 0 && !merge.ended()) line.unfinished = Unfinished{true, merge.passed()};
}

}  // namespace gyre::reason
