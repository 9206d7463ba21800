#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"
#include "control/driver.h"
#include "live/store.h"
#include "server/api/decision_log.h"
#include "server/api/event_feed.h"
#include "server/api/fleet_watch.h"
#include "server/api/fragmentation_watch.h"
#include "server/api/policy_log.h"
#include "server/api/service_log.h"

namespace gyre::server {

/// Events, and decisions, that are remembered at most.
inline constexpr std::size_t kEventsKept = 10'000;

/// All that the API remembers beside the core, told of each event in one go.
class Watch final : public control::Observer {
 public:
  /// Takes up with `core` as it is at `now`; keeps `events_max` events and as many decisions.
  Watch(std::size_t events_max, const control::Controller& core, Time now)
      : feed(events_max, core.last_event()),
        decisions(events_max, core),
        fleet(core, now),
        fragmentation(core, now),
        services(events_max, core),
        policies(core) {}

  void after(const Event& event, const control::Decisions& made,
             const control::Controller& core) override {
    feed.after(event, made, core);
    decisions.after(event, made, core);
    fleet.after(event, made, core);
    fragmentation.after(event, made, core);
    services.after(event, made, core);
    policies.after(event, made, core);
  }
  void committed(EventSeq seq) override { feed.committed(seq); }

  /// Takes back from a journal whose end `core` is at what was told of it before: the events of
  /// jobs and of services, the decisions and the policies, with the ids that they had. `recall`
  /// replays it. What fails leaves a watch that begins with `core`. Errors: those of `recall`.
  Result<void> remember(const control::Controller& core, Time now,
                        const std::function<Result<void>(live::Recollection&)>& recall);

  /// Forgets all, for a world that begins anew. Readers of the feed hear that they missed
  /// something.
  void begin_anew(const control::Controller& core, Time now) {
    feed.begin_anew(core.last_event());
    decisions.begin_anew(core);
    fleet = FleetWatch(core, now);
    fragmentation = FragmentationWatch(core, now);
    services.begin_anew(core);
    policies = PolicyLog(core);
  }

  EventFeed feed;                    // thread-safe
  DecisionLog decisions;             // the driver's thread only
  FleetWatch fleet;                  // the driver's thread only
  FragmentationWatch fragmentation;  // the driver's thread only
  ServiceLog services;               // the driver's thread only
  PolicyLog policies;                // the driver's thread only
};

}  // namespace gyre::server
