#include "control/restore.h"

#include <algorithm>
#include <utility>

namespace gyre::control {
namespace {

class Restoration {
 public:
  Restoration(JournalReader& from, Journal& to, Controller& core, const RestoreOptions& options)
      : from_(from), to_(to), core_(core), options_(options) {}

  Result<RestoreReport> run() {
    if (auto taken = take_all(); !taken) return tl::unexpected(taken.error());
    if (report_.events == 0) {
      return fail(ErrorKind::NotFound, "the journal has no event until then; nothing was restored");
    }
    if (options_.upto && core_.last_event() < *options_.upto) {
      return fail(ErrorKind::NotFound, "the journal ends with event {}, before event {}",
                  core_.last_event().value, options_.upto->value);
    }
    report_.last = core_.last_event();
    report_.last_at = core_.now();
    close();
    if (auto done = to_.commit(); !done) return tl::unexpected(done.error());
    if (auto done = to_.save(core_.state()); !done) return tl::unexpected(done.error());
    return report_;
  }

 private:
  bool is_wanted(const Event& event) const {
    return (!options_.upto || event.seq <= *options_.upto) &&
           (!options_.at || event.at <= *options_.at);
  }
  bool has_all() const { return options_.upto && core_.last_event() == *options_.upto; }

  /// Up to the first event that is not wanted. Whether commands are whole is known when the next
  /// event comes.
  Result<void> take_all() {
    for (;;) {
      auto record = from_.next();
      if (!record && has_all()) return {};
      if (!record) return tl::unexpected(record.error());
      if (!*record) return has_all() ? Result<void>{} : check_commands();
      if (const auto* command = std::get_if<Command>(&**record)) {
        recorded_.push_back(*command);
        continue;
      }
      if (auto same = check_commands(); !same) return same;
      const Event& event = std::get<Event>(**record);
      if (!is_wanted(event)) return {};
      if (auto done = step(event); !done) return done;
      ++report_.events;
      report_.commands += computed_.size();
    }
  }

  Result<void> check_commands() {
    if (recorded_ == computed_) return {};
    return fail(
        ErrorKind::Invalid,
        "event {} led to other commands than recorded; restore it with the version that wrote "
        "it (this is {})",
        core_.last_event().value, GYRE_VERSION);
  }

  Result<void> step(const Event& event) {
    to_.append(event);
    computed_ = core_.step(event).commands;
    recorded_.clear();
    for (const Command& command : computed_) to_.append(command);
    if (++pending_ < options_.events_per_commit) return {};
    pending_ = 0;
    return to_.commit();
  }

  void close() {
    if (!options_.closing) return;
    for (Event::Body& body : options_.closing(core_)) {
      const Event event{std::max(core_.now(), options_.closing_at),
                        EventSeq{core_.last_event().value + 1}, std::move(body)};
      to_.append(event);
      for (const Command& command : core_.step(event).commands) to_.append(command);
    }
  }

  JournalReader& from_;
  Journal& to_;
  Controller& core_;
  const RestoreOptions& options_;
  RestoreReport report_;
  Commands computed_;  // of the last event
  Commands recorded_;
  std::size_t pending_ = 0;
};

}  // namespace

Result<RestoreReport> restore(JournalReader& from, Journal& to, Controller& core,
                              const RestoreOptions& options) {
  return Restoration(from, to, core, options).run();
}

}  // namespace gyre::control
