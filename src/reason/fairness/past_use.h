#pragma once

#include "base/time.h"
#include "domain/queue.h"

namespace gyre::reason {

/// What a queue has used so far: a mean that fades by half in a half-life, and the GPU time of the
/// window that goes on. Integers throughout, so that it is the same on every machine; time counts
/// in whole seconds, and fading in 64 steps of a half-life.
class PastUse {
 public:
  /// Nothing was used before.
  void begin(Time now);
  /// Brings it up to `now`, before which `held` was held. True if past() is another now.
  /// O(1), however long that was.
  bool advance(const QueueSpec& spec, const ResourceSum& held, Time now);

  const ResourceSum& past() const { return state_.past; }
  std::int64_t gpu_milli_s() const { return state_.gpu_milli_s; }
  /// When the next window of GPU time begins.
  static Time window_end(const QueueSpec& spec, Time now);

  const QueueUsage& state() const { return state_; }
  void restore(const QueueUsage& state) { state_ = state; }

 private:
  QueueUsage state_;
};

/// `value` after `steps` steps of 1/64 of a half-life. Requires: both are >= 0, value < 2^38.
std::int64_t faded(std::int64_t value, std::int64_t steps);

}  // namespace gyre::reason
