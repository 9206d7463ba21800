#pragma once

#include <optional>
#include <variant>

#include "base/result.h"
#include "domain/command.h"
#include "domain/controller_state.h"
#include "domain/event.h"

namespace gyre::control {

using Record = std::variant<Event, Command>;

/// Where every event and every command is written, in the order in which the core saw and made
/// them. A command stands after the event that caused it. Used by one thread.
class Journal {
 public:
  virtual ~Journal() = default;

  virtual void append(const Event& event) = 0;
  virtual void append(const Command& command) = 0;

  /// Makes all that was appended since the last commit durable, all of it or nothing. After NoRoom
  /// and Unavailable it may be called again. After another error the journal is unusable: nothing
  /// may be acted on that is not recorded.
  virtual Result<void> commit() = 0;

  /// Keeps a state from which recovery may start; it follows from the events up to `state.seq`.
  /// After NoRoom and Unavailable it is not kept, and the journal is of use.
  virtual Result<void> save(const ControllerState& state) = 0;
};

/// Reads a journal back, oldest record first.
class JournalReader {
 public:
  virtual ~JournalReader() = default;
  virtual Result<std::optional<Record>> next() = 0;  // nullopt at the end
};

/// A journal that keeps nothing, for runs that can be repeated from their seed.
class NullJournal final : public Journal {
 public:
  void append(const Event&) override {}
  void append(const Command&) override {}
  Result<void> commit() override { return {}; }
  Result<void> save(const ControllerState&) override { return {}; }
};

}  // namespace gyre::control
