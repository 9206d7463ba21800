#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/controller.h"
#include "domain/service.h"

namespace gyre::server::proxy {

/// One run of a replica. Never the same for two, so it is what it is known by.
struct EndpointKey {
  JobId job;
  std::int32_t attempt = 0;
  auto operator<=>(const EndpointKey&) const = default;
};

/// Where a replica that runs is to be found.
struct Endpoint {
  EndpointKey key;
  NodeId node;
  std::uint16_t port = 0;
  bool ready = false;
  bool draining = false;
  bool former = false;  // of the revision that is gone back to where the new one does not work
  bool operator==(const Endpoint&) const = default;
};

/// What a service's replicas are asked.
struct Probes {
  std::optional<Probe> startup;
  Probe readiness;
  std::optional<Probe> liveness;
  bool operator==(const Probes&) const = default;
};

/// What the proxy and the probes need to know of a service: plain data.
struct Route {
  std::string name;
  RequestLimits requests;
  bool scales = false;   // the core wants to know its load
  bool deleted = false;  // takes no more requests
  Probes probes;
  Probes former_probes;
  std::int64_t in_flight_milli = 0;  // as the core was told last
  std::int64_t queued = 0;
  Duration target_queue_time;  // 0: nobody wants to know how long requests wait
  bool by_gpus = false;        // the core wants to know how busy the replicas' GPUs are
  Duration waited;             // as the core was told last
  std::int64_t gpu_ppm = -1;
  std::vector<Endpoint> endpoints;
  std::string trouble;  // why none of its replicas is ready; for a person
  bool operator==(const Route&) const = default;
};
using Routes = std::vector<Route>;

/// By name. O(services and replicas).
Routes view_routes(const control::Controller& core);

/// Why a service has fewer ready replicas than it wants: of the first that is not ready. Empty
/// where nothing is missing.
std::string trouble_of(const control::Controller& core, const Service& service);

}  // namespace gyre::server::proxy
