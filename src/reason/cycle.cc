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
  std::int64_t work = 0;
  fair_.advance(scene.now);
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    review({i}, scene);
    Line& line = lines_[i];
    if (line.governed && restock({i}, scene)) review({i}, scene);
    if (line.stale == Stale::Nothing && !line.unfinished) continue;
    Turn turn{{i}, line, scene, actions, work, work_max, {scene.cluster, placer_}};
    // What changed while a pass is unfinished is for the next pass.
    const bool goes_on = line.unfinished.has_value();
    const bool changed = goes_on && line.stale != Stale::Nothing;
    do {
      work_off(turn);
      line.stale = changed ? Stale::Everything : Stale::Nothing;
    } while (line.governed && !turn.spent() && restock({i}, scene));
  }
  return work;
}

bool Scheduler::has_leftover() const {
  for (std::uint32_t i = 0; i < lines_.size(); ++i) {
    const Line& line = lines_[i];
    if (line.unfinished || line.stale != Stale::Nothing) return true;
    if (line.governed && line.waiting.size() < line.in_line_max && fair_.has_pending({i}))
      return true;
  }
  return false;
}

/// Brings the standings of running jobs up to date, if anybody waits for them to change, and puts
/// those first that have waited too long.
void Scheduler::review(PartitionId partition, Scene scene) {
  Line& target = line(partition);
  target.running.advance(scene.now);
  while (!target.patience.empty() && target.patience.begin()->first <= scene.now) {
    const Job& job = *scene.jobs.find(target.patience.begin()->second);
    target.patience.erase(target.patience.begin());
    const std::uint32_t index = demands_.intern(partition, job.spec, scene.cluster);
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
    const Job& job = *scene.jobs.find(id);
    target.running.update(job, outlook_of(job, scene.now));
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
    for (const NodeParts::Part& part : turn.line.claimed.on(task.node)) {
      run_past(turn.line.claims.at(part.job).room, part.task, task.allocation);
    }
  }
  if (turn.ground.id != 0) follow_unclaimed(turn);
  leave(entry.key, entry.demand, turn.line);
  turn.actions.start(entry.key.job, std::move(placement), rule);
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
/// again.
void Scheduler::start_claimed(Turn& turn) {
  Line& line = turn.line;
  Cluster& cluster = turn.scene.cluster;
  while (!line.claims_ready.empty()) {
    const JobId job = *line.claims_ready.begin();
    std::vector<TaskPlacement> placement = line.claims.at(job).room.placement;
    const Demand& demand = demands_.at(line.claims.at(job).entry.demand);
    const bool free =
        std::all_of(placement.begin(), placement.end(), [&](const TaskPlacement& task) {
          return is_free(cluster, task) && may_take(cluster, demand, task.node);
        });
    drop_claim(job, line);
    if (!free) {
      continue;
    }
    for (const TaskPlacement& task : placement) cluster.allocate(task.node, task.allocation);
    const Job& starting = *turn.scene.jobs.find(job);
    leave(key_of(starting, line), demands_.intern(turn.partition, starting.spec, cluster), line);
    turn.actions.start(job, std::move(placement), StartRule::HeadOfLine);
  }
}

void Scheduler::start_heads(const Turn& among) {
  std::optional<Trial> held;
  Turn turn = without_claims(among, held);
  while (!turn.line.waiting.empty() && !turn.spent()) {
    const Waiting& head = turn.line.waiting.first();
    Demand& demand = demands_.at(head.demand);
    const Demand::Failure failure = turn.failure();
    if (demand.failed_at == failure) return;
    if (try_start(head, StartRule::HeadOfLine, turn)) {
      reserve_in(turn.line, std::nullopt);
      turn.line.stale = Stale::Everything;
    } else {
      demand.failed_at = failure;
      return;
    }
  }
}

void Scheduler::work_off(Turn& turn) {
  Line& line = turn.line;
  const bool goes_on = line.unfinished.has_value();
  const Unfinished from = std::exchange(line.unfinished, std::nullopt).value_or(Unfinished{});
  start_claimed(turn);
  start_heads(turn);
  if (line.waiting.empty()) return reserve_in(line, std::nullopt);
  if (turn.spent()) {
    line.unfinished = from;
    return;
  }
  const bool one_arrival =
      !goes_on && line.stale == Stale::OneArrival && line.arrival->key != line.waiting.first().key;
  if ((policy_.preemption || line.governed) && !from.way_made) {
    make_way(turn, one_arrival ? &*line.arrival : nullptr, from.after);
    if (line.unfinished) return;
  }
  if (line.waiting.empty()) return reserve_in(line, std::nullopt);
  std::optional<Trial> held;
  Turn left = without_claims(turn, held);
  if (policy_.backfill == PolicySpec::Backfill::None) {
    const auto after = from.way_made ? from.after : std::nullopt;
    if (is_kept_out(line.waiting.first(), left)) pass_those_kept_out(left, after);
    return;
  }
  const std::size_t waiting = line.waiting.size();
  backfill(left, one_arrival, from.way_made ? from.after : std::nullopt);
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
  if (policy_.backfill == PolicySpec::Backfill::Conservative) return backfill_by_plan(turn);
  const Waiting head = line.waiting.first();
  const bool same_head = line.reservation && line.reservation->job == head.key.job;
  const bool keep = same_head && turn.scene.now < line.reservation->at && !line.reservation_stale;
  if (!keep) {
    reserve_in(line, reserve_for(head, turn));
    line.reservation_stale = false;
    const bool kept_out = !line.reservation && line.running.has_endless() && !turn.spent();
    if (kept_out) reserve_in(line, pass_those_kept_out(turn, after));
    if (!line.reservation && !kept_out) return;
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
  if (!turn.line.running.has_endless() || turn.spent()) return false;
  return !reserve_for(entry, turn) && !turn.spent();
}

/// Gives the turn of a first that is kept out to those behind it, as they stand in line: what is
/// reserved for the first of them that must wait for its room. Who asks for what one before asked
/// for is kept out as that one is.
std::optional<Reservation> Scheduler::pass_those_kept_out(Turn& turn,
                                                          const std::optional<OrderKey>& after) {
  const std::uint32_t first = turn.line.waiting.first().demand;
  Merge merge(demands_, turn.line.demands, after,
              [&](const Demand& demand) { return &demand != &demands_.at(first); });
  std::optional<OrderKey> last;
  while (!merge.done() && (!last || !turn.spent())) {
    const Waiting entry = merge.top();
    last = entry.key;
    if (try_start(entry, StartRule::HeadOfLine, turn)) {
      merge.advance();
    } else if (auto room = reserve_for(entry, turn)) {
      return room;
    } else {
      merge.drop();
    }
  }
  if (!merge.done()) turn.line.unfinished = Unfinished{true, last};
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
  std::optional<OrderKey> last;
  Merge merge(demands_, turn.line.demands, after,
              [&](const Demand& demand) { return demand.failed_at != failure; });
  while (!merge.done() && (!last || !turn.spent())) {
    const Waiting entry = merge.top();
    last = entry.key;
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
  if (!merge.done()) turn.line.unfinished = Unfinished{true, last};
}

void Scheduler::backfill_by_plan(Turn& turn) {
  Line& line = turn.line;
  reserve_in(line, std::nullopt);
  Schedule schedule(turn.question(), turn.partition, line.running);
  Merge merge(demands_, line.demands, std::nullopt, [](const Demand&) { return true; });
  for (int i = 0; i < kPlannedMax && !merge.done() && !turn.spent(); ++i, merge.advance()) {
    const Waiting entry = merge.top();
    const std::optional<Demand> part = narrowed(entry, nullptr, turn);
    auto room =
        schedule.plan(entry.key.job, part ? *part : demands_.at(entry.demand), entry.expected);
    if (!room) continue;
    if (room->at > turn.scene.now) {
      if (!line.reservation) reserve_in(line, std::move(room));
      continue;
    }
    schedule.started();
    start(entry, std::move(room->placement), StartRule::Backfill, turn);
  }
}

}  // namespace gyre::reason
