#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "control/driver.h"
#include "domain/command.h"

namespace gyre::server {

/// Where an event of a job stands in the history: by the journal's event, then by its order among
/// what followed from it. Never used twice, also not after a restart.
struct FeedPosition {
  EventSeq seq;
  std::uint32_t index = 0;
  auto operator<=>(const FeedPosition&) const = default;
};

std::string to_string(FeedPosition position);  // "117.0"
std::optional<FeedPosition> parse_feed_position(std::string_view text);

struct JobEvent {
  FeedPosition position;
  Transition transition;
  std::string job_name;
  std::string detail;  // of what changes no state; empty: it does
};

/// What an event means for a job that does not use its GPUs: it is warned, or is not any more.
/// Empty where it means something else. `core` has been told it.
std::string idle_news(const Event& event, const control::Controller& core);

/// The latest events of jobs, told once they are durable. Thread-safe, but for after() and
/// committed(), which the driver's thread calls.
class EventFeed final : public control::Observer {
 public:
  /// Keeps `events_max` events; `start` is the last one of earlier lives, of which it knows
  /// nothing.
  EventFeed(std::size_t events_max, EventSeq start);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

  /// Forgets all; what comes next counts from `start` on. The driver's thread only.
  void begin_anew(EventSeq start);

  struct Page {
    std::vector<JobEvent> events;
    FeedPosition last;    // read on from here
    bool missed = false;  // events between `after` and the first one here are no longer known
    bool more = false;    // there are more right now
  };

  /// Up to `count_max` events after `after` (nullopt: from the oldest known), of one job or all.
  /// O(events looked at), at most events_max.
  Page read(std::optional<FeedPosition> after, std::optional<JobId> job,
            std::size_t count_max) const;

  FeedPosition last() const;

  /// Calls `wake` after each commit that brought events, on the driver's thread, until the
  /// subscription dies. `wake` must not block.
  class Subscription {
   public:
    Subscription(EventFeed& feed, std::function<void()> wake);
    ~Subscription();
    Subscription(const Subscription&) = delete;
    Subscription& operator=(const Subscription&) = delete;

   private:
    EventFeed& feed_;
    std::uint64_t number_;
  };

 private:
  const std::size_t events_max_;
  std::vector<JobEvent> pending_;  // not yet durable; the driver's thread only
  mutable std::mutex mutex_;
  std::deque<JobEvent> events_;
  FeedPosition floor_;  // all after it is in `events_`
  EventSeq durable_;    // the last event that was told of
  std::map<std::uint64_t, std::function<void()>> wakes_;
  std::uint64_t next_number_ = 0;
};

}  // namespace gyre::server
