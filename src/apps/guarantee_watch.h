#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "control/driver.h"

namespace gyre::apps {

/// Says on stderr when more is guaranteed to queues than the nodes that are up have, once for each
/// time that it begins. Partitions without a node that is up are passed over: theirs are yet to
/// come. The driver's thread.
class GuaranteeWatch final : public control::Observer {
 public:
  /// Nothing is said before there are so many nodes.
  explicit GuaranteeWatch(std::size_t nodes_expected) : nodes_expected_(nodes_expected) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

 private:
  std::size_t nodes_expected_;
  bool looked_ = false;
  std::set<std::string> lacking_;  // partitions
};

}  // namespace gyre::apps
