#include "domain/cluster.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/assert.h"

namespace gyre {
namespace {

std::int64_t gpu_milli_sum(const Capacity& capacity) {
  return std::accumulate(capacity.gpu.begin(), capacity.gpu.end(), std::int64_t{0});
}

void sort_devices(Capacity& capacity, std::int32_t gpus) {
  // Insertion sort: at most 16 values, nearly sorted.
  for (std::int32_t i = 1; i < gpus; ++i) {
    const std::int16_t value = capacity.gpu[static_cast<std::size_t>(i)];
    std::size_t at = static_cast<std::size_t>(i);
    for (; at > 0 && capacity.gpu[at - 1] > value; --at) capacity.gpu[at] = capacity.gpu[at - 1];
    capacity.gpu[at] = value;
  }
}

}  // namespace

std::optional<ResidentKind> resident_kind(std::int32_t devices, GpuMilli gpu_milli) {
  using enum ResidentKind;
  if (devices == 0) return std::nullopt;
  if (gpu_milli < kWholeGpu) return Share;
  return devices == 1 ? One : devices == 2 ? Two : devices <= 4 ? Four : Eight;
}

std::size_t Cluster::ClassKeyHash::operator()(const ClassKey& key) const noexcept {
  std::uint64_t hash =
      key.shape.value | std::uint64_t{key.resident} << 32 | std::uint64_t{key.suspect} << 40;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (std::rotl(hash, 23) ^ word) * 0x9e3779b97f4a7c15ULL;
  };
  for (std::size_t i = 0; i < key.free.gpu.size(); i += 4) {
    std::uint64_t word = 0;  // of its order nothing hangs: classes are looked up, never walked
    std::memcpy(&word, &key.free.gpu[i], sizeof word);
    mix(word);
  }
  mix(static_cast<std::uint64_t>(key.free.cpu.value));
  mix(static_cast<std::uint64_t>(key.free.memory.value));
  return hash ^ (hash >> 32);
}

Result<void> Cluster::add(NodeId id, const NodeSpec& spec) {
  GYRE_ASSERT(id.value == nodes_.size());
  if (spec.gpus < 0 || spec.gpus > kGpusPerNodeMax) {
    return fail(ErrorKind::Invalid, "node '{}' has {} GPUs; a node has 0 to {}", spec.name,
                spec.gpus, kGpusPerNodeMax);
  }
  if (spec.cpu.value < 0 || spec.memory.value < 0 || spec.gpu_memory.value < 0) {
    return fail(ErrorKind::Invalid, "node '{}' has a negative amount of CPU or memory", spec.name);
  }
  const PartitionId partition_id = partition(spec.partition);
  Node node{spec,
            intern({partition_id, spec.gpu_model, spec.gpus, spec.gpu_memory, spec.cpu, spec.memory,
                    spec.gpu_sharing}),
            {{}, spec.cpu, spec.memory}};
  std::fill_n(node.free.gpu.begin(), spec.gpus, static_cast<std::int16_t>(kWholeGpu.value));
  nodes_.push_back(std::move(node));
  locate(spec.location);
  enter_class(id);
  log_.note(id);
  ++partitions_[partition_id.value].growth;
  return {};
}

/// Enters the last node into the domains that it is in.
void Cluster::locate(const Location& location) {
  std::string path;
  for (std::size_t i = 0; i < kTopologyLevels; ++i) {
    const std::string& name = location.at(static_cast<TopologyLevel>(i));
    Level& level = levels_[i];
    path += name;
    path += '\0';
    std::uint32_t domain = level.count;
    if (!name.empty()) domain = level.known.try_emplace(path, domain).first->second;
    level.domain_of.push_back(domain);
    level.count = std::max(level.count, domain + 1);
  }
}

template <class Change>
void Cluster::change(NodeId id, Change apply) {
  Node& node = nodes_[id.value];
  Node changed = node;
  apply(changed);
  if (node.open() && !changed.open()) leave_class(id);
  const bool opens = !node.open() && changed.open();
  log_.note(id);
  node.up = changed.up;
  node.duty = changed.duty;
  node.silent = changed.silent;
  node.quarantined = changed.quarantined;
  node.gpu_troubles = changed.gpu_troubles;
  if (!opens) return;
  enter_class(id);
  ++partition_of(node).growth;
}

