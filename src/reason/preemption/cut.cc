// Who is to go so that a demand fits, of those that Reach knows.
#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>

#include "base/assert.h"
#include "reason/placement/free_capacity.h"
#include "reason/preemption/reach.h"

namespace gyre::reason {

Exposure::Exposure(const Job& job)
    : gpu_milli(static_cast<double>(gpu_total(job.spec->tasks).value)),
      started(job.attempt_started_at),
      interval(job.spec->checkpoint.interval.value_or(Duration{0})) {}

double Exposure::at(Time now) const {
  Duration unsaved = now - started;
  if (interval.ns > 0) unsaved = Duration{unsaved.ns % interval.ns};
  return gpu_milli * static_cast<double>(unsaved.ns);
}

/// Takes the victims on the nodes that they would make room on, first to go first.
class Reach::Sweep {
 public:
  Sweep(const Reach& reach, const Setting& setting, const Demand& demand, const Watch& watch)
      : reach_(reach),
        setting_(setting),
        cluster_(setting.cluster),
        demand_(demand),
        watch_(watch),
        supply_(demand),
        changed_at_(cluster_.nodes().size(), kNone) {
    std::vector<std::uint8_t> usable(0);  // by class index
    for (const std::uint32_t index : cluster_.classes(demand.partition)) {
      const NodeClass& state = cluster_.node_class(index);
      const std::size_t groups = usable_by(cluster_, demand, state.shape, state.free);
      supply_.add(cluster_, state, groups);
      if (usable.size() <= index) usable.resize(index + 1);
      usable[index] = static_cast<std::uint8_t>(groups);
    }
    std::vector<Front> fronts;
    for (std::uint32_t i = 0; i < reach.residents_.size(); ++i) {
      if (watch.usable[i] == 0 || reach.residents_[i].empty()) continue;
      if (usable[cluster_.node({i}).class_index] == watch.usable[i]) continue;
      if (const auto first = next_on({i}, std::nullopt)) fronts.push_back({*first, {i}});
    }
    fronts_ = Fronts({}, std::move(fronts));
  }

  /// The last victim until the demand fits.
  VictimKey take() {
    while (true) {
      GYRE_ASSERT(!fronts_.empty());
      const VictimKey key = fronts_.top().key;
      while (!fronts_.empty() && fronts_.top().key == key) {
        const NodeId node = fronts_.top().node;
        fronts_.pop();
        give(node, key.job, 1);
        if (const auto next = next_on(node, key)) fronts_.push({*next, node});
      }
      if (supply_.enough()) return key;
    }
  }

  /// Who of those up to `last` is needed, dearest first. Others on these nodes go back.
  std::vector<JobId> needed(const VictimKey& last) {
    std::vector<std::pair<VictimKey, NodeId>> parts;
    for (const Changed& changed : changed_) {
      if (changed.groups == changed.groups_before) continue;
      for (const Resident& resident : reach_.residents_[changed.node.value]) {
        if (!reach_.is_victim(setting_, watch_, resident)) continue;
        const VictimKey key = reach_.candidates_[resident.slot].key();
        if (key <= last) parts.emplace_back(key, changed.node);
      }
    }
    std::sort(parts.begin(), parts.end(), std::greater<>());
    std::vector<JobId> victims;
    for (std::size_t i = 0, end = 0; i < parts.size(); i = end) {
      const JobId job = parts[i].first.job;
      for (end = i; end < parts.size() && parts[end].first.job == job;) ++end;
      const auto give_all = [&](int sign) {
        for (std::size_t k = i; k < end; ++k) give(parts[k].second, job, sign);
      };
      if (i > 0) {
        give_all(-1);
        if (supply_.enough()) continue;
        give_all(1);
      }
      victims.push_back(job);
    }
    return victims;
  }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;

  /// The next victim on a node.
  struct Front {
    VictimKey key;
    NodeId node;
    bool operator>(const Front& o) const { return std::tie(key, node) > std::tie(o.key, o.node); }
  };
  using Fronts = std::priority_queue<Front, std::vector<Front>, std::greater<>>;
  struct Changed {
    NodeId node;
    Capacity free;  // by device index
    std::size_t groups = 0;
    std::size_t groups_before = 0;
  };

  std::optional<VictimKey> next_on(NodeId node, const std::optional<VictimKey>& after) const {
    std::optional<VictimKey> first;
    for (const Resident& resident : reach_.residents_[node.value]) {
      if (resident.rank <= watch_.bar) continue;
      const VictimKey key = reach_.candidates_[resident.slot].key();
      if ((after && key <= *after) || (first && *first <= key)) continue;
      if (reach_.is_victim(setting_, watch_, resident)) first = key;
    }
    return first;
  }

  void give(NodeId id, JobId job, int sign) {
    const Node& node = cluster_.node(id);
    std::uint32_t& at = changed_at_[id.value];
    if (at == kNone) {
      at = static_cast<std::uint32_t>(changed_.size());
      const std::size_t groups = usable_by(cluster_, demand_, node, node.free);
      changed_.push_back({id, node.free, groups, groups});
    }
    Changed& changed = changed_[at];
    for (const Resident& resident : reach_.residents_[id.value]) {
      if (reach_.candidates_[resident.slot].job == job) add(resident.part, sign, changed.free);
    }
    const std::size_t groups = usable_by(cluster_, demand_, node, changed.free);
    supply_.move(cluster_, id, changed.groups, groups);
    changed.groups = groups;
  }

  const Reach& reach_;
  const Setting& setting_;
  const Cluster& cluster_;
  const Demand& demand_;
  const Watch& watch_;
  Supply supply_;
  Fronts fronts_;
  std::vector<Changed> changed_;
  std::vector<std::uint32_t> changed_at_;  // in changed_, by node
};

void Reach::weigh(Time now) {
  if (weighed_at_ == now) return;
  weighed_at_ = now;
  for (Candidate& candidate : candidates_) {
    if (candidate.job.value != 0) candidate.at_risk = candidate.exposure.at(now);
  }
}

Reach::Cut Reach::cut(const Setting& setting, const Demand& demand, Time now) {
  weigh(now);
  const Watch& watch = watches_[find(demand)];
  Sweep sweep(*this, setting, demand, watch);
  const VictimKey last = sweep.take();
  Cut cut;
  for (const Candidate& candidate : candidates_) {
    const bool counts = candidate.job.value != 0 && candidate.rank > watch.bar;
    if (!counts || last < candidate.key()) continue;
    ++cut.tried;
    cut.cost += candidate.cost;
  }
  for (const auto& [rank, id] : setting.taken) {
    const Candidate& candidate = candidates_[slots_.at(id)];
    if (rank <= watch.bar || last < candidate.key()) continue;
    --cut.tried;
    cut.cost -= candidate.cost;
  }
  cut.victims = sweep.needed(last);
  return cut;
}

}  // namespace gyre::reason
