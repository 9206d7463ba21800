#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "domain/gpu_sample.h"
#include "domain/node.h"
#include "domain/node_log.h"

namespace gyre {

using PartitionId = Id<struct PartitionTag, std::uint32_t>;
using ShapeId = Id<struct ShapeTag, std::uint32_t>;

/// What nodes of one kind have in common. Interned: equal shapes have one id.
struct Shape {
  PartitionId partition;
  std::string gpu_model;
  std::int32_t gpus = 0;
  MemoryMib gpu_memory{0};
  CpuMilli cpu{0};
  MemoryMib memory{0};
  Sharing gpu_sharing = Sharing::Timeslice;

  bool operator==(const Shape&) const = default;
};

/// Nodes that are open, of equal shape and with equal free resources. `free.gpu` is sorted,
/// ascending: which device is which does not matter to a decision.
struct NodeClass {
  ShapeId shape;
  Capacity free;
  std::uint8_t resident = 0;   // bit k: runs a task of ResidentKind k; 0 unless told apart
  bool suspect = false;        // others are preferred
  std::uint64_t serial = 0;    // of this state's coming into being; never reused in a cluster
  std::vector<NodeId> nodes;   // ascending, never empty while the class lives
  std::uint32_t position = 0;  // in its partition's list
};

/// Tasks by how many devices they hold. Two and Four stand for all up to that size.
enum class ResidentKind : std::uint8_t { Share, One, Two, Four, Eight };
inline constexpr std::size_t kResidentKinds = 5;

/// None for a task without devices.
std::optional<ResidentKind> resident_kind(std::int32_t devices, GpuMilli gpu_milli);

/// Tasks of one group on one node.
struct GroupTasks {
  NodeId node;
  std::int32_t tasks = 0;
};

struct Node {
  NodeSpec spec;
  ShapeId shape;
  Capacity free;  // by device index
  bool up = true;
  NodeDuty duty = NodeDuty::Open;
  bool silent = false;                                    // not heard for a while
  bool quarantined = false;                               // out of service to be healed
  bool suspect = false;                                   // others are preferred
  GpuTroubles gpu_troubles{};                             // none: all devices are well
  std::uint32_t class_index = 0;                          // valid while open
  std::array<std::uint16_t, kResidentKinds> residents{};  // tasks by ResidentKind

  /// Whether new tasks may be put on it.
  bool open() const {
    return up && duty == NodeDuty::Open && !silent && !quarantined && gpu_troubles.none();
  }
};

/// The fleet and what is free on it, indexed so that a placement looks at each distinct node state
/// once however many nodes share it.
///
/// Invariants: an open node is in exactly one class, any other in none; free resources stay between
/// zero and the node's shape. Copyable. Not thread-safe. Two clusters that went through different
/// histories to the same free resources answer every question alike, but for the order of
/// `classes()`: a choice among classes must end on node ids.
class Cluster {
 public:
  /// Requires: node ids are dense, in joining order. Errors: more than kGpusPerNodeMax GPUs,
  /// negative amounts.
  Result<void> add(NodeId id, const NodeSpec& spec);

  /// A node that goes down keeps its allocations until they are released.
  void set_up(NodeId id, bool up);
  void set_duty(NodeId id, NodeDuty duty);
  void set_silent(NodeId id, bool silent);
  void set_quarantined(NodeId id, bool quarantined);
  void set_suspect(NodeId id, bool suspect);
  void set_gpu_troubles(NodeId id, GpuTroubles troubles);

  /// Takes exactly `part` from the node. Requires: it is free. O(nodes in the two classes) moves of
  /// 4 bytes, plus one hash of 60 bytes.
  void allocate(NodeId id, const Allocation& part);
  void release(NodeId id, const Allocation& part);

  /// The share that `request` gets on a node: for a fraction the lowest device with exactly
  /// `device_free` left, else the lowest wholly free devices. Requires: the node has it free.
  Allocation pick(NodeId id, const Request& request, std::int16_t device_free) const;

