#include "server/api/idle_watch.h"

#include <utility>

#include "act/gang_start.h"

namespace gyre::server {
namespace {

constexpr double kSeenMin = 0.9;

}  // namespace

/// Of all its devices, or empty where some are not known.
IdleWatch::Usages IdleWatch::usages_of(const Job& job, const Telemetry& seen) {
  Usages usages;
  for (const TaskPlacement& placed : job.placement) {
    const UsageWatch::Task* task = seen.usage.find(act::key_of(job, placed.rank));
    if (task == nullptr) return {};
    for (const UsageWatch::Device& device : task->devices) {
      const auto usage = seen.gpus.usage(device.node, device.device);
      if (!usage) return {};
      usages.push_back(*usage);
    }
  }
  return usages;
}

GpuUse IdleWatch::use_of(const Job& job, const Watched& watched, const Usages& now, Duration over) {
  GpuUse use{job.id, job.attempt, false, 0, true, over};
  if (now.empty() || now.size() != watched.before.size()) return use;
  double seen = 0;
  double busy = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const double here = now[i].seen_seconds - watched.before[i].seen_seconds;
    if (here < kSeenMin * over.seconds()) return use;
    seen += here;
    busy += now[i].busy_seconds - watched.before[i].busy_seconds;
    use.by_sm = use.by_sm && now[i].by_sm;
  }
  use.known = true;
  use.activity_ppm = static_cast<std::int64_t>(busy / seen * 1e6);
  return use;
}

std::vector<Event::Body> IdleWatch::look(const control::Controller& core, const Telemetry& seen,
                                         Time now) {
  std::vector<Event::Body> news;
  const IdleSpec& rules = core.idle().spec();
  if (!rules.active()) {
    watched_.clear();
    return news;
  }
  std::map<JobId, Watched> watched;
  core.jobs().for_each([&](const Job& job) {
    if (job.state != JobState::Running || core.is_exempt_from_idle(job)) return;
    Usages usages = usages_of(job, seen);
    const auto known = watched_.find(job.id);
    const bool same = known != watched_.end() && known->second.attempt == job.attempt &&
                      known->second.since <= now;
    if (!same) {
      watched[job.id] = {job.attempt, now, std::move(usages)};
      return;
    }
    const bool warned = core.idle().warning(job.id) != nullptr;
    const Duration over = now - known->second.since;
    if (over < (warned ? rules.grace : rules.window)) {
      watched[job.id] = std::move(known->second);
      return;
    }
    const GpuUse use = use_of(job, known->second, usages, over);
    const bool idle = use.known && use.activity_ppm < std::int64_t{rules.below_percent} * 10'000;
    if (idle || warned) news.emplace_back(GpuUseSeen{use});
    watched[job.id] = {job.attempt, now, std::move(usages)};
  });
  watched_ = std::move(watched);
  return news;
}

}  // namespace gyre::server
