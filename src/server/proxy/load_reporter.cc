#include "server/proxy/load_reporter.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace gyre::server::proxy {
namespace {

constexpr Duration kPause = seconds(1);

/// A tenth more or less is the same load (the tolerance of Kubernetes' HorizontalPodAutoscaler).
bool alike(std::int64_t a, std::int64_t b) {
  return (a == 0) == (b == 0) && std::abs(a - b) * 10 <= std::max(a, b);
}

std::int64_t ready_of(const Route& route) {
  return std::count_if(route.endpoints.begin(), route.endpoints.end(),
                       [](const Endpoint& one) { return one.ready && !one.draining; });
}

}  // namespace

void LoadReporter::look() {
  for (const auto& [name, owned] : loop_.backends) {
    Backend& backend = *owned;
    const Route& route = backend.route();
    if (!route.scales) continue;
    const Duration now = steady_now();
    const auto [told, fresh] = told_.try_emplace(name);
    Told& last = told->second;
    if (fresh) last.at = now - kPause;
    const bool begins = backend.queued() > 0 && !last.waiting;
    if (!begins && now - last.at < kPause) continue;
    const std::int64_t in_flight = backend.mean_in_flight_milli(now);
    ServiceLoadSeen seen{name, in_flight, backend.queued()};
    const std::int64_t ready = ready_of(route);
    const bool more_serve = ready != last.ready;  // what was asked for depends on that
    if (route.target_queue_time > Duration{}) {
      const Duration waited = backend.longest_wait(now);
      if (waited >= route.target_queue_time / 10) seen.waited = waited;  // less asks for nothing
    }
    if (route.by_gpus && loop_.ports.gpu_activity) {
      seen.gpu_ppm = loop_.ports.gpu_activity(name).value_or(-1);
    }
    last = {now, seen.queued > 0, seen.gpu_ppm < 0 ? last.ready : ready};
    // As long as requests wait too long, more may be needed.
    const bool waits = seen.waited > Duration{} || route.waited > Duration{};
    const bool gpus = seen.gpu_ppm >= 0 && (more_serve || !alike(seen.gpu_ppm, route.gpu_ppm));
    const bool news = waits || gpus || !alike(in_flight, route.in_flight_milli) ||
                      !alike(seen.queued, route.queued);
    if (news) loop_.ports.tell(std::move(seen));
  }
  std::erase_if(told_, [this](const auto& known) { return !loop_.backends.contains(known.first); });
}

}  // namespace gyre::server::proxy
