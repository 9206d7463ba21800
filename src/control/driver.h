#pragma once

#include <cstddef>
#include <vector>

#include "control/controller.h"
#include "control/journal.h"
#include "control/world.h"

namespace gyre::control {

/// Looks on: is told of every event after the core has answered it, on the driver's thread.
class Observer {
 public:
  virtual ~Observer() = default;
  /// The core will be told of `event` next.
  virtual void before(const Event& event) { static_cast<void>(event); }
  virtual void after(const Event& event, const Decisions& decisions, const Controller& core) = 0;
  /// Everything up to and including `seq` is durable: others may be told.
  virtual void committed(EventSeq seq) { static_cast<void>(seq); }
};

struct DriverOptions {
  std::size_t events_per_commit_max = 1000;
  std::uint64_t events_per_snapshot = 0;  // 0: never
};

/// The one loop: takes events from the world, asks the core, makes both durable, then carries out
/// the commands. Ends when the world does. While the journal has no room, or is out of reach, the
/// world says whether to go on trying. Errors: the journal's; no command of the failed batch has
/// been carried out then.
Result<void> run(Controller& core, World& world, Journal& journal, Observer& observer,
                 const DriverOptions& options = {});

}  // namespace gyre::control
