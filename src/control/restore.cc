#include "control/restore.h"

#include <algorithm>
#include <utility>

#include "control/driver.h"
#include "control/replay.h"

namespace gyre::control {
namespace {

/// What is wanted of a journal, as a journal that ends with it.
class WantedRecords final : public JournalReader {
 public:
  WantedRecords(JournalReader& from, const RestoreOptions& options)
      : from_(from), options_(options) {}

  Result<std::optional<Record>> next() override {
    auto record = from_.next();
    if (!record || !*record) {
      ends_with_it_ = has_all();
      if (!record && ends_with_it_) return std::optional<Record>();  // damaged behind it
      return record;
    }
    if (const auto* event = std::get_if<Event>(&**record)) {
      if (!is_wanted(*event)) return std::optional<Record>();
      last_ = event->seq;
    }
    return record;
  }

  /// Whether nothing that is whole stands behind the last event that is wanted: its commands may be
  /// cut short then.
  bool ends_with_it() const { return ends_with_it_; }

 private:
  bool is_wanted(const Event& event) const {
    return (!options_.upto || event.seq <= *options_.upto) &&
           (!options_.at || event.at <= *options_.at);
  }
  bool has_all() const { return options_.upto && last_ == *options_.upto; }

  JournalReader& from_;
  const RestoreOptions& options_;
  EventSeq last_;
  bool ends_with_it_ = false;
};

/// Writes what is replayed.
class Writer final : public Observer {
 public:
  Writer(Journal& to, std::size_t events_per_commit)
      : to_(to), events_per_commit_(events_per_commit) {}

  void after(const Event& event, const Decisions& decisions, const Controller& core) override {
    if (!done_) return;
    to_.append(event);
    for (const Command& command : decisions.commands) to_.append(command);
    ++report_.events;
    report_.commands += decisions.commands.size();
    report_.last = core.last_event();
    report_.last_at = core.now();
    if (report_.events % events_per_commit_ == 0) done_ = to_.commit();
  }

  const Result<void>& done() const { return done_; }
  const RestoreReport& report() const { return report_; }

 private:
  Journal& to_;
  const std::size_t events_per_commit_;
  Result<void> done_;
  RestoreReport report_;
};

/// Of the last event commands may be missing where the journal ends with it.
Result<void> check(const ReplayReport& report, bool may_be_cut_short) {
  if (report.matches()) return {};
  const Mismatch& first = report.first_mismatches.front();
  if (may_be_cut_short && first.seq == *report.last_event && !first.recorded) return {};
  return fail(
      ErrorKind::Invalid,
      "event {} led to other commands than recorded; restore it with the version that wrote "
      "it (this is {})",
      first.seq.value, GYRE_VERSION);
}

void close(Journal& to, Controller& core, const RestoreOptions& options) {
  if (!options.closing) return;
  for (Event::Body& body : options.closing(core)) {
    const Event event{std::max(core.now(), options.closing_at),
                      EventSeq{core.last_event().value + 1}, std::move(body)};
    to.append(event);
    for (const Command& command : core.step(event).commands) to.append(command);
  }
}

}  // namespace

Result<RestoreReport> restore(JournalReader& from, Journal& to, Controller& core,
                              const RestoreOptions& options) {
  WantedRecords wanted(from, options);
  Writer writer(to, options.events_per_commit);
  const auto replayed = replay(wanted, core, {.stop_at_mismatch = true, .observer = &writer});
  if (!writer.done()) return tl::unexpected(writer.done().error());
  if (!replayed) return tl::unexpected(replayed.error());
  if (auto same = check(*replayed, wanted.ends_with_it()); !same) {
    return tl::unexpected(same.error());
  }
  if (replayed->events == 0) {
    return fail(ErrorKind::NotFound, "the journal has no event until then; nothing was restored");
  }
  if (options.upto && core.last_event() < *options.upto) {
    return fail(ErrorKind::NotFound, "the journal ends with event {}, before event {}",
                core.last_event().value, options.upto->value);
  }
  close(to, core, options);
  if (auto done = to.commit(); !done) return tl::unexpected(done.error());
  if (auto done = to.save(core.state()); !done) return tl::unexpected(done.error());
  return writer.report();
}

}  // namespace gyre::control
