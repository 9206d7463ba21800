#include "server/api/replica_use.h"

#include "act/gang_start.h"

namespace gyre::server {
namespace {

constexpr Duration kWindow = seconds(15);  // as HorizontalPodAutoscaler's period
constexpr double kSeenMin = 0.9;

}  // namespace

ReplicaUse::Window ReplicaUse::window_of(const control::Controller& core, const Service& service,
                                         const Telemetry& seen, Time now) {
  Window window;
  window.since = now;
  for (const Replica& replica : service.replicas) {
    const Job* job = core.jobs().find(replica.job);
    if (job == nullptr || !replica.ready || replica.phase != Replica::Phase::Serving) continue;
    window.replicas.emplace_back(replica.job, replica.attempt);
    for (const TaskPlacement& placed : job->placement) {
      const UsageWatch::Task* task = seen.usage.find(act::key_of(*job, placed.rank));
      if (task == nullptr) continue;
      for (const UsageWatch::Device& device : task->devices) {
        ++window.devices;
        const auto usage = seen.gpus.usage(device.node, device.device);
        if (!usage) continue;
        window.seen_s += usage->seen_seconds;
        window.busy_s += usage->busy_seconds;
      }
    }
  }
  return window;
}

void ReplicaUse::look(const control::Controller& core, const Telemetry& seen, Time now) {
  std::map<std::string, Window> windows;
  for (const auto& [name, service] : core.services().all()) {
    if (service.spec.replicas.target_gpu_activity == 0) continue;
    Window window = window_of(core, service, seen, now);
    const auto known = windows_.find(name);
    const bool same = known != windows_.end() && known->second.replicas == window.replicas &&
                      known->second.since <= now;
    if (same && now - known->second.since < kWindow) {
      windows[name] = std::move(known->second);
      continue;
    }
    close(name, same ? known->second : window, window);
    windows[name] = std::move(window);
  }
  windows_ = std::move(windows);
  const std::lock_guard guard(mutex_);
  std::erase_if(activity_, [this](const auto& one) { return !windows_.contains(one.first); });
}

/// `before` the same as `now`: nothing is known any more.
void ReplicaUse::close(const std::string& name, const Window& before, const Window& now) {
  const double seen = now.seen_s - before.seen_s;
  const double least = kSeenMin * (now.since - before.since).seconds() * now.devices;
  const std::lock_guard guard(mutex_);
  if (seen <= 0 || seen < least) {
    activity_.erase(name);
  } else {
    activity_[name] = static_cast<std::int64_t>((now.busy_s - before.busy_s) / seen * 1e6);
  }
}

std::optional<std::int64_t> ReplicaUse::activity(const std::string& service) const {
  const std::lock_guard guard(mutex_);
  const auto found = activity_.find(service);
  if (found == activity_.end()) return std::nullopt;
  return found->second;
}

}  // namespace gyre::server
