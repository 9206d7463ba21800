#include "reason/preemption/prospect.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <span>

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

}  // namespace

Prospect& Prospect::operator=(const Prospect& other) {
  if (this != &other) *this = Prospect(other);
  return *this;
}

void Prospect::follow(const Source& source) {
  if (!cluster_ || !catch_up(source)) make(source);
  seen_.clear();
  seen_.push_back(source.now.log().end());
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
  if (!see(source.now.log(), seen_[0])) return false;
  for (std::size_t i = 0; i < source.logs.size(); ++i) {
    if (!see(*source.logs[i], seen_[i + 1])) return false;
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
  for (std::uint32_t i = 0; i < source.now.nodes().size(); ++i) look_at(source, {i});
}

void Prospect::look_at(const Source& source, NodeId id) {
  const Node& now = source.now.node(id);
  const Node& kept = cluster_->node(id);
  if (source.now.shape(now.shape).partition != source.partition) return;
  if (kept.up != now.up) cluster_->set_up(id, now.up);
  if (kept.duty != now.duty) cluster_->set_duty(id, now.duty);
  if (kept.silent != now.silent) cluster_->set_silent(id, now.silent);
  if (kept.quarantined != now.quarantined) cluster_->set_quarantined(id, now.quarantined);
  cluster_->set_suspect(id, now.suspect);
  Capacity wanted = now.free;
  source.change(id, now, wanted);
  if (wanted != kept.free) make_free(*cluster_, id, wanted);
}

}  // namespace gyre::reason
