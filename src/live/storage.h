#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "domain/event.h"
#include "live/clock.h"

namespace gyre::live {

struct DiskRoom {
  std::uint64_t free_bytes = 0;
  std::uint64_t total_bytes = 0;
};

struct StorageOptions {
  std::function<std::optional<DiskRoom>()> look;  // at the store's disk; none where it cannot be
  std::function<std::optional<std::string>()> away{};  // why the database is out of reach, or none
  ClockSource clock = system_clock_source();
  std::uint64_t kept_free_bytes = 64ULL
                                  << 20U;  // or a twentieth of the disk, the smaller of the two
  Duration slow = seconds(1);              // of one commit
};

/// The state of the disk on which the store is. New jobs are refused while little is left of it, so
/// that what runs can still be recorded to its end; when a commit finds no room, or the journal's
/// database does not answer, all is refused that somebody waits for. Thread-safe.
class Storage {
 public:
  static constexpr Duration kLookPause = milliseconds(200);

  enum class State : unsigned char { Ok, Slow, Low, Full, Away };
  struct Read {
    State state = State::Ok;
    std::string detail;  // one line for a person; empty if it is Ok
  };

  explicit Storage(StorageOptions options) : options_(std::move(options)) {}

  Read read();

  /// Errors: NoRoom.
  Result<void> takes_jobs();

  // For the driver's thread.

  void commit_begins();
  void commit_ends();  // Requires: one has begun.
  /// A commit found no room, or no database. True if it is the first one that did.
  bool fails(const Error& why);
  /// A commit has passed. True if those before it did not.
  bool works();
  /// What is told whoever asks while none passes.
  Error refusal() const;
  bool is_short();
  /// Once after each outage of the database that is over, and each shortage: twice of what is kept
  /// is free, lest a disk that is about as full as it may be has one after the other.
  std::optional<StoreHealed> healed();

 private:
  void look();

  const StorageOptions options_;
  mutable std::mutex mutex_;
  std::optional<Duration> looked_;  // monotonic
  DiskRoom room_;
  bool low_ = false;
  bool ample_ = true;
  std::optional<Error> failing_;
  std::optional<Time> short_since_;
  std::optional<Time> away_since_;
  std::uint64_t refused_ = 0;
  std::optional<Duration> commit_began_;
  Duration commit_took_;
  Duration commit_ended_;
};

std::string_view to_string(Storage::State state);  // "ok", "slow", "low", "full", "away"

}  // namespace gyre::live
