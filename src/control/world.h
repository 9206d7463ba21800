#pragma once

#include <optional>

#include "base/result.h"
#include "domain/command.h"
#include "domain/event.h"

namespace gyre::control {

/// Everything that is not the core. A world is driven by one thread; only its own inbox may be
/// fed by others.
class World {
 public:
  virtual ~World() = default;

  /// The next event; a Tick stamped `deadline` if nothing came before it; nullopt when the world is
  /// over. Without a deadline waits as long as it takes. Events come with `at` never going back and
  /// `seq` growing by one.
  virtual std::optional<Event> next(std::optional<Time> deadline) = 0;

  /// True if next() would return at once; what is pending can share one journal commit.
  virtual bool has_pending() const = 0;

  /// Everything up to and including `seq` is durable: whoever waits for it may be told.
  virtual void committed(EventSeq seq) = 0;

  /// The journal cannot take what was taken now, for want of room or of its store; nothing of it
  /// may be told as durable. Waits a while; then true to try again, false to give up.
  virtual bool await_room(const Error& why) {
    static_cast<void>(why);
    return false;
  }

  /// Carries out an intent that is already durable; its outcome arrives later as events. Must
  /// accept a command it has seen before, and act on it once.
  virtual void submit(const Command& command) = 0;
};

}  // namespace gyre::control
