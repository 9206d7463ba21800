#include "reason/scaling/services.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "reason/scaling/rollout.h"
#include "reason/scaling/scale.h"

namespace gyre::reason {
namespace {

using Phase = Replica::Phase;

/// A replica whose job was given up is not replaced at once: the next would fare no better.
constexpr Duration kReplaceAfter = seconds(10);

Load load_of(const Service& service) {
  return {service.in_flight_milli + service.queued * 1000, service.asked_by_waits,
          service.asked_by_gpus};
}

std::int32_t ready_of(const Service& service) {
  return static_cast<std::int32_t>(std::count_if(
      service.replicas.begin(), service.replicas.end(),
      [](const Replica& replica) { return replica.ready && replica.phase == Phase::Serving; }));
}

/// `service`: one, or one that is const. Null: it has no such replica.
template <class AnyService>
auto* replica_in(AnyService& service, JobId job) {
  const auto at = std::find_if(service.replicas.begin(), service.replicas.end(),
                               [job](const Replica& replica) { return replica.job == job; });
  return at == service.replicas.end() ? nullptr : &*at;
}

bool proves_itself(const Service& service) {
  return service.previous.has_value() && service.scale.wanted > 0;
}

}  // namespace

const Service* Services::find(const std::string& name) const {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : &found->second;
}

std::optional<bool> Services::frozen(const Job& job) const {
  const Service* service = job.service.empty() ? nullptr : find(job.service);
  if (service == nullptr || service->spec.replicas.frozen_max == 0) return std::nullopt;
  const Replica* replica = replica_in(*service, job.id);
  if (replica == nullptr) return std::nullopt;
  return replica->phase == Phase::Frozen;
}

Service* Services::touch(const std::string& name) {
  const auto found = services_.find(name);
  if (found == services_.end()) return nullptr;
  ++version_;
  changed_.insert(name);
  return &found->second;
}

Replica* Services::replica_of(JobId job, const std::string& name) {
  const auto found = services_.find(name);
  return found == services_.end() ? nullptr : replica_in(found->second, job);
}

/// A change of the replicas' own job makes a new revision; any other is taken over as it is. What
/// was told of an earlier rollout is over with whatever is applied.
void Services::apply(const ServiceSpec& spec, Time now) {
  const std::string& name = spec.replica.name;
  const bool fresh = services_.try_emplace(name).second;
  Service& service = *touch(name);
  service.notice.clear();
  if (!fresh && !service.deleted && service.spec == spec) return;
  if (fresh || service.spec.replica != spec.replica) {
    if (!fresh && !service.previous) {
      service.previous = service.spec;
      service.previous_revision = service.revision;
    }
    service.revision = ++service.last_revision;
    service.progress_at = now;
    service.crashes = 0;
    service.hold_until.reset();
  }
  service.spec = spec;
  service.deleted = false;
  if (service.scale.wanted == 0) service.progress_at = now;
  const std::int32_t least = std::max(1, spec.replicas.min);
  service.scale = {std::clamp(service.scale.wanted, least, spec.replicas.max), std::nullopt, 0};
}

void Services::remove(const std::string& name) {
  Service* service = touch(name);
  if (service == nullptr) return;
  service->deleted = true;
  service->previous.reset();
}

void Services::load(const ServiceLoadSeen& seen) {
  Service* service = touch(seen.service);
  if (service == nullptr) return;
  service->in_flight_milli = seen.in_flight_milli;
  service->queued = seen.queued;
  service->waited = seen.waited;
  const ReplicaCount& count = service->spec.replicas;
  const std::int32_t ready = ready_of(*service);
  constexpr std::int64_t kMs = 1'000'000;
  service->asked_by_waits =
      asked_for(ready, seen.waited.ns / kMs, count.target_queue_time.ns / kMs);
  if (seen.gpu_ppm < 0) return;  // what was known holds
  service->gpu_ppm = std::min<std::int64_t>(seen.gpu_ppm, 1'000'000);
  service->asked_by_gpus =
      asked_for(ready, service->gpu_ppm, std::int64_t{count.target_gpu_activity} * 10'000);
}

void Services::probed(const ReplicaProbed& seen, const std::string& name, Time now) {
  Replica* replica = replica_of(seen.job, name);
  if (replica == nullptr || !replica->running || replica->attempt != seen.attempt) return;
  if (seen.health == ReplicaHealth::Drained) {
    if (replica->phase != Phase::Draining) return;
    touch(name);
    replica->drain_until = now;
    return;
  }
  if (replica->phase != Phase::Serving) return;
  Service& service = *touch(name);
  replica->fault = seen.detail;
  const bool ready = seen.health == ReplicaHealth::Ready;
  if (ready && !replica->ready && replica->revision == service.revision) service.progress_at = now;
  replica->ready = ready;
}

void Services::job_changed(const Job& job, Termination cause, Time now) {
  Replica* replica = replica_of(job.id, job.service);
  if (replica == nullptr) return;
  Service& service = services_.at(job.service);
  ++version_;
  replica->running = job.state == JobState::Running;
  replica->ready = replica->ready && replica->running;
  if (replica->running) replica->attempt = job.attempt;
  if (replica->phase == Phase::Frozen && !replica->running) {
    replica->phase = Phase::Draining;  // one that is to start anew is no better than none
    replica->drain_until = now;
    changed_.insert(job.service);
  }
  if (job.state != JobState::Queued && !is_final(job.state)) return;
  changed_.insert(job.service);
  const bool crashed = cause == Termination::TaskFailed || cause == Termination::StartRefused ||
                       cause == Termination::Completed;
  if (crashed && replica->phase == Phase::Serving && replica->revision == service.revision) {
    ++service.crashes;
    replica->fault = !job.exit.message.empty()
                         ? job.exit.message
                         : fmt::format("it ended with code {}", job.exit.shell_code());
  }
  if (!is_final(job.state)) return;
  if (replica->phase == Phase::Serving && job.state != JobState::Cancelled) {
    service.hold_until = saturating_add(now, kReplaceAfter);
  }
  std::erase_if(service.replicas, [&](const Replica& one) { return one.job == job.id; });
}

Services::Actions Services::work(Time now) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    changed_.insert(timers_.begin()->second);
    due_.erase(timers_.begin()->second);
    timers_.erase(timers_.begin());
  }
  Actions actions;
  for (const std::string& name : std::exchange(changed_, {})) {
    const auto found = services_.find(name);
    if (found == services_.end()) continue;
    work_on(found->second, actions, now);
    plan_wakeup(found->second);
    ++version_;
    if (found->second.deleted && found->second.replicas.empty()) services_.erase(found);
  }
  return actions;
}

