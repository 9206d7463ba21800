#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "control/driver.h"
#include "control/forecast/forecast.h"
#include "sim/report/report.h"

namespace gyre::sim {

/// Asks when a job will start as it is submitted, if it has to wait, and sees whether it does: of
/// one job in so many, since an answer costs many steps of the core. One thread.
class StartTeller final : public control::Observer {
 public:
  /// Requires: one_in > 0.
  explicit StartTeller(std::uint64_t one_in) : one_in_(one_in) {}

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  StartsTold result() const;

 private:
  std::uint64_t one_in_;
  std::uint64_t waited_ = 0;
  std::map<JobId, ToldStart> told_;  // of jobs that have not started
  StartsTold counts_;
};

}  // namespace gyre::sim
