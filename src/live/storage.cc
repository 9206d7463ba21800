#include "live/storage.h"

#include <algorithm>

#include "base/units.h"

namespace gyre::live {
namespace {

/// A commit that was slow is told of for so long.
constexpr Duration kSlowTold = seconds(10);

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 10ULL << 20U) return fmt::format("{} KiB", bytes >> 10U);
  return format_memory(MemoryMib{static_cast<std::int64_t>(bytes >> 20U)});
}

}  // namespace

std::string_view to_string(Storage::State state) {
  static constexpr std::string_view kNames[] = {"ok", "slow", "low", "full", "away"};
  return kNames[static_cast<std::size_t>(state)];
}

/// Requires: the mutex.
void Storage::look() {
  const ClockReading now = options_.clock();
  if (!options_.look || (looked_ && now.monotonic - *looked_ < kLookPause)) return;
  looked_ = now.monotonic;
  const auto room = options_.look();
  if (!room) return;
  room_ = *room;
  const std::uint64_t kept = std::min(options_.kept_free_bytes, room_.total_bytes / 20);
  low_ = room_.free_bytes < kept;
  ample_ = room_.free_bytes >= 2 * kept;
  if (low_ && !short_since_) short_since_ = now.real;
}

Storage::Read Storage::read() {
  const std::lock_guard guard(mutex_);
  look();
  if (failing_) {
    return {failing_->kind == ErrorKind::Unavailable ? State::Away : State::Full,
            failing_->message};
  }
  if (options_.away) {
    if (auto why = options_.away()) return {State::Away, std::move(*why)};
  }
  if (low_) {
    return {State::Low, fmt::format("{} are left on the disk of the state folder: no new jobs are "
                                    "taken in; make room on it",
                                    bytes_text(room_.free_bytes))};
  }
  const Duration now = options_.clock().monotonic;
  const Duration took = commit_began_ ? now - *commit_began_ : commit_took_;
  const bool lately = commit_began_ || now - commit_ended_ < kSlowTold;
  if (took < options_.slow || !lately) return {};
  return {State::Slow,
          fmt::format("a commit of the journal {} {}: the disk is slow",
                      commit_began_ ? "has been under way for" : "took", format_duration(took))};
}

Result<void> Storage::takes_jobs() {
  const std::lock_guard guard(mutex_);
  looked_.reset();  // some large jobs would take what is left before the next look
  look();
  if (!low_) return {};
  ++refused_;
  return fail(
      ErrorKind::NoRoom,
      "the disk of the server's state folder has {} left, which is kept for what runs; make "
      "room on it, then submit again",
      bytes_text(room_.free_bytes));
}

void Storage::commit_begins() {
  const std::lock_guard guard(mutex_);
  commit_began_ = options_.clock().monotonic;
}

void Storage::commit_ends() {
  const std::lock_guard guard(mutex_);
  commit_ended_ = options_.clock().monotonic;
  commit_took_ = commit_ended_ - *commit_began_;
  commit_began_.reset();
}

bool Storage::fails(const Error& why) {
  const std::lock_guard guard(mutex_);
  auto& since = why.kind == ErrorKind::Unavailable ? away_since_ : short_since_;
  if (!since) since = options_.clock().real;
  const bool first = !failing_;
  failing_ = why;
  return first;
}

bool Storage::works() {
  const std::lock_guard guard(mutex_);
  return std::exchange(failing_, std::nullopt).has_value();
}

Error Storage::refusal() const {
  const std::lock_guard guard(mutex_);
  if (failing_ && failing_->kind == ErrorKind::Unavailable) {
    return {failing_->kind,
            fmt::format("nothing can be recorded for now: {}; ask again", failing_->message)};
  }
  return {ErrorKind::NoRoom,
          fmt::format("there is no room for the journal, and nothing can be recorded: {}",
                      failing_ ? failing_->message : "make room on it")};
}

bool Storage::is_short() {
  const std::lock_guard guard(mutex_);
  return short_since_ || away_since_;
}

std::optional<StoreHealed> Storage::healed() {
  const std::lock_guard guard(mutex_);
  look();
  if (failing_) return std::nullopt;
  if (away_since_) {
    const Time since = *std::exchange(away_since_, std::nullopt);
    return StoreHealed{
        Symptom::StoreAway, since,
        fmt::format("the journal's database did not answer for {}; nothing that was accepted is "
                    "lost",
                    format_duration(std::max(options_.clock().real - since, Duration{})))};
  }
  if (!ample_ || !short_since_) return std::nullopt;
  const Time since = *std::exchange(short_since_, std::nullopt);
  return StoreHealed{
      Symptom::StorageFull, since,
      fmt::format("it was short of room for {}, and {} new jobs were refused; nothing that was "
                  "accepted is lost",
                  format_duration(std::max(options_.clock().real - since, Duration{})),
                  std::exchange(refused_, 0))};
}

}  // namespace gyre::live
