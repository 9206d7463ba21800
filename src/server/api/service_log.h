#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/driver.h"
#include "server/api/event_feed.h"

namespace gyre::server {

/// What became of a service or of one of its replicas.
enum class ServiceChange : std::uint8_t {
  Applied,    // it is wanted like this from now on
  RolledOut,  // the new revision has taken the place of the one before
  Undone,     // the revision before has come back
  Scaled,     // another number of replicas is wanted
  Created,    // a replica
  Started,    // a replica's job runs, in a further attempt maybe
  Ready,      // a replica takes requests
  NotReady,   // a replica takes no more requests
  Unhealthy,  // a replica is started anew, by its liveness or startup probe's word
  Retired,    // a replica is to go
  Frozen,     // a replica is halted, since it is not needed
  Thawed,     // a replica goes on, and takes requests
  Gone,       // a replica
  Deleted,    // the service
};
std::string_view to_string(ServiceChange change);  // "applied", ..., "replica_ready", ...

struct ServiceEvent {
  FeedPosition position;
  Time at;
  std::string service;
  ServiceChange change = ServiceChange::Applied;
  std::int32_t revision = 0;
  JobId replica;       // 0: it is about the service
  std::string detail;  // for a person; may be empty
};

/// The latest events of services. Lives on the driver's thread: read it inside a query of the
/// inbox, when all it holds is durable.
class ServiceLog final : public control::Observer {
 public:
  /// Takes up with `core` as it is.
  ServiceLog(std::size_t events_max, const control::Controller& core);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  /// Forgets all, for a world that begins anew.
  void begin_anew(const control::Controller& core);

  /// Goes on with `core`, of which everything was told.
  void take_up(const control::Controller& core);

  struct Page {
    std::vector<ServiceEvent> events;  // by time
    FeedPosition last;                 // read on from here
    bool missed = false;               // some after `after` are no longer kept
    bool more = false;
  };
  /// Up to `count_max` of one service after `after`; nullopt: the latest so many. O(events looked
  /// at).
  Page read(const std::string& service, std::optional<FeedPosition> after,
            std::size_t count_max) const;

 private:
  /// What a service was when it was last looked at.
  struct Seen {
    std::int32_t revision = 0;
    std::int32_t wanted = 0;
    bool rolling = false;
    bool deleted = false;
    std::string notice;
    std::vector<Replica> replicas;
  };
  class Story;

  static Seen look(const Service& service);
  static bool is_as(const Seen& seen, const Service& service);

  const std::size_t events_max_;
  std::uint64_t version_ = 0;  // of the services, as seen
  std::map<std::string, Seen> seen_;
  std::deque<ServiceEvent> events_;
  FeedPosition floor_;  // all after it is in `events_`
};

}  // namespace gyre::server