void Cluster::set_up(NodeId id, bool up) {
  change(id, [up](Node& node) { node.up = up; });
}

void Cluster::set_duty(NodeId id, NodeDuty duty) {
  change(id, [duty](Node& node) { node.duty = duty; });
}

void Cluster::set_silent(NodeId id, bool silent) {
  change(id, [silent](Node& node) { node.silent = silent; });
}

void Cluster::set_quarantined(NodeId id, bool quarantined) {
  change(id, [quarantined](Node& node) { node.quarantined = quarantined; });
}

void Cluster::set_gpu_troubles(NodeId id, GpuTroubles troubles) {
  change(id, [troubles](Node& node) { node.gpu_troubles = troubles; });
}

void Cluster::set_suspect(NodeId id, bool suspect) {
  Node& node = nodes_[id.value];
  if (node.suspect == suspect) return;
  log_.note(id);
  if (node.open()) leave_class(id);
  node.suspect = suspect;
  if (node.open()) enter_class(id);
}

void Cluster::allocate(NodeId id, const Allocation& part) {
  log_.note(id);
  Node& node = nodes_[id.value];
  if (node.open()) leave_class(id);
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    std::int16_t& left = node.free.gpu[static_cast<std::size_t>(std::countr_zero(bits))];
    GYRE_ASSERT(left >= part.gpu_milli.value);
    left = static_cast<std::int16_t>(left - part.gpu_milli.value);
  }
  count_resident(node, part, 1);
  if (part.group.value != 0) count_group(id, part.group, 1);
  node.free.cpu -= part.cpu;
  node.free.memory -= part.memory;
  GYRE_ASSERT(node.free.cpu.value >= 0 && node.free.memory.value >= 0);
  if (node.open()) enter_class(id);
}

void Cluster::release(NodeId id, const Allocation& part) {
  log_.note(id);
  Node& node = nodes_[id.value];
  if (node.open()) leave_class(id);
  for (std::uint32_t bits = part.devices; bits != 0; bits &= bits - 1) {
    std::int16_t& left = node.free.gpu[static_cast<std::size_t>(std::countr_zero(bits))];
    left = static_cast<std::int16_t>(left + part.gpu_milli.value);
    GYRE_ASSERT(left <= kWholeGpu.value);
  }
  count_resident(node, part, -1);
  if (part.group.value != 0) count_group(id, part.group, -1);
  node.free.cpu += part.cpu;
  node.free.memory += part.memory;
  GYRE_ASSERT(node.free.cpu <= node.spec.cpu && node.free.memory <= node.spec.memory);
  if (!node.open()) return;
  enter_class(id);
  ++partition_of(node).growth;
}

Allocation Cluster::pick(NodeId id, const Request& request, std::int16_t device_free) const {
  const Node& node = nodes_[id.value];
  Allocation part{0, request.gpu_milli, request.cpu, request.memory,
                  given_sharing(node.spec.gpu_sharing, request)};
  const std::int16_t wanted =
      request.gpu_milli < kWholeGpu ? device_free : static_cast<std::int16_t>(kWholeGpu.value);
  std::int32_t missing = request.gpus;
  for (std::int32_t i = 0; i < node.spec.gpus && missing > 0; ++i) {
    if (node.free.gpu[static_cast<std::size_t>(i)] != wanted) continue;
    part.devices = static_cast<std::uint16_t>(part.devices | 1U << i);
    --missing;
  }
  GYRE_ASSERT(missing == 0);
  if (request.gpus == 0) part.gpu_milli = GpuMilli{0};
  return part;
}

void Cluster::count_resident(Node& node, const Allocation& part, int by) {
  const auto kind = resident_kind(std::popcount(part.devices), part.gpu_milli);
  if (!kind) return;
  std::uint16_t& count = node.residents[static_cast<std::size_t>(*kind)];
  count = static_cast<std::uint16_t>(count + by);
}

void Cluster::count_group(NodeId node, GroupId group, int by) {
  std::vector<GroupTasks>& places = groups_[group];
  auto at = std::lower_bound(places.begin(), places.end(), node,
                             [](const GroupTasks& place, NodeId id) { return place.node < id; });
  if (at == places.end() || at->node != node) at = places.insert(at, {node, 0});
  at->tasks += by;
  GYRE_ASSERT(at->tasks >= 0);
  if (at->tasks > 0) return;
  places.erase(at);
  if (places.empty()) groups_.erase(group);
}

