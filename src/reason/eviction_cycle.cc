// What a cycle stops, for whom.
#include <algorithm>
#include <optional>
#include <utility>

#include "reason/preemption/reach.h"
#include "reason/preemption/victims.h"
#include "reason/queueing/merge.h"
#include "reason/scheduler.h"

namespace gyre::reason {
namespace {

/// A search for victims that looked at so many jobs is remembered.
constexpr std::int64_t kDear = 256;
/// So many victims are tried one by one before all nodes are looked at.
constexpr std::int64_t kFirstFew = 64;
/// What it costs to put those in order who may be stopped, in units of work.
std::int64_t order_cost(const Running& running) { return std::ssize(running.evictable()) / 8; }

/// Where so many have room already that is yet to come free, those behind them wait for that.
constexpr int kPromisedMax = 256;

}  // namespace

/// What a pass decides for one job, carried out once the cluster is as it was.
struct Scheduler::Eviction {
  Waiting entry;
  Room room;
  Reservation claim;
};

/// Evicts jobs for those in line that stand before them, first come first. Where nothing may
/// overtake, ends at the first job that gets no room.
void Scheduler::make_way(Turn& turn, const Waiting* only, const std::optional<OrderKey>& after) {
  const bool greedy = policy_.backfill == PolicySpec::Backfill::Greedy;
  Line& line = turn.line;
  line.crowded = false;
  if (line.governed) {
    if (!fair_.any_stoppable(turn.partition)) return;
  } else {
    if (only != nullptr && !greedy) return;
    const Rank first = only != nullptr ? only->key.rank : line.waiting.first().key.rank;
    const Rank bar = order_of(policy_.order).bar(first, 0, view(turn.scene.now));
    if (!line.running.has_evictable(bar)) return;
  }
  const auto all = [](const Demand&) { return true; };
  Merge merge = only != nullptr
                    ? Merge(demands_, *only)
                    : Merge(demands_, {line.waiting, line.demands}, after, turn.effort(), all);
  const std::vector<Eviction> evictions = choose_evictions(turn, merge, greedy);
  for (const Eviction& eviction : evictions) {
    const JobId job = eviction.entry.key.job;
    for (const JobId victim : eviction.room.victims) turn.actions.evict(victim, job);
    claim(eviction.entry, eviction.claim, line);
  }
}

/// What one pass has decided so far.
struct Scheduler::Pass {
  /// After so many rooms of few victims, an order of all of them is worth its making.
  static constexpr int kNearMax = 2;

  Running& running;
  Trial& trial;
  RankedVictims& victims;
  std::vector<Eviction> evictions;
  std::vector<const Demand*> dear;  // to be remembered
  int near = 0;                     // rooms of few victims, by what is remembered
  Evictable taken;                  // victims of the first evictions
  std::size_t known = 0;            // of so many

  Pass(Running& among, Trial& tried, RankedVictims& order)
      : running(among), trial(tried), victims(order) {}
  Pass(const Pass&) = delete;
  Pass& operator=(const Pass&) = delete;
  ~Pass() {
    for (const Demand* demand : dear) running.reach().watch_later(*demand);
  }

