#include "sim/chaos/memory_journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace gyre::sim {

namespace {

Error no_room() { return {ErrorKind::NoRoom, "no space left on device"}; }

}  // namespace

Result<void> MemoryJournal::commit() {
  if (full_) return tl::unexpected(no_room());
  const Crash crash = std::exchange(crash_, Crash::None);
  if (crash != Crash::Before) {
    for (const control::Record& record : open_) {
      if (const auto* event = std::get_if<Event>(&record)) last_ = event->seq;
    }
    std::move(open_.begin(), open_.end(), std::back_inserter(records_));
  }
  open_.clear();
  if (crash == Crash::None) return {};
  return fail(ErrorKind::Unavailable, "the server was killed");
}

Result<void> MemoryJournal::save(const ControllerState& state) {
  if (full_) return tl::unexpected(no_room());
  snapshot_ = state;
  records_.clear();
  return {};
}

Result<MemoryJournal::Recovery> MemoryJournal::recover(const control::Config& config,
                                                       std::size_t records_left_out) const {
  Recovery recovery{control::Controller(config), ""};
  if (snapshot_) {
    auto restored = control::Controller::restore(config, *snapshot_);
    if (!restored) return tl::unexpected(restored.error());
    recovery.core = std::move(*restored);
  }
  const std::size_t end = records_.size() - std::min(records_left_out, records_.size());
  std::size_t at = 0;
  while (at < end) {
    const auto* event = std::get_if<Event>(&records_[at++]);
    if (event == nullptr) {
      recovery.difference = "a command is recorded that was not decided again";
      return recovery;
    }
    if (event->seq <= recovery.core.last_event() || event->at < recovery.core.now()) {
      recovery.difference = fmt::format("event {} is recorded out of order", event->seq.value);
      return recovery;
    }
    for (const Command& command : recovery.core.step(*event).commands) {
      if (at == end) break;
      const auto* recorded = std::get_if<Command>(&records_[at++]);
      if (recorded != nullptr && *recorded == command) continue;
      recovery.difference = fmt::format("command {} was decided otherwise", command.id.value);
      return recovery;
    }
  }
  return recovery;
}

}  // namespace gyre::sim
