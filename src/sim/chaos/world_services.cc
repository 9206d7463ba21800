// The owners of a ChaosWorld's services, their load, and their probes.
#include <fmt/format.h>

#include <algorithm>

#include "sim/chaos/world.h"

namespace gyre::sim {
namespace {

constexpr Duration kOperatorComes = seconds(2 * 3600);  // to a node that waits for a person
constexpr SpanRange kLookPause{seconds(5), seconds(20)};
constexpr SpanRange kLoadPause{seconds(60), seconds(3600)};
constexpr Duration kRestPause = seconds(600);
constexpr std::uint64_t kDrainedPercent = 50;

}  // namespace

void ChaosWorld::plan_services() {
  for (std::size_t i = 0; i < services_.size(); ++i) {
    for (const ChaosService::Change& change : services_[i].changes) {
      agenda_.add(Time{} + change.at, OwnerActs{i});
    }
    const Duration first = draw(kLoadPause, probes_);
    agenda_.add(Time{} + first, LoadChanges{i});
  }
  if (!services_.empty()) agenda_.add(Time{} + spec_.lasts + kRestPause, ServicesEnd{});
}

void ChaosWorld::on(const OwnerActs& item) {
  ++owners_[item.service].due;
  ask_for(item.service);
}

void ChaosWorld::ask_for(std::size_t service) {
  Owner& owner = owners_[service];
  if (owner.due == owner.heard || owner.asked) return;
  owner.asked = true;
  const std::vector<ChaosService::Change>& changes = services_[service].changes;
  // One after the other: the first of all, which works, is what others are undone to.
  Pending pending{ServiceDeleted{changes.front().spec.replica.name}, {}, {}};
  if (owner.heard < changes.size()) pending.body = ServiceApplied{changes[owner.heard].spec};
  pending.owner = service;
  pending.change = owner.heard + 1;
  pending_.push_back(std::move(pending));
}

void ChaosWorld::on(const LoadChanges& item) {
  const Duration pause = draw(kLoadPause, probes_);
  const auto in_flight = static_cast<std::int64_t>(probes_.below(8000));
  const auto queued = static_cast<std::int64_t>(probes_.below(3));
  const bool none = probes_.below(3) == 0;
  if (now_ > Time{} + spec_.lasts) return;
  agenda_.add(now_ + pause, LoadChanges{item.service});
  if (!server_up_) return;
  const std::string& name = services_[item.service].changes.front().spec.replica.name;
  post(ServiceLoadSeen{name, none ? 0 : in_flight, none ? 0 : queued});
}

void ChaosWorld::answered(const control::Decisions& decisions) {
  for (const Transition& transition : decisions.transitions) {
    const Job* job = core_.jobs().find(transition.job);
    if (job != nullptr && !job->service.empty()) look_after(*job);
  }
  for (const Command& command : decisions.commands) {
    const auto* out = std::get_if<QuarantineNode>(&command.body);
    if (out != nullptr && out->until == Time::max()) {
      agenda_.add(now_ + kOperatorComes, OperatorLooks{out->node.value});
    }
  }
  if (!services_.empty()) guard_.check(core_, truth_, now_);
}

/// From here on it is known what it is, and each run of it is probed.
void ChaosWorld::look_after(const Job& job) {
  truth_.identify(job.id, fate_of(job.spec));
  if (job.state != JobState::Running) return;
  if (!looked_after_.emplace(job.id, job.attempt).second) return;
  const Duration pause = draw(kLookPause, probes_);
  agenda_.add(now_ + pause, ReplicaLooked{job.id, job.attempt});
}

/// Whether it answers. No answer says nothing of its life: only its node's word would.
ReplicaHealth ChaosWorld::health_of(const Job& job) const {
  const std::uint32_t node = job.placement.front().node.value;
  const auto seen = machines_[node].look({job.id, job.attempt, 0});
  if (dark_[node] > 0 || !seen) return ReplicaHealth::NotReady;
  if (seen->hangs) return ReplicaHealth::Dead;
  return seen->ready_at <= now_ ? ReplicaHealth::Ready : ReplicaHealth::NotReady;
}

void ChaosWorld::on(const ReplicaLooked& item) {
  const Duration pause = draw(kLookPause, probes_);
  const bool drained = probes_.below(100) < kDrainedPercent;
  const Job* job = core_.jobs().find(item.job);
  const bool runs =
      job != nullptr && job->state == JobState::Running && job->attempt == item.attempt;
  const Service* service = runs ? core_.services().find(job->service) : nullptr;
  if (service == nullptr && server_up_) {
    looked_after_.erase({item.job, item.attempt});
    return;
  }
  agenda_.add(now_ + pause, item);
  if (service == nullptr || !server_up_) return;
  const auto replica = std::find_if(service->replicas.begin(), service->replicas.end(),
                                    [&item](const Replica& one) { return one.job == item.job; });
  if (replica == service->replicas.end()) return;
  const ReplicaHealth health = health_of(*job);
  Pending pending{ReplicaProbed{item.job, item.attempt, health, ""}, {}, {}};
  auto& probed = std::get<ReplicaProbed>(pending.body);
  if (spec_.plant == ChaosPlant::ReadyUnasked && health == ReplicaHealth::NotReady) {
    probed.health = ReplicaHealth::Ready;
    pending.honest = false;
  }
  const bool draining = replica->phase == Replica::Phase::Draining;
  if (draining && drained) probed.health = ReplicaHealth::Drained;
  const bool ready = probed.health == ReplicaHealth::Ready;
  const bool news =
      draining ? drained : ready != replica->ready || probed.health == ReplicaHealth::Dead;
  if (news) pending_.push_back(std::move(pending));
}

/// Once all are as they are wanted their owners want them no more.
void ChaosWorld::on(const ServicesEnd&) {
  const bool asked = std::all_of(owners_.begin(), owners_.end(),
                                 [](const Owner& owner) { return owner.due == owner.heard; });
  if (!server_up_ || !asked || !at_rest(core_)) {
    return agenda_.add(now_ + kRestPause, ServicesEnd{});
  }
  for (std::size_t i = 0; i < services_.size(); ++i) on(OwnerActs{i});
}

void ChaosWorld::finish_services() {
  for (const auto& [name, service] : core_.services().all()) {
    const auto ready = std::count_if(service.replicas.begin(), service.replicas.end(),
                                     [](const Replica& replica) { return replica.ready; });
    truth_.report(Invariant::Converges, now_,
                  fmt::format("{} is still there at the end, with {} replicas of which {} are "
                              "ready, where {} are wanted",
                              name, service.replicas.size(), ready, service.scale.wanted));
  }
}

}  // namespace gyre::sim
