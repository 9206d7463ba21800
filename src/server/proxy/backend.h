#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "server/api/histogram.h"
#include "server/proxy/routes.h"

namespace gyre::server::proxy {

/// What a service's requests came to since the server began.
struct ServiceStats {
  std::string name;
  std::int64_t in_flight = 0;
  std::int64_t queued = 0;
  std::array<std::uint64_t, 6> by_class{};  // by the status' first digit; 0: the client had gone
  std::uint64_t retries = 0;
  std::uint64_t ejections = 0;
  std::uint64_t refused = 0;    // for want of a replica
  double requests_per_s = 0;    // of late
  std::optional<Duration> p50;  // of late
  std::optional<Duration> p99;
  Histogram durations;
  Histogram waits;  // for a replica

  ServiceStats();
};

/// What a request says of the replica that had it.
enum class Outcome : std::uint8_t {
  Answered,
  Failed,   // not as HTTP wants it
  Unknown,  // it ended before the replica could
};

/// The requests of one service: which replica gets the next, who must wait, what goes wrong too
/// often. Knows no sockets. Times are of a clock that only goes forward. Not thread-safe.
class Backend {
 public:
  /// Who waits for a replica; woken when there may be one.
  class Waiter {
   public:
    virtual ~Waiter() = default;
    virtual void wake() = 0;
    virtual bool waits() const = 0;
  };

  explicit Backend(const Route& route) : route_(route) { stats_.name = route.name; }

  const Route& route() const { return route_; }
  /// Takes over what has become of the service. Endpoints that stay keep their counts.
  void update(const Route& route, Duration now);

  /// The ready replica with the fewest requests, which gets one more; none: wait. One that has just
  /// failed is passed over, for a time that doubles with each failure in a row.
  std::optional<Endpoint> take(Duration now);
  /// Its request is over.
  void give_back(const EndpointKey& key, Outcome outcome, Duration now);

  /// False: too many wait already.
  bool wait(const std::weak_ptr<Waiter>& waiter, Duration now);
  void leave(Duration waited, Duration now);
  /// The waiters that can go on now are woken.
  void wake_waiters(Duration now);
  /// All waiters are woken, whatever they will find.
  void drop_waiters();

  /// Whether one more retry is within the budget: a fifth of the requests, and some for a start
  /// (Finagle's RetryBudget), so that retries cannot become the outage.
  bool may_retry();

  void began() { budget_milli_ = std::min(kBudgetMaxMilli, budget_milli_ + kPerRequestMilli); }
  void ended(int status, Duration took, Duration now);
  void refused() { ++stats_.refused; }

  /// Requests at replicas, the mean since the last call, in thousandths.
  std::int64_t mean_in_flight_milli(Duration now);
  /// The longest that a request has waited for a replica, or does, since the last call.
  Duration longest_wait(Duration now);
  std::int64_t in_flight() const { return stats_.in_flight; }
  std::int64_t queued() const { return stats_.queued; }
  /// Draining replicas without a request.
  std::vector<EndpointKey> drained() const;

  ServiceStats stats(Duration now) const;

 private:
  struct Target {
    Endpoint endpoint;
    std::int64_t in_flight = 0;
    std::int32_t failures = 0;  // in a row
    Duration ejected_until;
  };
  struct Slice {  // of the recent past
    Duration begun;
    std::uint64_t requests = 0;
    Histogram durations;
    Slice();
  };
  static constexpr std::int64_t kPerRequestMilli = 200;
  static constexpr std::int64_t kBudgetMaxMilli = 100'000;

  Target* find(const EndpointKey& key);
  bool may_take(const Target& target) const;
  void count_time(Duration now);
  void turn_slice(Duration now);

  Route route_;
  std::vector<Target> targets_;
  std::size_t turn_ = 0;  // where the next search begins, so that equals share
  struct Waiting {
    std::weak_ptr<Waiter> waiter;
    Duration since;
  };
  std::deque<Waiting> waiters_;
  Duration waited_;  // the longest since that was last asked, of those who wait no more
  std::int64_t budget_milli_ = 10'000;
  ServiceStats stats_;
  std::array<Slice, 2> slices_;  // the current one first
  std::int64_t busy_ns_ = 0;     // in flight x time since `measured_from_`
  Duration counted_until_;
  Duration measured_from_;
};

}  // namespace gyre::server::proxy
