#include "control/driver.h"

namespace gyre::control {
namespace {

/// Takes events until the world has none ready or the batch is full. False when the world is over.
bool take_batch(Controller& core, World& world, Journal& journal, Observer& observer,
                std::size_t events_max, Commands& commands, EventSeq& last) {
  for (std::size_t taken = 0; taken < events_max; ++taken) {
    if (taken > 0 && !world.has_pending()) return true;
    const std::optional<Event> event = world.next(core.next_wakeup());
    if (!event) return false;
    observer.before(*event);
    journal.append(*event);
    const Decisions& decisions = core.step(*event);
    for (const Command& command : decisions.commands) {
      journal.append(command);
      commands.push_back(command);
    }
    last = event->seq;
    observer.after(*event, decisions, core);
  }
  return true;
}

bool may_pass(const Error& error) {
  return error.kind == ErrorKind::NoRoom || error.kind == ErrorKind::Unavailable;
}

/// A full disk, or a store that is out of reach, is waited for as long as the world likes.
Result<void> commit(Journal& journal, World& world) {
  for (;;) {
    auto done = journal.commit();
    if (done || !may_pass(done.error())) return done;
    if (!world.await_room(done.error())) return done;
  }
}

}  // namespace

Result<void> run(Controller& core, World& world, Journal& journal, Observer& observer,
                 const DriverOptions& options) {
  Commands commands;
  EventSeq last = core.last_event();
  EventSeq last_snapshot = last;
  for (bool more = true; more;) {
    commands.clear();
    const EventSeq before = last;
    more =
        take_batch(core, world, journal, observer, options.events_per_commit_max, commands, last);
    if (last == before) continue;
    if (auto done = commit(journal, world); !done) return done;
    world.committed(last);
    observer.committed(last);
    for (const Command& command : commands) world.submit(command);
    if (options.events_per_snapshot > 0 && !core.has_leftover() &&
        last.value - last_snapshot.value >= options.events_per_snapshot) {
      auto done = journal.save(core.state());
      // Without it a recovery has more to replay: that is all.
      if (!done && !may_pass(done.error())) return done;
      last_snapshot = last;
    }
  }
  return {};
}

}  // namespace gyre::control
