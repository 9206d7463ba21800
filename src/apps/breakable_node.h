#pragma once

#include <string>

#include "adapter/process/node_breaker.h"
#include "agent/cut_dialer.h"
#include "agent/fault_taker.h"
#include "apps/membership.h"

namespace gyre::apps {

/// What lets an agent's node be broken on purpose, where its operator allows it.
class BreakableNode {
 public:
  /// `member` outlives it. `folder`: the agent's; `tasks`: theirs.
  BreakableNode(Membership& member, const std::string& folder, const std::string& tasks);

  /// What the agent dials through.
  agent::Dialer& dialer() { return dialer_; }

  /// Faults are taken from the server until end(). Does nothing unless `allowed`.
  void begin(bool allowed);
  void end() { member_.stop_faults(); }

 private:
  Membership& member_;
  agent::CutDialer dialer_;
  process::NodeBreaker breaker_;
  process::DiskFiller disk_;
  agent::FaultTaker taker_;
};

}  // namespace gyre::apps
