#include "reason/preemption/prospect.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <iterator>
#include <span>
#include <utility>

namespace gyre::reason {
namespace {

/// Gives or takes so that exactly `wanted` is free, in as few steps as differ.
void make_free(Cluster& cluster, NodeId id, const Capacity& wanted) {
  const Capacity now = cluster.node(id).free;
  for (const int sign : {1, -1}) {
    const auto lack = [&](std::int64_t want, std::int64_t have) {
      return std::max<std::int64_t>(0, sign * (want - have));
    };
    const auto apply = [&](const Allocation& part) {
      sign > 0 ? cluster.release(id, part) : cluster.allocate(id, part);
    };
    Allocation part{0,
                    {},
                    {lack(wanted.cpu.value, now.cpu.value)},
                    {lack(wanted.memory.value, now.memory.value)}};
    std::uint32_t left = 0;  // devices that lack some
    for (std::size_t i = 0; i < now.gpu.size(); ++i) {
      if (lack(wanted.gpu[i], now.gpu[i]) > 0) left |= 1U << i;
    }
    if (left == 0 && (part.cpu.value > 0 || part.memory.value > 0)) apply(part);
    while (left != 0) {
      const auto first = static_cast<std::size_t>(std::countr_zero(left));
      const std::int64_t amount = lack(wanted.gpu[first], now.gpu[first]);
      part.devices = 0;
      part.gpu_milli = GpuMilli{static_cast<std::int32_t>(amount)};
      for (std::size_t i = first; i < now.gpu.size(); ++i) {
        if (lack(wanted.gpu[i], now.gpu[i]) != amount) continue;
        part.devices = static_cast<std::uint16_t>(part.devices | 1U << i);
      }
      left &= ~std::uint32_t{part.devices};
      apply(part);
      part.cpu = {};
      part.memory = {};
    }
  }
}

/// The groups of tasks on a node, ascending, one for each task.
std::vector<GroupId> groups_on(const NodeParts& grouped, NodeId id) {
  std::vector<GroupId> groups;
  for (const NodeParts::Part& part : grouped.on(id)) groups.push_back(part.allocation.group);
  std::sort(groups.begin(), groups.end());
  return groups;
}

}  // namespace

Prospect& Prospect::operator=(const Prospect& other) {
  if (this != &other) *this = Prospect(other);
  return *this;
}

void Prospect::follow(const Source& source) {
  if (!cluster_ || !catch_up(source)) make(source);
  seen_.clear();
  seen_.push_back(source.now.log().end());
  seen_.push_back(source.grouped.log().end());
  for (const NodeLog* log : source.logs) seen_.push_back(log->end());
}

bool Prospect::catch_up(const Source& source) {
  if (cluster_->nodes().size() != source.now.nodes().size()) return false;
  std::vector<std::span<const NodeId>> changed;
  const auto see = [&](const NodeLog& log, std::uint64_t from) {
    const auto since = log.since(from);
    if (since) changed.push_back(*since);
    return since.has_value();
  };
  if (!see(source.now.log(), seen_[0]) || !see(source.grouped.log(), seen_[1])) return false;
  for (std::size_t i = 0; i < source.logs.size(); ++i) {
    if (!see(*source.logs[i], seen_[i + 2])) return false;
  }
  for (const std::span<const NodeId> nodes : changed) {
    for (const NodeId node : nodes) look_at(source, node);
  }
  return true;
}

void Prospect::make(const Source& source) {
  source.now.log_changes();
  cluster_ = std::make_unique<Cluster>(source.now);
  placer_ = source.placer;
  ++made_;
  groups_.assign(source.now.nodes().size(), {});
  for (std::uint32_t i = 0; i < source.now.nodes().size(); ++i) {
    groups_[i] = groups_on(source.grouped, {i});
    look_at(source, {i});
  }
}

void Prospect::look_at(const Source& source, NodeId id) {
  const Node& now = source.now.node(id);
  const Node& kept = cluster_->node(id);
  std::vector<GroupId> groups = groups_on(source.grouped, id);
  if (source.now.shape(now.shape).partition != source.partition) {
    return count_groups(id, std::move(groups));  // those of all partitions are counted
  }
  if (kept.up != now.up) cluster_->set_up(id, now.up);
  if (kept.duty != now.duty) cluster_->set_duty(id, now.duty);
  if (kept.silent != now.silent) cluster_->set_silent(id, now.silent);
  if (kept.quarantined != now.quarantined) cluster_->set_quarantined(id, now.quarantined);
  if (kept.gpu_troubles != now.gpu_troubles) cluster_->set_gpu_troubles(id, now.gpu_troubles);
  cluster_->set_suspect(id, now.suspect);
  Capacity wanted = now.free;
  source.change(id, now, wanted, groups);
  if (wanted != kept.free) make_free(*cluster_, id, wanted);
  std::sort(groups.begin(), groups.end());
  count_groups(id, std::move(groups));
}

/// Requires: ascending.
void Prospect::count_groups(NodeId id, std::vector<GroupId> wanted) {
  std::vector<GroupId>& counted = groups_[id.value];
  if (counted == wanted) return;
  std::vector<GroupId> differ;
  const auto part = [](GroupId group) {
    return Allocation{0, {}, {}, {}, Sharing::Exclusive, group};
  };
  std::set_difference(counted.begin(), counted.end(), wanted.begin(), wanted.end(),
                      std::back_inserter(differ));
  for (const GroupId group : differ) cluster_->release(id, part(group));
  differ.clear();
  std::set_difference(wanted.begin(), wanted.end(), counted.begin(), counted.end(),
                      std::back_inserter(differ));
  for (const GroupId group : differ) cluster_->allocate(id, part(group));
  counted = std::move(wanted);
}

}  // namespace gyre::reason