void Services::work_on(Service& service, Actions& actions, Time now) {
  if (service.deleted) {
    service.scale = {};
  } else {
    const bool none = service.scale.wanted == 0;
    follow_load(service, now);
    if (none) service.progress_at = now;
    judge_rollout(service, now);
  }
  if (service.hold_until && *service.hold_until <= now) service.hold_until.reset();
  const RolloutStep step = rollout_step(service.replicas, service.scale.wanted, service.revision);
  for (const JobId job : step.retire) {
    Replica& replica = *replica_of(job, service.name());
    replica.phase = Phase::Draining;
    replica.drain_until = saturating_add(now, service.spec.rollout.drain);
  }
  const std::int32_t thawed = thaw(service, step.create, actions);
  retire(service, actions, now);
  if (service.hold_until) return;
  for (std::int32_t i = thawed; i < step.create; ++i) {
    actions.create.push_back({service.name(), service.revision, service.spec.replica});
  }
}

/// A service is idle from when it could be asked: until a replica is ready the last one stays,
/// though only for as long as a rollout waits for one.
void Services::follow_load(Service& service, Time now) {
  const bool ready = ready_of(service) > 0;
  if (ready && !service.served && service.scale.surplus_peak == 0 && service.scale.surplus_since) {
    service.scale.surplus_since = now;
  }
  service.served = service.served || ready;
  const bool stays =
      !service.served && service.scale.wanted > 0 &&
      now < saturating_add(service.progress_at, service.spec.rollout.progress_deadline);
  service.scale = scaled(service.spec.replicas, service.scale, load_of(service), now);
  if (service.scale.wanted > 0) return;
  service.served = false;
  if (stays) service.scale = {1, now, 0};
}

/// Puts frozen replicas back to work, the oldest first; says how many.
std::int32_t Services::thaw(Service& service, std::int32_t wanted, Actions& actions) {
  std::int32_t thawed = 0;
  for (Replica& replica : service.replicas) {
    if (thawed == wanted) break;
    if (replica.phase != Phase::Frozen || replica.revision != service.revision) continue;
    replica.phase = Phase::Serving;
    actions.freeze.push_back({replica.job, replica.attempt, false});
    ++thawed;
  }
  return thawed;
}

