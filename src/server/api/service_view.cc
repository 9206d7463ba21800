#include "server/api/service_view.h"

#include <algorithm>
#include <array>

#include "base/units.h"
#include "server/proxy/routes.h"

namespace gyre::server {
namespace {

using proxy::ServiceStats;

std::int64_t ready_of(const Service& service) {
  return std::count_if(service.replicas.begin(), service.replicas.end(),
                       [](const Replica& replica) {
                         return replica.ready && replica.phase == Replica::Phase::Serving;
                       });
}

void write_replica(JsonText& out, const Replica& replica, const std::optional<std::string>& node,
                   JobState state) {
  static constexpr std::array<std::string_view, 4> kPhases{"serving", "draining", "stopping",
                                                           "frozen"};
  out.open('{')
      .member("job", replica.job.value)
      .member("revision", replica.revision)
      .member("phase", kPhases[static_cast<std::size_t>(replica.phase)])
      .member("state", to_string(state))
      .member("ready", replica.ready)
      .member("node", node)
      .member("fault", replica.fault)
      .close('}');
}

void write_requests(JsonText& out, const ServiceStats& stats) {
  const auto ms = [](const std::optional<Duration>& time) {
    return time ? std::optional(time->seconds() * 1000) : std::nullopt;
  };
  std::uint64_t total = 0;
  for (const std::uint64_t count : stats.by_class) total += count;
  out.open('{')
      .member("in_flight", stats.in_flight)
      .member("queued", stats.queued)
      .member("per_second", stats.requests_per_s)
      .member("p50_ms", ms(stats.p50))
      .member("p99_ms", ms(stats.p99))
      .member("total", total)
      .member("failed", stats.by_class[5])
      .member("retries", stats.retries)
      .member("refused", stats.refused)
      .close('}');
}

ServiceView view_service(const control::Controller& core, const Service& service) {
  ServiceView view{service, proxy::trouble_of(core, service), {}, {}};
  for (const Replica& replica : service.replicas) {
    const Job* job = core.jobs().find(replica.job);
    const bool placed = job != nullptr && !job->placement.empty();
    view.states.push_back(job != nullptr ? job->state : JobState::Cancelled);
    view.nodes.push_back(
        placed ? std::optional(core.cluster().node(job->placement.front().node).spec.name)
               : std::nullopt);
  }
  return view;
}

}  // namespace

Result<const Service*> find_service(const control::Controller& core, const std::string& name) {
  if (const Service* service = core.services().find(name)) return service;
  return fail(ErrorKind::NotFound, "there is no service '{}'; 'gyre services' lists all", name);
}

Result<std::vector<ServiceView>> view_services(const control::Controller& core,
                                               const std::optional<std::string>& name) {
  std::vector<ServiceView> views;
  if (name) {
    const auto service = find_service(core, *name);
    if (!service) return tl::unexpected(service.error());
    views.push_back(view_service(core, **service));
    return views;
  }
  for (const auto& [known, service] : core.services().all()) {
    views.push_back(view_service(core, service));
  }
  return views;
}

void write_service(JsonText& out, const ServiceView& view, const ServiceStats* stats,
                   const std::string& url) {
  const Service& service = view.service;
  out.open('{').member("name", service.name()).member("revision", service.revision);
  out.key("previous_revision");
  if (service.previous) {
    out.value(service.previous_revision);
  } else {
    out.null();
  }
  out.member("deleted", service.deleted)
      .member("ready", ready_of(service))
      .member("wanted", service.scale.wanted)
      .member("min", service.spec.replicas.min)
      .member("max", service.spec.replicas.max)
      .member("waited_ms", service.waited.ns / 1'000'000)
      .key("gpu_activity");
  if (service.gpu_ppm < 0) {
    out.null();
  } else {
    out.value(static_cast<double>(service.gpu_ppm) / 1e6);
  }
  out.member("notice", service.notice).member("trouble", view.trouble);
  out.key("url");
  url.empty() ? out.null() : out.value(url);
  out.key("requests");
  if (stats != nullptr) {
    write_requests(out, *stats);
  } else {
    out.null();
  }
  out.key("replicas").open('[');
  for (std::size_t i = 0; i < service.replicas.size(); ++i) {
    write_replica(out, service.replicas[i], view.nodes[i], view.states[i]);
  }
  out.close(']').close('}');
}

void write_services(MetricsText& out, const std::vector<ServiceView>& views,
                    const std::vector<ServiceStats>& stats) {
  if (views.empty()) return;
  const auto of = [](const std::string& name) { return MetricsText::Labels{{"service", name}}; };
  out.family("gyre_service_replicas", "gauge", "Replicas of services, by whether they are ready.");
  for (const ServiceView& view : views) {
    const std::int64_t ready = ready_of(view.service);
    const auto all = static_cast<std::int64_t>(view.service.replicas.size());
    out.sample({{"service", view.service.name()}, {"state", "ready"}}, static_cast<double>(ready));
    out.sample({{"service", view.service.name()}, {"state", "not_ready"}},
               static_cast<double>(all - ready));
  }
  out.family("gyre_service_replicas_wanted", "gauge", "Replicas that services want.");
  for (const ServiceView& view : views) {
    out.sample(of(view.service.name()), static_cast<double>(view.service.scale.wanted));
  }
  out.family("gyre_service_requests_in_flight", "gauge", "Requests at replicas.");
  for (const auto& one : stats) out.sample(of(one.name), static_cast<double>(one.in_flight));
  out.family("gyre_service_requests_queued", "gauge", "Requests that wait for a replica.");
  for (const auto& one : stats) out.sample(of(one.name), static_cast<double>(one.queued));
  out.family("gyre_service_requests_total", "counter",
             "Requests that are over, by their status' class; none: the client had gone.");
  static constexpr std::array<std::string_view, 6> kClasses{"none", "1xx", "2xx",
                                                            "3xx",  "4xx", "5xx"};
  for (const auto& one : stats) {
    for (std::size_t i = 0; i < kClasses.size(); ++i) {
      out.sample({{"service", one.name}, {"status", std::string(kClasses[i])}},
                 static_cast<double>(one.by_class[i]));
    }
  }
  out.family("gyre_service_retries_total", "counter", "Requests that were sent once more.");
  for (const auto& one : stats) out.sample(of(one.name), static_cast<double>(one.retries));
  out.family("gyre_service_ejections_total", "counter",
             "Times that a replica that had failed was passed over for a while.");
  for (const auto& one : stats) out.sample(of(one.name), static_cast<double>(one.ejections));
  out.family("gyre_service_request_duration_seconds", "histogram",
             "Time from a request's head to the end of its answer.");
  for (const auto& one : stats) {
    out.histogram(of(one.name), one.durations.bounds(), one.durations.buckets(),
                  one.durations.sum());
  }
  out.family("gyre_service_queue_wait_seconds", "histogram",
             "Time that requests waited for a replica, of those that did.");
  for (const auto& one : stats) {
    out.histogram(of(one.name), one.waits.bounds(), one.waits.buckets(), one.waits.sum());
  }
}

}  // namespace gyre::server
