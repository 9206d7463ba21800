#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "act/node_faults.h"
#include "agent/cut_dialer.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::agent {

/// Breaks its own node as it is told, one fault at a time and beside it a slow network, and mends
/// it when that fault's time is over. Thread-safe.
class FaultTaker {
 public:
  /// They outlive it.
  FaultTaker(act::NodeBreaker& breaker, act::DiskFiller& disk, CutDialer& dialer);
  /// Mends what it can.
  ~FaultTaker();
  FaultTaker(const FaultTaker&) = delete;
  FaultTaker& operator=(const FaultTaker&) = delete;

  /// Returns at once. Errors: Conflict, another one lasts; NotFound, no such task runs here;
  /// Unsupported, an agent cannot do that; Invalid, longer than kLiveFaultMax.
  Result<void> obey(const act::FaultOrder& order);
  /// What this node can have.
  std::vector<act::FaultAbility> able() const;

 private:
  struct Lasting {
    act::FaultOrder order;
    Time until{};  // by the boot clock
  };
  Result<void> begin(const act::FaultOrder& order);
  void mend();
  void speed_up();
  void watch();

  act::NodeBreaker& breaker_;
  act::DiskFiller& disk_;
  CutDialer& dialer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Lasting> lasting_;
  std::optional<Lasting> slow_;  // the network
  bool stop_ = false;
  std::thread watcher_;
};

}  // namespace gyre::agent
