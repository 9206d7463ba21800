#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/rng.h"
#include "control/driver.h"
#include "domain/wait_reason.h"
#include "sim/check/books.h"

namespace gyre::sim {

/// Checks every invariant after every event; what costs more than the event itself (the core's
/// whole picture, the reasons for waiting) at some events only, chosen by a fixed rule.
class Checker final : public control::Observer {
 public:
  struct Sampling {
    std::uint64_t events_per_comparison = 1000;  // of the core's whole picture with the books
    std::uint64_t events_per_explanation = 16;   // of up to three waiting jobs each
  };
  Checker() : Checker(Sampling{}) {}
  explicit Checker(Sampling sampling);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  /// After the last event.
  void finish(const control::Controller& core);

  const std::vector<Violation>& violations() const { return books_.violations(); }

 private:
  void compare(const control::Controller& core);
  void compare_job(const Job& job);
  void explain_some(const control::Controller& core);

  Sampling sampling_;
  Books books_;
  Rng rng_;
  std::uint64_t events_ = 0;
};

/// Whether `explanation` is true of a job that waits, judged by the books. Returns what is wrong
/// with it, empty if nothing is. `job` is the core's, for what only it knows (a retry's hold).
std::string what_is_untrue(const Books& books, const Job& job, const Explanation& explanation,
                           Time now);

}  // namespace gyre::sim
