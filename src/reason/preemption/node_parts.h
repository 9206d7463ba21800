#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "domain/node.h"
#include "domain/node_log.h"

namespace gyre::reason {

/// Parts of nodes that are to change hands, by node, and a log of where they changed.
class NodeParts {
 public:
  struct Part {
    JobId job;
    std::size_t task = 0;  // its index in the job's placement
    Allocation allocation;
  };

  NodeParts() { log_.start(); }

  /// Requires: the job has none on this node. O(parts on the node).
  void add(NodeId node, const Part& part) {
    if (by_node_.size() <= node.value) by_node_.resize(node.value + 1);
    auto& here = by_node_[node.value];
    here.insert(place_of(here, part.job), part);
    log_.note(node);
  }
  /// Nothing if the job has none there. O(parts on the node).
  void remove(NodeId node, JobId job) {
    if (by_node_.size() <= node.value) return;
    auto& here = by_node_[node.value];
    const auto found = place_of(here, job);
    if (found == here.end() || found->job != job) return;
    here.erase(found);
    log_.note(node);
  }

  /// By job, ascending.
  std::span<const Part> on(NodeId node) const {
    return node.value < by_node_.size() ? std::span<const Part>(by_node_[node.value])
                                        : std::span<const Part>();
  }
  const NodeLog& log() const { return log_; }

 private:
  static std::vector<Part>::iterator place_of(std::vector<Part>& parts, JobId job) {
    return std::lower_bound(parts.begin(), parts.end(), job,
                            [](const Part& part, JobId id) { return part.job < id; });
  }

  std::vector<std::vector<Part>> by_node_;
  NodeLog log_;
};

}  // namespace gyre::reason
