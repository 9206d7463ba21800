#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/result.h"
#include "control/controller.h"
#include "control/journal.h"

namespace gyre::control {

/// How much of a journal is wanted, and what is put behind it.
struct RestoreOptions {
  std::optional<EventSeq> upto;  // the last event
  std::optional<Time> at;        // the last event is the last one until then
  std::size_t events_per_commit = 1000;
  /// Events for the restored core to begin with, and when they are.
  std::function<std::vector<Event::Body>(const Controller&)> closing;
  Time closing_at;
};

struct RestoreReport {
  std::uint64_t events = 0;  // that were taken
  std::uint64_t commands = 0;
  EventSeq last;
  Time last_at;
};

/// Writes a journal anew up to an event, and the state behind it. Each event goes through `core`, a
/// new one, and its commands must come out as recorded; of `upto` those that are missing are
/// decided anew where the journal ends with it or is damaged behind it. Errors: the journals' and
/// those of replay(); Invalid, commands that come out otherwise; NotFound, there is no such event.
Result<RestoreReport> restore(JournalReader& from, Journal& to, Controller& core,
                              const RestoreOptions& options);

}  // namespace gyre::control
