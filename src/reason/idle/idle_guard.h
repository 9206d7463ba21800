#pragma once

#include <cstdint>
#include <map>

#include "domain/idle.h"

namespace gyre::reason {

/// Who holds GPUs and does not use them, is warned, and is stopped if it goes on. Acts on what was
/// seen alone: what is not known withdraws a warning, and no time that passes stops anybody. Pure;
/// a value type; not thread-safe. Its state is all there is.
class IdleGuard {
 public:
  enum class Verdict : std::uint8_t { Leave, Warn, Stop };

  /// Warnings under other rules are withdrawn.
  void configure(const IdleSpec& spec);
  const IdleSpec& spec() const { return spec_; }

  /// What a running job's devices have done up to `now`.
  Verdict sees(const GpuUse& use, Time now);

  /// The job is not looked at any more.
  void forget(JobId job) { warnings_.erase(job); }

  /// nullptr: it has not been warned, or has made use of its GPUs since.
  const IdleWarning* warning(JobId job) const;

  IdleState state() const;
  void restore(const IdleState& state);

 private:
  IdleSpec spec_;
  std::map<JobId, IdleWarning> warnings_;
};

}  // namespace gyre::reason