  const Evictable& stopped() {
    for (; known < evictions.size(); ++known) {
      for (const JobId id : evictions[known].room.victims) taken.emplace(*running.rank_of(id), id);
    }
    return taken;
  }
};

std::vector<Scheduler::Eviction> Scheduler::choose_evictions(const Turn& among, Merge& merge,
                                                             bool greedy) {
  std::optional<Trial> gone;
  Turn turn = after_leave(among, gone);
  const Order& order = order_of(policy_.order);
  const OrderView view_now = view(turn.scene.now);
  Line& line = turn.line;
  const auto& [cluster, placer, ground] = turn.ground;
  Trial trial(cluster, turn.partition);
  RankedVictims victims(line.running, turn.scene.jobs, turn.scene.now);
  if (!line.governed) turn.work += order_cost(line.running);
  Pass pass(line.running, trial, victims);
  bool blocked = false;
  int promised = 0;
  // At least one job is looked at, so that the next cycle starts further on.
  for (bool any = false; !merge.done() && (!any || !turn.spent()); any = true) {
    const Waiting entry = merge.top();
    const Demand& demand = demands_.at(entry.demand);
    if (!line.governed && !line.running.has_evictable(order.bar(entry.key.rank, 0, view_now))) {
      return std::move(pass.evictions);
    }
    if (auto placement = placer.find(cluster, demand, turn.asker(entry.key.job), turn.work)) {
      // Room is there, or will be; it is not for those behind.
      for (const TaskPlacement& task : *placement) trial.allocate(task.node, task.allocation);
      turn.work += std::ssize(*placement);
      merge.advance();
      line.crowded = ++promised == kPromisedMax;
      if (line.crowded) return std::move(pass.evictions);
      continue;
    }
    std::optional<Room> room;
    if (line.governed) {
      room = make_room_by_quota(entry, turn, trial, blocked && !greedy);
      blocked = blocked || !room;
    } else {
      const Rank bar = order.bar(entry.key.rank, demand.gpu_milli, view_now);
      room = make_room_by_rank({entry.key.job, demand, bar}, turn, pass);
      if (!room && !greedy) return std::move(pass.evictions);
    }
    if (!room) {
      line.governed ? merge.advance() : merge.drop();
      continue;
    }
    turn.work += kActWork * std::ssize(room->victims);
    Reservation kept = kept_for(entry.key.job, *room, turn);
    pass.evictions.push_back({entry, std::move(*room), std::move(kept)});
    merge.advance();
  }
  if (!merge.ended()) line.unfinished = Unfinished{false, merge.passed()};
  return std::move(pass.evictions);
}

/// The claim to the room that victims leave. Requires: it is taken.
Reservation Scheduler::kept_for(JobId job, const Room& room, const Turn& turn) {
  Reservation claim{job, turn.scene.now, room.placement, {}, true};
  for (const JobId victim : room.victims) {
    const Duration grace = turn.scene.jobs.find(victim)->spec->checkpoint.grace;
    claim.at = std::max(claim.at, saturating_add(turn.scene.now, grace));
  }
  for (const TaskPlacement& task : room.placement) {
    const Capacity& left = turn.ground.cluster.node(task.node).free;
    claim.free_then.push_back(
        {left.cpu + task.allocation.cpu, left.memory + task.allocation.memory});
  }
  return claim;
}

/// Room that running jobs beyond the bar leave.
std::optional<Room> Scheduler::make_room_by_rank(const Beneficiary& who, Turn& turn, Pass& pass) {
  Reach& reach = pass.running.reach();
  turn.work += std::ssize(pass.stopped()) / 8;
  if (!reach.watches(who.demand)) return search_room(who, turn, pass);
  const Reach::Setting setting{turn.ground.cluster, turn.scene.jobs, pass.running.evictable(),
                               pass.stopped()};
  const auto beyond = reach.beyond(setting, who.demand, who.bar);
  if (!beyond && pass.near >= Pass::kNearMax) return search_room(who, turn, pass);
  if (!beyond) {
    // Most often the first few make room, which is quicker found so.
    const std::int64_t work = turn.work;
    auto room = make_room(turn.question(), pass.trial, who, pass.victims, kFirstFew);
    if (room) {
      ++pass.near;
      return room;
    }
    turn.work = work;
  }
  std::optional<Reach::Cut> cut;
  if (!beyond) cut = reach.cut(setting, who.demand, turn.scene.now);
  // The work that a search would have been, so that a cycle's end does not hang on a memory.
  turn.work += look_cost(turn.ground.cluster, turn.partition, who.demand.within()) +
               2 * (beyond ? *beyond : cut->cost);
  if (!cut) return std::nullopt;
  if (cut->tried > kFirstFew) turn.work += order_cost(pass.running);
  pass.near += cut->tried < kDear ? 1 : 0;
  for (const JobId victim : cut->victims) pass.victims.leave_out(victim);
  return take_room(turn.question(), pass.trial, who, std::move(cut->victims));
}

/// The same, victim by victim.
std::optional<Room> Scheduler::search_room(const Beneficiary& who, Turn& turn, Pass& pass) {
  const std::int64_t looked_at = pass.victims.looked_at();
  const std::int64_t tried = pass.victims.tried();
  auto room = make_room(turn.question(), pass.trial, who, pass.victims);
  // All of them are looked at where what is remembered is searched.
  if (room && pass.victims.tried() - tried > kFirstFew) turn.work += order_cost(pass.running);
  if (pass.victims.looked_at() - looked_at >= kDear) pass.dear.push_back(&who.demand);
  return room;
}

}  // namespace gyre::reason
