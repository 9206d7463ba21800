#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "adapter/postgres/connection.h"
#include "base/result.h"
#include "base/time.h"

namespace gyre::adapter::postgres {

/// How long a server leads after it sent its last sign of life, by its own clock. A standby that
/// has seen none for so long and the margin, by its own clock, takes over
/// (docs/adr/0031-postgresql.md).
inline constexpr Duration kLease = seconds(3);
inline constexpr Duration kLeaseMargin = milliseconds(300);
inline constexpr Duration kBeat = milliseconds(500);
inline constexpr Duration kLook = milliseconds(200);

/// A server as the others see it.
struct Holder {
  std::string id;    // of its state folder, in which one server at a time runs
  std::string name;  // for a person: "alpha, http://127.0.0.1:8642"
};

/// What changes with every sign of life and every new leader.
struct LeaseMark {
  std::int64_t term = 0;
  std::int64_t session = 0;
  std::int64_t beat = 0;
  bool operator==(const LeaseMark&) const = default;
};

/// Who leads, as the database has it.
struct Lease {
  LeaseMark mark;
  Holder holder;
  std::string version;    // the leader's
  bool released = false;  // it has ended by itself
  std::int64_t node_lease_s = 0;
};

/// None where nobody has ever led. Errors: Unsupported, a newer version has led: this one must not.
Result<std::optional<Lease>> read_lease(Connection& connection);

/// Whether a leader is gone, as one standby sees it. Clocks that are set matter to nobody: it
/// counts how long it has seen the same mark, by a clock that is never set. Pure.
class LeaseWatch {
 public:
  /// The database was asked at `asked`, and the answer was here at `answered`.
  void saw(const LeaseMark& mark, Duration asked, Duration answered);
  /// No sign of life for long enough.
  bool is_over() const { return over_; }
  Duration silent_for() const { return silent_for_; }

 private:
  std::optional<LeaseMark> mark_;
  Duration since_;
  Duration silent_for_;
  bool over_ = false;
};

struct TakeOptions {
  Holder holder;
  std::optional<LeaseMark> over;  // whose silence has lasted long enough
  std::int64_t node_lease_s = 0;  // the longest that this server grants a node
  /// Asked whose journal it is before anything in it is changed, "" where it is nobody's yet; its
  /// error is take_lease()'s. Null: any will do.
  std::function<Result<void>(const std::string& cluster_id)> accepts{};
};

/// What a server leads by.
struct Taken {
  std::int64_t term = 0;
  std::int64_t session = 0;
  std::optional<Lease> before;
  std::int64_t node_lease_s = 0;  // the longest that any server of this store has granted
};

/// Makes this server the leader, brings the schema forward, and makes sure that nothing of an
/// earlier one's is still being written. Free is a lease that nobody has, that was released, that
/// is this holder's own, or whose mark is still `over`. Errors: Conflict, another server leads,
/// with its name; as schema_version() and read_lease(); the connection's.
Result<Taken> take_lease(Connection& connection, const TakeOptions& options);

/// Lets this connection write in that term, and no other any more; returns the session. What was
/// being written by the one before it has been written by then, or never will be. Errors: Conflict,
/// another server leads: this one is fenced; the connection's.
Result<std::int64_t> take_session(Connection& connection, std::int64_t term);

/// Gives signs of life, on a thread and a connection of its own.
class LeaseKeeper {
 public:
  struct Options {
    Target target;
    std::int64_t term = 0;
    Duration taken;                                  // when it was asked for, by `now`
    std::function<Duration()> now;                   // never set, counts a machine's sleep
    std::function<void(const Error& why)> fenced;    // once, when another server leads
    std::function<void(const std::string&)> notice;  // one line for a person
  };
  explicit LeaseKeeper(Options options);
  ~LeaseKeeper();

  /// Whether this server leads: false while its lease is over, be it that the database does not
  /// answer or that the process was stopped; for good once it is fenced. Any thread.
  bool leads() const;

  /// The next leader need not wait. Ends the signs of life; whether this server is fenced has been
  /// told by then.
  void release();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::adapter::postgres
