#include "reason/preemption/reach.h"

#include <algorithm>
#include <iterator>

#include "reason/placement/free_capacity.h"
#include "reason/question.h"

namespace gyre::reason {
namespace {

/// So many nodes are looked at one by one, however few there are in all.
constexpr std::size_t kFew = 64;

/// Of a look at those of them that stand beyond the bar.
std::int64_t cost_beyond(const Evictable& those, Rank bar, const JobTable& jobs) {
  std::int64_t cost = 0;
  for (auto at = those.upper_bound({bar, JobId{~std::uint64_t{0}}}); at != those.end(); ++at) {
    cost += held_cost(*jobs.find(at->second));
  }
  return cost;
}

}  // namespace

Reach& Reach::operator=(const Reach& other) {
  if (this != &other) *this = Reach();
  return *this;
}

// --- jobs

void Reach::enter(const Job& job, Rank rank) {
  if (!on_) return;
  weighed_at_.reset();
  if (unused_.empty()) {
    unused_.push_back(static_cast<std::uint32_t>(candidates_.size()));
    candidates_.push_back({{}, 0, Exposure(job)});
  }
  const std::uint32_t slot = unused_.back();
  unused_.pop_back();
  candidates_[slot] = {job.id, rank, Exposure(job), held_cost(job)};
  slots_.emplace(job.id, slot);
  for_each_held(job, [&](NodeId node, const Allocation& part) {
    if (residents_.size() <= node.value) residents_.resize(node.value + 1);
    residents_[node.value].push_back({slot, rank, part});
    log_.note(node);
  });
  for (Watch& watch : watches_) watch.cost += rank > watch.bar ? held_cost(job) : 0;
}

void Reach::leave(const Job& job, Rank rank) {
  if (!on_) return;
  const auto found = slots_.find(job.id);
  for (const TaskPlacement& task : job.placement) remove(task.node, found->second);
  Candidate& candidate = candidates_[found->second];
  for (Watch& watch : watches_) watch.cost -= rank > watch.bar ? candidate.cost : 0;
  candidate.job = {};
  unused_.push_back(found->second);
  slots_.erase(found);
}

void Reach::move(const Job& job, Rank from, Rank to) {
  if (!on_) return;
  bool matters = false;
  const std::uint32_t slot = slots_.at(job.id);
  candidates_[slot].rank = to;
  for (Watch& watch : watches_) {
    const int change = (to > watch.bar ? 1 : 0) - (from > watch.bar ? 1 : 0);
    watch.cost += change * candidates_[slot].cost;
    matters = matters || change != 0;
  }
  for_each_held(job, [&](NodeId node, const Allocation&) {
    for (Resident& resident : residents_[node.value]) {
      if (resident.slot == slot) resident.rank = to;
    }
    if (matters) log_.note(node);
  });
}

void Reach::shrink(const Job& job) {
  const auto found = slots_.find(job.id);
  if (found == slots_.end()) return;
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] == TaskState::Ended) remove(job.placement[i].node, found->second);
  }
}

void Reach::grow(const Job& job, std::int32_t task, Rank rank) {
  const auto found = slots_.find(job.id);
  if (found == slots_.end()) return;
  const TaskPlacement& placed = job.placement[static_cast<std::size_t>(task)];
  if (residents_.size() <= placed.node.value) residents_.resize(placed.node.value + 1);
  residents_[placed.node.value].push_back({found->second, rank, placed.allocation});
  log_.note(placed.node);
}

void Reach::remove(NodeId node, std::uint32_t slot) {
  if (residents_.size() <= node.value) return;
  auto& here = residents_[node.value];
  const auto found = std::find_if(here.begin(), here.end(),
                                  [&](const Resident& resident) { return resident.slot == slot; });
  if (found == here.end()) return;
  *found = here.back();
  here.pop_back();
  log_.note(node);
}

// --- demands

void Reach::begin(const Setting& setting) {
  if (on_) return;
  on_ = true;
  log_.start();
  setting.cluster.log_changes();
  for (const auto& [rank, id] : setting.evictable) enter(*setting.jobs.find(id), rank);
}

std::size_t Reach::find(const Demand& demand) const {
  std::size_t last = watches_.size();
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    if (!is_of(watches_[i], demand)) continue;
    if (last == watches_.size() || watches_[i].asked > watches_[last].asked) last = i;
  }
  return last;
}

/// The watch of the demand whose bar is the least to move to that one; nullopt if all are far.
std::optional<std::size_t> Reach::near(const Setting& setting, const Demand& demand,
                                       Rank bar) const {
  std::optional<std::size_t> above;
  std::optional<std::size_t> below;
  for (std::size_t i = 0; i < watches_.size(); ++i) {
    if (!is_of(watches_[i], demand)) continue;
    const Rank other = watches_[i].bar;
    if (other == bar) return i;
    if (other > bar && (!above || other < watches_[*above].bar)) above = i;
    if (other < bar && (!below || other > watches_[*below].bar)) below = i;
  }
  const Evictable& jobs = setting.evictable;
  auto up = jobs.upper_bound({bar, JobId{~std::uint64_t{0}}});
  auto down = up;
  for (std::size_t i = 0; i <= jobs.size() / kFarShare; ++i) {
    if (above) {
      if (up == jobs.end() || up->first > watches_[*above].bar) return above;
      ++up;
    }
    if (below) {
      if (down == jobs.begin() || std::prev(down)->first <= watches_[*below].bar) return below;
      --down;
    }
  }
  return std::nullopt;
}

