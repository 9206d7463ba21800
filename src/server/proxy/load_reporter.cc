#include "server/proxy/load_reporter.h"

#include <algorithm>
#include <cstdlib>

namespace gyre::server::proxy {
namespace {

constexpr Duration kPause = seconds(1);

/// A tenth more or less is the same load (the tolerance of Kubernetes' HorizontalPodAutoscaler).
bool alike(std::int64_t a, std::int64_t b) {
  return (a == 0) == (b == 0) && std::abs(a - b) * 10 <= std::max(a, b);
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
    const bool news = backend.queued() > 0 && !last.waiting;
    if (!news && now - last.at < kPause) continue;
    const std::int64_t in_flight = backend.mean_in_flight_milli(now);
    const std::int64_t queued = backend.queued();
    last = {now, queued > 0};
    if (alike(in_flight, route.in_flight_milli) && alike(queued, route.queued)) continue;
    loop_.ports.tell(ServiceLoadSeen{name, in_flight, queued});
  }
  std::erase_if(told_, [this](const auto& known) { return !loop_.backends.contains(known.first); });
}

}  // namespace gyre::server::proxy
