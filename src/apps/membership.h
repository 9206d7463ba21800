#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "act/node_faults.h"
#include "agent/link.h"
#include "cli/cli.h"
#include "cli/outcome.h"

namespace gyre::apps {

/// A node's place in a fleet: its key, its certificate, and whom it believes. Kept in the agent's
/// folder, for its owner alone; renewed when two thirds of its time are over.
class Membership {
 public:
  /// Reads it, or joins with the token that `options` name. Errors: not a member and no token; the
  /// server's refusal; the disk; usage.
  static cli::Outcome<std::unique_ptr<Membership>> open(const std::string& folder,
                                                        const cli::AgentOptions& options);
  ~Membership();

  const std::string& node() const;
  agent::Dialer& dialer();
  /// From now on the server's orders to break this node go to `obey`, which returns at once; `able`
  /// says what it can have. Both outlive stop_faults().
  void take_faults(std::function<Result<void>(const act::FaultOrder&)> obey,
                   std::function<std::vector<act::FaultAbility>()> able);
  void stop_faults();

 private:
  struct Impl;
  explicit Membership(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::apps
