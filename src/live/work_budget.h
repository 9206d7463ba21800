#pragma once

#include <functional>

#include "base/time.h"
#include "control/driver.h"
#include "live/inbox.h"

namespace gyre::live {

/// CPU time of the calling thread.
Duration thread_cpu_time();

/// Keeps what a decision cycle may look at to what takes kCycle on this machine, by what its cycles
/// took. Told to the core as an event, so that a replay ends its cycles where they ended. A cycle
/// that was dear lowers the budget; one that ran out of it and was cheap raises it. For the
/// driver's thread.
class WorkBudget final : public control::Observer {
 public:
  static constexpr Duration kCycle = milliseconds(5);
  static constexpr std::int64_t kWorkMin = 1'000;       // node states
  static constexpr std::int64_t kWorkMax = 20'000'000;  // node states

  explicit WorkBudget(Inbox& inbox, std::function<Duration()> cpu_time = thread_cpu_time)
      : inbox_(inbox), cpu_time_(std::move(cpu_time)) {}

  void before(const Event&) override { began_ = cpu_time_(); }
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

 private:
  Inbox& inbox_;
  std::function<Duration()> cpu_time_;
  Duration began_{0};
  bool asked_ = false;  // another budget is on its way to the core
};

}  // namespace gyre::live
