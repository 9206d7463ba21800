#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre {

/// What is done about jobs that hold GPUs and do not use them: such a job is warned, and stopped
/// where it goes on like that.
struct IdleSpec {
  std::int32_t below_percent = 0;   // activity that is too little; 0: nobody is looked at
  Duration window = seconds(1800);  // for so long, before it is warned
  Duration grace = seconds(900);    // and so long after that, before it is stopped
  std::vector<std::string> exempt;  // queues whose jobs, and those of queues below, are left alone

  bool active() const { return below_percent > 0; }
  bool operator==(const IdleSpec&) const = default;
};
/// Errors: a setting out of its range.
Result<void> validate(const IdleSpec& spec);

/// What the devices of one attempt of a job have done over a time, all of which was seen.
struct GpuUse {
  JobId job;
  std::int32_t attempt = 0;
  bool known = false;             // false: that time was not seen well enough to say
  std::int64_t activity_ppm = 0;  // the mean of its devices
  bool by_sm = false;             // by the activity of their SMs, else by the driver's utilisation
  Duration over;

  bool operator==(const GpuUse&) const = default;
};

/// A job that has been warned, and why.
struct IdleWarning {
  GpuUse use;
  Time at;
  Time stops_at;  // not before; if it goes on

  bool operator==(const IdleWarning&) const = default;
};

struct IdleState {
  IdleSpec spec;
  std::vector<IdleWarning> warnings;  // by job
  bool operator==(const IdleState&) const = default;
};

/// "0.4 % SM activity for 30m 00s", for a person.
std::string describe(const GpuUse& use);

}  // namespace gyre
