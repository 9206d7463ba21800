#include "server/proxy/routes.h"

#include <fmt/format.h>

#include <algorithm>

namespace gyre::server::proxy {
namespace {

std::string trouble_of(const control::Controller& core, const Replica& replica) {
  const Job* job = core.jobs().find(replica.job);
  if (job == nullptr) return "";
  if (job->state == JobState::Queued) {
    const Explanation why = core.explain(*job);
    return fmt::format("{}: {}", to_string(why.reason), why.detail);
  }
  if (job->state != JobState::Running) return std::string(to_string(job->state));
  return replica.fault.empty() ? "not probed yet" : replica.fault;
}

Probes probes_of(const ServiceSpec& spec) { return {spec.startup, spec.readiness, spec.liveness}; }

}  // namespace

Routes view_routes(const control::Controller& core) {
  Routes routes;
  for (const auto& [name, service] : core.services().all()) {
    Route route;
    route.name = name;
    route.requests = service.spec.requests;
    route.deleted = service.deleted;
    route.scales = service.spec.replicas.min != service.spec.replicas.max;
    route.probes = probes_of(service.spec);
    if (service.previous) route.former_probes = probes_of(*service.previous);
    route.in_flight_milli = service.in_flight_milli;
    route.queued = service.queued;
    route.target_queue_time = service.spec.replicas.target_queue_time;
    route.by_gpus = service.spec.replicas.target_gpu_activity > 0;
    route.waited = service.waited;
    route.gpu_ppm = service.gpu_ppm;
    for (const Replica& replica : service.replicas) {
      const Job* job = core.jobs().find(replica.job);
      if (job == nullptr || !replica.running || job->placement.empty()) continue;
      if (replica.phase == Replica::Phase::Stopping) continue;
      if (replica.phase == Replica::Phase::Frozen) continue;
      const auto port = static_cast<std::uint16_t>(job->start.port);
      route.endpoints.push_back(
          {{replica.job, replica.attempt},
           job->placement.front().node,
           port,
           replica.ready,
           replica.phase != Replica::Phase::Serving,
           service.previous.has_value() && replica.revision == service.previous_revision});
    }
    const bool any = std::any_of(service.replicas.begin(), service.replicas.end(),
                                 [](const Replica& replica) { return replica.ready; });
    if (!any) route.trouble = trouble_of(core, service);
    routes.push_back(std::move(route));
  }
  return routes;
}

std::string trouble_of(const control::Controller& core, const Service& service) {
  for (const Replica& replica : service.replicas) {
    if (replica.phase != Replica::Phase::Serving || replica.ready) continue;
    return fmt::format("replica {}: {}", replica.job.value, trouble_of(core, replica));
  }
  if (service.hold_until) return "its last replica was given up; the next one is made soon";
  return "";
}

}  // namespace gyre::server::proxy
