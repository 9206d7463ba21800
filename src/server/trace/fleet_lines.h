#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "control/driver.h"

namespace gyre::server {

/// What is said in the structured log of nodes and of incidents: nodes that come, go, fall silent
/// or are taken out of service; incidents that are opened, acted upon and ended. Not thread-safe.
class FleetLines {
 public:
  /// Goes on with the incidents of `core`: they have been told.
  void take_up(const control::Controller& core);

  /// Lines, each with its end, of what `event` has led to. O(incidents that are open).
  std::string tell(const Event& event, const control::Decisions& decisions,
                   const control::Controller& core);

 private:
  /// How much of an incident was told.
  struct Told {
    std::size_t steps = 0;
    std::size_t steps_ended = 0;
    std::size_t moved = 0;
  };
  static Told all_of(const Incident& incident);
  class Story;

  std::map<std::uint64_t, Told> open_;
  std::uint64_t last_ = 0;  // the latest incident that was told
};

}  // namespace gyre::server