std::span<const GroupTasks> Cluster::group(GroupId id) const {
  const auto found = id.value == 0 ? groups_.end() : groups_.find(id);
  if (found == groups_.end()) return {};
  return found->second;
}

std::int32_t Cluster::tasks_of(GroupId id, NodeId node) const {
  const std::span<const GroupTasks> places = group(id);
  const auto at =
      std::lower_bound(places.begin(), places.end(), node,
                       [](const GroupTasks& place, NodeId wanted) { return place.node < wanted; });
  return at == places.end() || at->node != node ? 0 : at->tasks;
}

std::uint8_t Cluster::resident_mask(const Node& node) const {
  std::uint8_t mask = 0;
  for (std::size_t kind = 0; residents_apart_ && kind < kResidentKinds; ++kind) {
    if (node.residents[kind] > 0) mask = static_cast<std::uint8_t>(mask | 1U << kind);
  }
  return mask;
}

void Cluster::tell_residents_apart(bool apart) {
  if (residents_apart_ == apart) return;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].open()) leave_class({i});
  }
  residents_apart_ = apart;
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].open()) enter_class({i});
  }
}

PartitionId Cluster::partition(const std::string& name) {
  for (std::uint32_t i = 0; i < partitions_.size(); ++i) {
    if (partitions_[i].name == name) return {i};
  }
  partitions_.push_back({name, {}, 0, 0});
  return {static_cast<std::uint32_t>(partitions_.size() - 1)};
}

std::span<const std::uint32_t> Cluster::classes(PartitionId id) const {
  return partitions_[id.value].classes;
}

ShapeId Cluster::intern(const Shape& shape) {
  const auto found = std::find(shapes_.begin(), shapes_.end(), shape);
  if (found != shapes_.end()) return {static_cast<std::uint32_t>(found - shapes_.begin())};
  shapes_.push_back(shape);
  return {static_cast<std::uint32_t>(shapes_.size() - 1)};
}

void Cluster::enter_class(NodeId id) {
  Node& node = nodes_[id.value];
  ClassKey key{node.shape, node.free, resident_mask(node), node.suspect};
  sort_devices(key.free, node.spec.gpus);
  node.class_index = class_for(key);
  partition_of(node).free_gpu_milli += gpu_milli_sum(node.free);
  auto& members = classes_[node.class_index].nodes;
  if (members.empty() || members.back() < id) {
    members.push_back(id);
  } else {
    members.insert(std::lower_bound(members.begin(), members.end(), id), id);
  }
}

void Cluster::leave_class(NodeId id) {
  const std::uint32_t index = nodes_[id.value].class_index;
  partition_of(nodes_[id.value]).free_gpu_milli -= gpu_milli_sum(nodes_[id.value].free);
  auto& members = classes_[index].nodes;
  members.erase(std::lower_bound(members.begin(), members.end(), id));
  if (members.empty()) drop_class(index);
}

std::uint32_t Cluster::class_for(const ClassKey& key) {
  const auto [found, is_new] = class_index_.try_emplace(key, 0U);
  if (!is_new) return found->second;
  std::uint32_t index = 0;
  if (unused_classes_.empty()) {
    index = static_cast<std::uint32_t>(classes_.size());
    classes_.emplace_back();
  } else {
    index = unused_classes_.back();
    unused_classes_.pop_back();
  }
  auto& listed = partitions_[shapes_[key.shape.value].partition.value].classes;
  NodeClass& node_class = classes_[index];
  node_class.shape = key.shape;
  node_class.free = key.free;
  node_class.resident = key.resident;
  node_class.suspect = key.suspect;
  node_class.serial = ++last_serial_;
  node_class.position = static_cast<std::uint32_t>(listed.size());
  listed.push_back(index);
  found->second = index;
  return index;
}

void Cluster::drop_class(std::uint32_t index) {
  NodeClass& node_class = classes_[index];
  auto& listed = partitions_[shapes_[node_class.shape.value].partition.value].classes;
  listed[node_class.position] = listed.back();
  classes_[listed.back()].position = node_class.position;
  listed.pop_back();
  class_index_.erase({node_class.shape, node_class.free, node_class.resident, node_class.suspect});
  unused_classes_.push_back(index);
}

}  // namespace gyre
