#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "control/controller.h"
#include "domain/chaos.h"
#include "domain/service.h"
#include "sim/chaos/truth.h"

namespace gyre::sim {

/// A service as its owner made it up: what is wanted of it, one after the other.
struct ChaosService {
  struct Change {
    Duration at{0};  // since the beginning
    ServiceSpec spec;
  };
  std::vector<Change> changes;  // by time; at least one
};

/// The services of a scenario, none larger than the fleet can hold beside its jobs.
std::vector<ChaosService> make_services(const ChaosSpec::Services& services, Duration lasts,
                                        std::int64_t fleet_nodes, std::int64_t gpus_per_node,
                                        Rng rng);

/// How a replica with that job really fares.
ReplicaFate fate_of(const JobSpec& spec);

/// Watches over what the core does to services of its own accord.
class ServiceGuard {
 public:
  /// A probe's word is on its way to the core: whether it is true.
  void told(const ReplicaProbed& probed, bool honest);
  /// The core begins anew with what is recorded.
  void begin_anew(const control::Controller& core);
  /// The core has answered an event. Reports each service that it left with fewer ready replicas
  /// than it wants, by sending one of them away.
  void check(const control::Controller& core, Truth& truth, Time now);

 private:
  using Run = std::pair<JobId, std::int32_t>;

  void remember(const control::Controller& core);

  std::set<Run> ready_;     // by a true word
  std::set<JobId> taking_;  // requests: they served and were ready when last looked at
  std::uint64_t version_ = 0;
};

/// Whether every service has as many replicas as it wants, each of them ready.
bool at_rest(const control::Controller& core);

}  // namespace gyre::sim