  /// Whether nodes that run tasks of different kinds are in different classes. O(nodes) if changed.
  void tell_residents_apart(bool apart);

  PartitionId partition(const std::string& name);  // interned at first use
  const std::string& partition_name(PartitionId id) const { return partitions_[id.value].name; }
  std::size_t partition_count() const { return partitions_.size(); }

  std::span<const std::uint32_t> classes(PartitionId id) const;
  const NodeClass& node_class(std::uint32_t index) const { return classes_[index]; }
  const Shape& shape(ShapeId id) const { return shapes_[id.value]; }
  std::size_t shape_count() const { return shapes_.size(); }
  const Node& node(NodeId id) const { return nodes_[id.value]; }
  std::span<const Node> nodes() const { return nodes_; }

  /// The node's domain: the same for nodes that are in one.
  std::uint32_t domain(TopologyLevel level, NodeId node) const {
    if (level == TopologyLevel::Node) return node.value;
    return levels_[static_cast<std::size_t>(level)].domain_of[node.value];
  }

  /// All domains of the level are below.
  std::uint32_t domain_count(TopologyLevel level) const {
    if (level == TopologyLevel::Node) return static_cast<std::uint32_t>(nodes_.size());
    return levels_[static_cast<std::size_t>(level)].count;
  }

  /// Where tasks of a group are allocated, by node, ascending. None for group 0.
  std::span<const GroupTasks> group(GroupId id) const;
  std::int32_t tasks_of(GroupId id, NodeId node) const;  // O(log nodes that run it)

  /// Grows whenever resources of the partition become free: what did not fit before still does not
  /// while this stands still.
  std::uint64_t growth(PartitionId id) const { return partitions_[id.value].growth; }

  /// Notes from now on which nodes have other free resources, or open or close.
  void log_changes() { log_.start(); }
  const NodeLog& log() const { return log_; }

  /// Free milli-GPUs of the partition's nodes that are open.
  std::int64_t free_gpu_milli(PartitionId id) const { return partitions_[id.value].free_gpu_milli; }

 private:
  friend class Trial;

  struct ClassKey {
    ShapeId shape;
    Capacity free;
    std::uint8_t resident = 0;
    bool suspect = false;
    bool operator==(const ClassKey&) const = default;
  };
  struct ClassKeyHash {
    std::size_t operator()(const ClassKey& key) const noexcept;
  };
  struct Partition {
    std::string name;
    std::vector<std::uint32_t> classes;
    std::uint64_t growth = 0;
    std::int64_t free_gpu_milli = 0;
  };

  /// The domains of one level.
  struct Level {
    std::map<std::string, std::uint32_t> known;  // by the names down to this level
    std::vector<std::uint32_t> domain_of;        // by node
    std::uint32_t count = 0;
  };

  ShapeId intern(const Shape& shape);
  void locate(const Location& location);
  std::uint8_t resident_mask(const Node& node) const;
  static void count_resident(Node& node, const Allocation& part, int by);
  void count_group(NodeId node, GroupId group, int by);
  Partition& partition_of(const Node& node) {
    return partitions_[shapes_[node.shape.value].partition.value];
  }
  template <class Change>
  void change(NodeId id, Change apply);
  void enter_class(NodeId id);
  void leave_class(NodeId id);
  std::uint32_t class_for(const ClassKey& key);
  void drop_class(std::uint32_t index);

  std::vector<Node> nodes_;
  std::vector<Shape> shapes_;
  std::vector<Partition> partitions_;
  std::array<Level, kTopologyLevels> levels_;
  std::vector<NodeClass> classes_;
  std::vector<std::uint32_t> unused_classes_;
  std::uint64_t last_serial_ = 0;
  bool residents_apart_ = false;
  NodeLog log_;
  std::unordered_map<GroupId, std::vector<GroupTasks>> groups_;  // looked up, never walked
  std::unordered_map<ClassKey, std::uint32_t, ClassKeyHash>
      class_index_;  // looked up, never walked
};

}  // namespace gyre
