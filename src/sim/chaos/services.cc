#include "sim/chaos/services.h"

#include <fmt/format.h>

#include <algorithm>

namespace gyre::sim {
namespace {

constexpr const char* kFate = "FATE";
constexpr SpanRange kFirstWithin{Duration{0}, seconds(600)};
constexpr std::int32_t kCpuMilli = 1000;
constexpr std::int32_t kRetries = 1000;
constexpr std::int64_t kMemoryMib = 1024;

/// What a replica does is said in its job, so that whoever has the job knows it.
void set_fate(JobSpec& job, std::size_t revision, const char* fate) {
  job.launch.env = {{"REVISION", std::to_string(revision)}, {kFate, fate}};
}

ServiceSpec first_spec(const ChaosSpec::Services& services, std::size_t index,
                       std::int64_t replicas_max, std::int64_t gpus_per_node, Rng& rng) {
  ServiceSpec spec;
  spec.replica.name = fmt::format("service-{}", index);
  Request request;
  request.gpus = static_cast<std::int32_t>(std::min(draw(services.gpus, rng), gpus_per_node));
  request.cpu = CpuMilli{kCpuMilli};
  request.memory = MemoryMib{kMemoryMib};
  spec.replica.tasks = {{1, request}};
  spec.replica.priority = static_cast<std::int32_t>(rng.below(kPriorityMax + 1));
  spec.replica.preemptible = chance(30, rng);
  spec.replica.retry = {true, true, true, kRetries, seconds(1), seconds(30)};
  spec.replicas.min =
      static_cast<std::int32_t>(std::min(draw(services.replicas, rng), replicas_max));
  spec.replicas.max = std::max(1, spec.replicas.min);
  const bool scales = chance(50, rng);
  if (scales) {
    spec.replicas.max =
        static_cast<std::int32_t>(std::min<std::int64_t>(replicas_max, spec.replicas.max * 2));
    spec.replicas.target_in_flight = 1;
  }
  spec.rollout.crashes_max = static_cast<std::int32_t>(1 + rng.below(5));
  set_fate(spec.replica, 1, "good");
  return spec;
}

/// The next thing that its owner wants: another number, or another revision.
void change(ServiceSpec& spec, std::size_t number, std::int64_t replicas_max,
            std::int32_t bad_percent, Rng& rng) {
  const bool bad = chance(bad_percent, rng);
  const bool crashes = chance(50, rng);
  if (chance(70, rng)) {
    return set_fate(spec.replica, number, bad ? (crashes ? "crash" : "never-ready") : "good");
  }
  const CountRange few{0, replicas_max};
  spec.replicas.min = static_cast<std::int32_t>(draw(few, rng));
  spec.replicas.max = std::max({1, spec.replicas.min, spec.replicas.max});
  if (spec.replicas.max > std::max(1, spec.replicas.min)) spec.replicas.target_in_flight = 1;
}

/// Whether it is being preempted: its own spec allows that, and it is decided after what services
/// want.
bool made_way(const control::Controller& core, JobId id) {
  const Job* job = core.jobs().find(id);
  return job != nullptr && job->state == JobState::Preempting;
}

}  // namespace

std::vector<ChaosService> make_services(const ChaosSpec::Services& services, Duration lasts,
                                        std::int64_t fleet_nodes, std::int64_t gpus_per_node,
                                        Rng rng) {
  std::vector<ChaosService> made(static_cast<std::size_t>(draw(services.count, rng)));
  const auto count = static_cast<std::int64_t>(made.size());
  const std::int64_t gpus = std::min(services.gpus.max, gpus_per_node);
  // Half of the fleet for all of them, one more for each rollout included.
  const std::int64_t room =
      gpus == 0 ? kChaosReplicasMax
                : fleet_nodes * gpus_per_node / (2 * std::max<std::int64_t>(1, count) * gpus);
  const std::int64_t most = std::clamp<std::int64_t>(room - 1, 1, kChaosReplicasMax);
  for (std::size_t i = 0; i < made.size(); ++i) {
    ServiceSpec spec = first_spec(services, i, most, gpus_per_node, rng);
    Duration at = draw(kFirstWithin, rng);
    for (std::size_t number = 2; at <= lasts; ++number) {
      made[i].changes.push_back({at, spec});
      change(spec, number, most, share(services.bad_percent), rng);
      at = at + draw(services.update, rng);
    }
    if (made[i].changes.empty()) made[i].changes.push_back({Duration{0}, spec});
  }
  return made;
}

ReplicaFate fate_of(const JobSpec& spec) {
  for (const auto& [name, value] : spec.launch.env) {
    if (name != kFate) continue;
    return value == "crash"         ? ReplicaFate::Crashes
           : value == "never-ready" ? ReplicaFate::NeverReady
                                    : ReplicaFate::Good;
  }
  return ReplicaFate::Good;
}

void ServiceGuard::told(const ReplicaProbed& probed, bool honest) {
  const Run run{probed.job, probed.attempt};
  if (probed.health == ReplicaHealth::Drained) return;
  if (probed.health == ReplicaHealth::Ready && honest) {
    ready_.insert(run);
  } else {
    ready_.erase(run);
  }
}

void ServiceGuard::begin_anew(const control::Controller& core) {
  ready_.clear();
  for (const auto& [name, service] : core.services().all()) {
    for (const Replica& replica : service.replicas) {
      if (replica.ready) ready_.emplace(replica.job, replica.attempt);
    }
  }
  remember(core);
}

void ServiceGuard::remember(const control::Controller& core) {
  version_ = core.services().version();
  taking_.clear();
  for (const auto& [name, service] : core.services().all()) {
    for (const Replica& replica : service.replicas) {
      if (replica.ready && replica.phase == Replica::Phase::Serving) taking_.insert(replica.job);
    }
  }
}

void ServiceGuard::check(const control::Controller& core, Truth& truth, Time now) {
  if (core.services().version() == version_) return;
  for (const auto& [name, service] : core.services().all()) {
    if (service.deleted) continue;
    std::int32_t left = 0;
    bool sent_away = false;
    for (const Replica& replica : service.replicas) {
      const bool serves = replica.phase == Replica::Phase::Serving;
      const bool honest = ready_.contains({replica.job, replica.attempt});
      if (serves && honest && (replica.ready || made_way(core, replica.job))) ++left;
      sent_away = sent_away || (!serves && replica.ready && taking_.contains(replica.job));
    }
    if (!sent_away || left >= service.scale.wanted) continue;
    truth.report(Invariant::ServiceKept, now,
                 fmt::format("{} wants {} replicas, and one was sent away that left {} ready", name,
                             service.scale.wanted, left));
  }
  remember(core);
}

bool at_rest(const control::Controller& core) {
  for (const auto& entry : core.services().all()) {
    const Service& service = entry.second;
    // Without a replica a revision has nothing to prove itself with.
    if (service.deleted || (service.previous && service.scale.wanted > 0)) return false;
    const auto ready = std::count_if(
        service.replicas.begin(), service.replicas.end(), [&service](const Replica& replica) {
          return replica.ready && replica.phase == Replica::Phase::Serving &&
                 replica.revision == service.revision;
        });
    const auto all = std::count_if(
        service.replicas.begin(), service.replicas.end(),
        [](const Replica& replica) { return replica.phase != Replica::Phase::Frozen; });
    if (all != service.scale.wanted || ready != service.scale.wanted) return false;
  }
  return true;
}

}  // namespace gyre::sim
