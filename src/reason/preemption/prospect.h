#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "domain/cluster.h"
#include "reason/placement/placer.h"
#include "reason/preemption/node_parts.h"

namespace gyre::reason {

/// A partition's nodes as they will be: a copy of the cluster in which other amounts are free,
/// brought up to date node by node where something changed, so that a question about it costs what
/// changed since the last one and not all that is to come.
///
/// A memory, never an input: it says what a Trial would. A copy starts without it. Does not tell
/// residents apart. Not thread-safe.
class Prospect {
 public:
  Prospect() = default;
  Prospect(const Prospect& other) : made_(other.made_) {}
  Prospect(Prospect&&) = default;
  Prospect& operator=(const Prospect& other);
  Prospect& operator=(Prospect&&) = default;
  ~Prospect() = default;

  struct Source {
    Cluster& now;
    PartitionId partition;
    const Placer& placer;
    const NodeParts& grouped;  // what tasks of groups hold now
    /// Where what `change` does has changed, besides where the cluster and `grouped` did.
    std::vector<const NodeLog*> logs;
    /// Makes of what a node has free now, and of the groups of the tasks that are there, each as
    /// often as it has some, what it will have. Of that node's state alone.
    std::function<void(NodeId id, const Node& node, Capacity& free, std::vector<GroupId>& groups)>
        change;
  };

  /// Brings it up to date. O(nodes that changed), the first time and where a log forgot O(nodes).
  /// Always of one source.
  void follow(const Source& source);
  bool is_known() const { return cluster_ != nullptr; }
  void forget() { cluster_.reset(); }

  /// Requires: follow() was called. Changes are to be undone before the next call.
  Cluster& cluster() { return *cluster_; }
  Placer& placer() { return placer_; }
  /// Places as this one from now on.
  void use(const Placer& placer) { placer_ = placer; }
  /// How often it was made from nothing, those that it is a copy of included. Cluster::growth() and
  /// log() go on while this stands.
  std::uint64_t made() const { return made_; }

 private:
  bool catch_up(const Source& source);
  void make(const Source& source);
  void look_at(const Source& source, NodeId id);
  void count_groups(NodeId id, std::vector<GroupId> wanted);

  std::unique_ptr<Cluster> cluster_;
  Placer placer_;
  std::vector<std::uint64_t> seen_;  // of each log, the cluster's first, then that of `grouped`
  std::vector<std::vector<GroupId>> groups_;  // that cluster_ counts, by node; ascending
  std::uint64_t made_ = 0;
};

}  // namespace gyre::reason
