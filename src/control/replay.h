#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "control/driver.h"
#include "control/journal.h"

namespace gyre::control {

/// A command that came out otherwise than recorded, or that only one side has.
struct Mismatch {
  EventSeq seq;  // the event that caused it
  std::optional<Command> recorded;
  std::optional<Command> computed;
};

struct ReplayReport {
  std::uint64_t events = 0;
  std::uint64_t commands = 0;  // recorded ones
  std::uint64_t mismatches = 0;
  std::vector<Mismatch> first_mismatches;  // at most ReplayOptions::mismatches_kept_max
  std::optional<EventSeq> last_event;
  Time last_time;

  bool matches() const { return mismatches == 0; }
};

struct ReplayOptions {
  std::size_t mismatches_kept_max = 10;
  bool stop_at_mismatch = false;
  Observer* observer = nullptr;  // is told of every event after the core has answered it
};

/// Feeds the events of a journal to `core` and compares its commands with the recorded ones, one by
/// one. `core` is left as the journal's end left it. A journal starts with the events that set
/// policy, queues and nodes, so a new core suffices for a whole one; a core restored from a
/// snapshot takes a journal from the event after it. The Config is not recorded: replay with the
/// one that was live, which is the default one.
///
/// Errors: the reader's; Invalid, events out of order, or a command before any event.
Result<ReplayReport> replay(JournalReader& journal, Controller& core,
                            const ReplayOptions& options = {});

}  // namespace gyre::control
