#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "control/journal.h"
#include "domain/policy.h"
#include "sim/setting.h"

namespace gyre::sim {

/// A cluster's life as its journal tells it, without what the policy decided: ready to be played
/// again under any policy. Times are since the first submission; what came before it is at 0.
///
/// A run took as long as from its last start to its end, and what its checkpoints kept before; the
/// tasks of a gang end together. How long a job would have run that was stopped, or had not ended
/// with the journal, is not known: it runs for its estimate, without one for the median of what
/// past runs suggest (reason/queueing/run_times.h, taught by the whole journal), and no shorter
/// than it had run.
struct History {
  Setting setting;             // its script has the changes of policy too
  ExecutionOptions execution;  // medians of what starts and stops took
  PolicySpec policy;           // the one that was live at first; the script has later ones
  EventSeq last_event{};
  Time begins_at{};  // the first submission, by the journal's clock
  Time ends_at{};    // the last event, by the same

  enum class Guess : std::uint8_t { None, Declared, Learned };  // of a run time
  std::vector<Guess> guesses{};                                 // by job
  std::uint64_t replicas = 0;    // of services: jobs that come and go as they did
  std::uint64_t runs_ended = 0;  // by themselves: what run times are known by
  // Of the window:
  std::uint64_t failed_starts = 0;  // they and the next two do not happen again
  std::uint64_t lost_tasks = 0;     // without their node
  std::uint64_t stalls = 0;
  std::uint64_t node_failures = 0;
  double lost_gpu_hours = 0;  // work that was done and not kept

  /// The policy that was live then.
  PolicySpec policy_at(Time time) const;
  /// Whether another policy came at that time or later.
  bool policy_changes(Time from) const;
  /// One policy is live from then on; what was live before stays. A world of the setting is to
  /// begin with `to`, whatever `from` is.
  void change_policy(const PolicySpec& to, Time from);
};

/// Reads a whole journal. `name` is for messages and reports, `since` begins the window of which
/// incidents are counted; all of it without one. With `services` their replicas are jobs of the
/// script that are pinned: they come when they came and end when they ended; this version must
/// decide as the one that wrote the journal. Errors: the reader's; NotFound for a journal without a
/// job; Invalid for one whose records cannot follow one another; Unsupported for one with services
/// that are not asked for, or in which ids of jobs jump. O(records); memory O(jobs).
Result<History> read_history(control::JournalReader& journal, std::string name,
                             std::optional<Time> since = std::nullopt, bool services = false);

}  // namespace gyre::sim