/// Freezes or stops replicas that have had their time to drain, and stops frozen ones that are of
/// no use any more.
void Services::retire(Service& service, Actions& actions, Time now) {
  std::int32_t room = service.deleted ? 0 : service.spec.replicas.frozen_max;
  const auto current = [&](const Replica& one) { return one.revision == service.revision; };
  const auto stop = [&](Replica& replica) {
    replica.phase = Phase::Stopping;
    actions.stop.push_back(replica.job);
  };
  for (Replica& replica : service.replicas) {
    if (replica.phase != Phase::Frozen) continue;
    if (current(replica) && room > 0) {
      --room;
    } else {
      stop(replica);
    }
  }
  for (Replica& replica : service.replicas) {
    if (replica.phase != Phase::Draining) continue;
    if (replica.running && now < replica.drain_until) continue;
    if (replica.ready && current(replica) && room > 0) {
      --room;
      replica.phase = Phase::Frozen;
      actions.freeze.push_back({replica.job, replica.attempt, true});
    } else {
      stop(replica);
    }
  }
}

/// A revision that has done what was wanted of it is what later ones are measured against.
void Services::judge_rollout(Service& service, Time now) {
  if (!service.previous) return;
  if (rolled_out(service.replicas, service.scale.wanted, service.revision)) {
    service.previous.reset();
    return;
  }
  if (!proves_itself(service)) return;
  const Rollout& rollout = service.spec.rollout;
  if (service.crashes >= rollout.crashes_max) {
    return roll_back(
        service, fmt::format("its replicas ended by themselves {} times", service.crashes), now);
  }
  if (now >= saturating_add(service.progress_at, rollout.progress_deadline)) {
    roll_back(service,
              fmt::format("no replica became ready within {}",
                          format_duration(rollout.progress_deadline)),
              now);
  }
}

void Services::roll_back(Service& service, std::string why, Time now) {
  std::string fault;
  for (const Replica& replica : service.replicas) {
    if (replica.revision == service.revision && !replica.fault.empty()) fault = replica.fault;
  }
  if (!fault.empty()) why += fmt::format(" (last: {})", fault);
  service.notice = fmt::format("revision {} was undone: {}; revision {} serves", service.revision,
                               why, service.previous_revision);
  service.spec = *std::exchange(service.previous, std::nullopt);
  service.revision = service.previous_revision;
  const ReplicaCount& count = service.spec.replicas;
  service.scale = {std::clamp(service.scale.wanted, count.min, count.max), std::nullopt, 0};
  service.crashes = 0;
  service.progress_at = now;
  service.hold_until.reset();
}

void Services::created(const Create& made, JobId job) {
  Service& service = *touch(made.service);
  Replica replica;
  replica.job = job;
  replica.revision = made.revision;
  service.replicas.push_back(std::move(replica));
}

std::optional<Time> Services::next_wakeup() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

/// When something is due that no event announces.
void Services::plan_wakeup(const Service& service) {
  std::optional<Time> due;
  const auto at = [&due](Time time) { due = std::min(time, due.value_or(time)); };
  if (service.hold_until) at(*service.hold_until);
  if (!service.deleted) {
    if (const auto scale = scale_due(service.spec.replicas, service.scale)) at(*scale);
    if (proves_itself(service)) {
      at(saturating_add(service.progress_at, service.spec.rollout.progress_deadline));
    }
  }
  for (const Replica& replica : service.replicas) {
    if (replica.phase == Phase::Draining) at(replica.drain_until);
  }
  if (const auto known = due_.find(service.name()); known != due_.end()) {
    timers_.erase({known->second, service.name()});
    due_.erase(known);
  }
  const bool over = service.deleted && service.replicas.empty();
  if (!due || over) return;
  due_[service.name()] = *due;
  timers_.emplace(*due, service.name());
}

std::vector<Service> Services::state() const {
  std::vector<Service> state;
  state.reserve(services_.size());
  for (const auto& [name, service] : services_) state.push_back(service);
  return state;
}

Result<void> Services::restore(const std::vector<Service>& state) {
  for (const Service& service : state) {
    if (auto valid = validate(service.spec); !valid) return valid;
    if (!services_.emplace(service.name(), service).second) {
      return fail(ErrorKind::Invalid, "service '{}' is there twice", service.name());
    }
    plan_wakeup(service);
  }
  ++version_;
  return {};
}

}  // namespace gyre::reason