/// Where another bar of the demand is to be kept.
std::size_t Reach::slot_for_bar(const Demand& demand) const {
  const auto older = [](const Watch& a, const Watch& b) { return a.asked < b.asked; };
  const auto own = static_cast<std::size_t>(std::count_if(
      watches_.begin(), watches_.end(), [&](const Watch& watch) { return is_of(watch, demand); }));
  if (own < kBarsMax && watches_.size() < kWatchesMax) return watches_.size();
  const auto oldest =
      std::min_element(watches_.begin(), watches_.end(), [&](const Watch& a, const Watch& b) {
        const bool a_counts = own < kBarsMax || is_of(a, demand);
        const bool b_counts = own < kBarsMax || is_of(b, demand);
        return a_counts != b_counts ? a_counts : older(a, b);
      });
  return static_cast<std::size_t>(oldest - watches_.begin());
}

Reach::Watch& Reach::add_watch(const Demand& demand, std::size_t index) {
  if (index == watches_.size()) watches_.push_back({.usable = {}, .supply = Supply(demand)});
  watches_[index].owner = demand.groups.front().id;
  watches_[index].asked = ++asked_;
  watches_[index].filled = false;
  return watches_[index];
}

void Reach::watch_later(const Demand& demand) {
  if (!demand.restricted() && !watches(demand)) add_watch(demand, slot_for_bar(demand));
}

void Reach::watch(const Setting& setting, const Demand& demand, Rank bar) {
  const std::size_t index = find(demand);
  watch(setting, demand, bar, index == watches_.size() ? slot_for_bar(demand) : index);
}

void Reach::watch(const Setting& setting, const Demand& demand, Rank bar, std::size_t index) {
  begin(setting);
  Watch& watch = add_watch(demand, index);
  watch.filled = true;
  watch.bar = bar;
  fill(setting, demand, watch);
}

void Reach::fill(const Setting& setting, const Demand& demand, Watch& watch) const {
  const Cluster& cluster = setting.cluster;
  watch.cost = cost_beyond(setting.evictable, watch.bar, setting.jobs);
  watch.supply = Supply(demand);
  watch.usable.assign(cluster.nodes().size(), 0);
  for (const std::uint32_t index : cluster.classes(demand.partition)) {
    const NodeClass& state = cluster.node_class(index);
    const std::size_t groups = usable_by(cluster, demand, state.shape, state.free);
    watch.supply.add(cluster, state, groups);
    for (const NodeId node : state.nodes) {
      watch.usable[node.value] = static_cast<std::uint8_t>(groups);
    }
  }
  for (std::uint32_t i = 0; i < residents_.size(); ++i) {
    if (!residents_[i].empty()) look_at(setting, demand, {i}, watch);
  }
  watch.seen_cluster = cluster.log().end();
  watch.seen_residents = log_.end();
}

void Reach::catch_up(const Setting& setting, const Demand& demand, Watch& watch) const {
  const auto changed = setting.cluster.log().since(watch.seen_cluster);
  const auto moved = log_.since(watch.seen_residents);
  const std::size_t dear = std::max(kFew, setting.cluster.nodes().size());
  if (!changed || !moved || changed->size() + moved->size() > dear) {
    return fill(setting, demand, watch);
  }
  for (const NodeId node : *changed) look_at(setting, demand, node, watch);
  for (const NodeId node : *moved) look_at(setting, demand, node, watch);
  watch.seen_cluster = setting.cluster.log().end();
  watch.seen_residents = log_.end();
}

/// Counts the node by what it would have free with the victims on it gone.
void Reach::look_at(const Setting& setting, const Demand& demand, NodeId id, Watch& watch) const {
  const Cluster& cluster = setting.cluster;
  const Node& node = cluster.node(id);
  if (cluster.shape(node.shape).partition != demand.partition) return;
  if (watch.usable.size() <= id.value) watch.usable.resize(cluster.nodes().size(), 0);
  std::size_t groups = 0;
  if (node.open()) {
    Capacity free = node.free;
    if (id.value < residents_.size()) {
      for (const Resident& resident : residents_[id.value]) {
        if (is_victim(setting, watch, resident)) add(resident.part, 1, free);
      }
    }
    groups = usable_by(cluster, demand, node, free);
  }
  watch.supply.move(cluster, id, watch.usable[id.value], groups);
  watch.usable[id.value] = static_cast<std::uint8_t>(groups);
}

void Reach::move_bar(const Setting& setting, const Demand& demand, Rank bar, Watch& watch) const {
  const Rank low = std::min(bar, watch.bar);
  const Rank high = std::max(bar, watch.bar);
  const int change = bar < watch.bar ? 1 : -1;
  watch.bar = bar;
  constexpr JobId kLast{~std::uint64_t{0}};
  const auto end = setting.evictable.upper_bound({high, kLast});
  for (auto at = setting.evictable.upper_bound({low, kLast}); at != end; ++at) {
    const Job& job = *setting.jobs.find(at->second);
    watch.cost += change * held_cost(job);
    for_each_held(job,
                  [&](NodeId node, const Allocation&) { look_at(setting, demand, node, watch); });
  }
}

std::optional<std::int64_t> Reach::beyond(const Setting& setting, const Demand& demand, Rank bar) {
  std::size_t index = find(demand);
  if (index == watches_.size()) return std::nullopt;
  if (!watches_[index].filled) {
    watch(setting, demand, bar);
  } else if (const auto nearest = near(setting, demand, bar)) {
    index = *nearest;
  } else {
    index = slot_for_bar(demand);
    watch(setting, demand, bar, index);
  }
  Watch& watch = watches_[index];
  watch.asked = ++asked_;
  if (bar != watch.bar) move_bar(setting, demand, bar, watch);
  catch_up(setting, demand, watch);
  if (watch.supply.enough()) return std::nullopt;
  return watch.cost - cost_beyond(setting.taken, bar, setting.jobs);
}

}  // namespace gyre::reason
