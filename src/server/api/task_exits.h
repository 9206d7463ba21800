#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "control/controller.h"
#include "domain/event.h"

namespace gyre::server {

/// The exit codes of gangs' tasks, by rank, of the latest attempt: what has ended since the server
/// began. The driver's thread only.
class TaskExits {
 public:
  /// As a shell says them; none: it has not ended, or no process of it ran.
  using Codes = std::vector<std::optional<std::int32_t>>;
  static constexpr std::size_t kTasksMax = 250'000;  // of all jobs; the oldest are dropped

  void after(const Event& event, const control::Controller& core);
  /// Of a gang's latest attempt, and of a single task that has ended. Empty: nothing is known.
  Codes of(const Job& job) const;

 private:
  struct Attempt {
    std::int32_t number = 0;  // of the gang
    Codes codes;
  };
  std::map<JobId, Attempt> attempts_;  // the latest
  std::size_t tasks_ = 0;              // of all of them
};

}  // namespace gyre::server
