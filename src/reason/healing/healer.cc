#include "reason/healing/healer.h"

#include <algorithm>

#include "base/rng.h"

namespace gyre::reason {
namespace {

using Outcome = Incident::Outcome;

constexpr Duration kHour = seconds(3600);

bool is_about(const HealingRule& rule, const Healer::Sign& sign) {
  return rule.on == sign.symptom && (rule.xid == 0 || rule.xid == sign.xid);
}

bool unsettled(const Incident& incident) {
  return incident.outcome == Outcome::Open || incident.outcome == Outcome::Held;
}

}  // namespace

void Healer::configure(const HealingSpec& spec) {
  state_.spec = spec;
  plan_wakeup();
}

Healer::Changes Healer::reconsider(Time now) {
  Changes changes;
  if (!active()) return changes;
  forget_taken(now);
  apply_held(now, changes);
  plan_wakeup();
  return changes;
}

Healer::Changes Healer::sees(NodeId node, const Sign& sign, Time now) {
  if (!active()) return {};
  NodeHealth& health = health_of(node);
  forget_old(health, now);
  if (matters(sign)) {
    if (sign.job) {
      std::erase_if(health.seen, [&](const NodeHealth::Sighting& sighting) {
        return sighting.symptom == sign.symptom && sighting.job == sign.job;
      });
    }
    if (health.seen.size() == kSightingsMax) health.seen.erase(health.seen.begin());
    health.seen.push_back({sign.symptom, now, sign.job, sign.xid});
  }
  Incident* known = open_of(node, sign.symptom);
  Incident& incident = known != nullptr ? *known : open(sign, now);
  if (known != nullptr) ++incident.repeats;
  incident.node = node;
  incident.remedy = join(incident.remedy, remedy_for(health, sign, now));
  Changes changes;
  if (incident.remedy == Remedy::Note) {
    // A node that was lost is waited for.
    if (sign.symptom != Symptom::NodeLost) close(incident, Outcome::Noted, now);
  } else if (health.quarantined_until || may_quarantine(now)) {
    changes.push_back(quarantine(incident, now));  // for one that is out, the time begins anew
  } else {
    incident.outcome = Outcome::Held;
  }
  plan_wakeup();
  return changes;
}

/// Whether a rule asks for it: nothing else is held against a node.
bool Healer::matters(const Sign& sign) const {
  return std::any_of(state_.spec.rules.begin(), state_.spec.rules.end(),
                     [&sign](const HealingRule& rule) { return is_about(rule, sign); });
}

/// What the rules that apply ask for together.
Remedy Healer::remedy_for(const NodeHealth& health, const Sign& sign, Time now) const {
  Remedy remedy = Remedy::Note;
  for (const HealingRule& rule : state_.spec.rules) {
    if (!is_about(rule, sign)) continue;
    const auto times = std::count_if(
        health.seen.begin(), health.seen.end(), [&](const NodeHealth::Sighting& sighting) {
          return sighting.symptom == sign.symptom && now - sighting.at <= rule.within &&
                 (rule.xid == 0 || rule.xid == sighting.xid);
        });
    if (times >= rule.times) remedy = join(remedy, rule.then);
  }
  return remedy;
}

/// Within both bounds of the playbook.
bool Healer::may_quarantine(Time now) const {
  const std::int32_t per_hour = state_.spec.quarantines_per_hour_max;
  const auto recent = std::count_if(state_.taken.begin(), state_.taken.end(),
                                    [now](Time at) { return now - at < kHour; });
  if (per_hour > 0 && recent >= per_hour) return false;
  const auto out =
      std::count_if(state_.nodes.begin(), state_.nodes.end(),
                    [](const NodeHealth& health) { return health.quarantined_until.has_value(); });
  const auto nodes = static_cast<std::int64_t>(state_.nodes.size());
  return out < nodes * state_.spec.quarantined_percent_max / 100;
}

Healer::Change Healer::quarantine(Incident& incident, Time now) {
  NodeHealth& health = health_of(*incident.node);
  const std::int32_t doublings = std::min(health.quarantines, 20);
  const Duration spell =
      std::min(state_.spec.quarantine_max, state_.spec.quarantine * (std::int64_t{1} << doublings));
  ++health.quarantines;
  if (!health.quarantined_until) note_taken(now);
  const bool stays = waits_for_person(incident.remedy) || health.quarantined_until == Time::max();
  health.quarantined_until = stays ? Time::max() : saturating_add(now, spell);
  incident.outcome = Outcome::Open;
  return {*incident.node, true, evacuates(incident.remedy), incident.id, *health.quarantined_until};
}

void Healer::forget_taken(Time now) {
  std::erase_if(state_.taken, [now](Time at) { return now - at >= kHour; });
}

/// For the bound on how many an hour has.
void Healer::note_taken(Time now) {
  forget_taken(now);
  if (state_.spec.quarantines_per_hour_max > 0) state_.taken.push_back(now);
}

void Healer::node_back(NodeId node, Time now) {
  if (!active() || health(node).quarantined_until) return;
  Incident* incident = open_of(node, Symptom::NodeLost);
  if (incident != nullptr && incident->outcome == Outcome::Open) {
    close(*incident, Outcome::Recovered, now);
  }
}

Healer::Changes Healer::put_back(NodeId node, Time now) {
  Changes changes;
  if (!active()) return changes;
  NodeHealth& health = health_of(node);
  if (!health.quarantined_until && health.seen.empty()) return changes;
  const bool was_out = health.quarantined_until.has_value();
  const auto last = std::find_if(
      state_.incidents.rbegin(), state_.incidents.rend(),
      [&](const Incident& incident) { return incident.node == node && unsettled(incident); });
  const std::uint64_t id = last == state_.incidents.rend() ? 0 : last->id;
  health = {};
  close_all(node, Outcome::Undone, now);
  if (was_out) changes.push_back({node, false, false, id, {}});
  apply_held(now, changes);
  plan_wakeup();
  return changes;
}

Healer::Changes Healer::wake(Time now) {
  Changes changes;
  if (!active()) return changes;
  for (std::uint32_t i = 0; i < state_.nodes.size(); ++i) {
    NodeHealth& health = state_.nodes[i];
    forget_old(health, now);
    if (!health.quarantined_until || *health.quarantined_until > now) continue;
    const auto last = std::find_if(state_.incidents.rbegin(), state_.incidents.rend(),
                                   [&](const Incident& incident) {
                                     return incident.node == NodeId{i} && unsettled(incident);
                                   });
    changes.push_back(
        {NodeId{i}, false, false, last == state_.incidents.rend() ? 0 : last->id, {}});
    health.quarantined_until.reset();
    close_all(NodeId{i}, Outcome::Recovered, now);
  }
  forget_taken(now);
  const bool paced = state_.spec.quarantines_per_hour_max > 0;
  if (!changes.empty() || paced) apply_held(now, changes);
  plan_wakeup();
  return changes;
}

/// O(nodes): done when something changed, not when it is asked for.
void Healer::plan_wakeup() {
  next_.reset();
  if (!active()) return;
  const auto earlier = [this](Time at) { next_ = std::min(at, next_.value_or(Time::max())); };
  for (const NodeHealth& health : state_.nodes) {
    const bool returns = health.quarantined_until && *health.quarantined_until != Time::max();
    if (returns) earlier(*health.quarantined_until);
    if (!health.seen.empty()) earlier(saturating_add(health.seen.front().at, state_.spec.remember));
  }
  const auto& all = state_.incidents;
  const bool held = std::any_of(all.begin(), all.end(), [](const Incident& incident) {
    return incident.outcome == Outcome::Held;
  });
  if (held && state_.spec.quarantines_per_hour_max > 0 && !state_.taken.empty()) {
    earlier(saturating_add(state_.taken.front(), kHour));
  }
}

/// What had to wait for others to be put back, oldest first.
void Healer::apply_held(Time now, Changes& changes) {
  for (Incident& incident : state_.incidents) {
    if (incident.outcome != Outcome::Held || !may_quarantine(now)) continue;
    if (health(*incident.node).quarantined_until) {
      incident.outcome = Outcome::Open;
      continue;
    }
    changes.push_back(quarantine(incident, now));
  }
}

void Healer::forget_old(NodeHealth& health, Time now) const {
  std::erase_if(health.seen, [&](const NodeHealth::Sighting& sighting) {
    return saturating_add(sighting.at, state_.spec.remember) <= now;
  });
  if (health.seen.empty() && !health.quarantined_until) health.quarantines = 0;
}

// --- incidents

Incident& Healer::open(const Sign& sign, Time now) {
  auto& incidents = state_.incidents;
  if (incidents.size() == kIncidentsMax) {
    const auto settled = std::find_if_not(incidents.begin(), incidents.end(), unsettled);
    incidents.erase(settled == incidents.end() ? incidents.begin() : settled);
  }
  Incident incident;
  incident.id = ++state_.last_incident;
  incident.symptom = sign.symptom;
  incident.xid = sign.xid;
  incident.evidence = sign.evidence;
  incident.outcome = Outcome::Open;
  incident.at = now;
  return incidents.emplace_back(std::move(incident));
}

Incident* Healer::open_of(NodeId node, Symptom symptom) {
  const auto found = std::find_if(state_.incidents.rbegin(), state_.incidents.rend(),
                                  [&](const Incident& incident) {
                                    return incident.node == node && !incident.job &&
                                           incident.symptom == symptom && unsettled(incident);
                                  });
  return found == state_.incidents.rend() ? nullptr : &*found;
}

void Healer::close(Incident& incident, Outcome outcome, Time now) {
  incident.outcome = outcome;
  incident.closed_at = now;
}

void Healer::close_all(NodeId node, Outcome outcome, Time now) {
  for (Incident& incident : state_.incidents) {
    if (incident.node == node && !incident.job && unsettled(incident)) {
      close(incident, outcome, now);
    }
  }
}

void Healer::job_interrupted(JobId job, const Sign& sign, Time now) {
  if (!active()) return;
  if (Incident* known = open_of(job)) {
    ++known->repeats;
    return;
  }
  open(sign, now).job = job;
}

Incident* Healer::open_of(JobId job) {
  const auto found = std::find_if(
      state_.incidents.rbegin(), state_.incidents.rend(),
      [job](const Incident& incident) { return incident.job == job && unsettled(incident); });
  return found == state_.incidents.rend() ? nullptr : &*found;
}

void Healer::close_job(JobId job, Outcome outcome, Time now) {
  if (!active()) return;
  if (Incident* known = open_of(job)) close(*known, outcome, now);
}

void Healer::store_healed(const Sign& sign, Time since, Time now) {
  close(open(sign, since), Outcome::Recovered, now);
}

Duration Healer::with_jitter(Duration backoff, JobId job, std::int32_t retry) const {
  if (!active()) return backoff;
  Rng rng = Rng(job.value).stream("backoff");
  for (std::int32_t i = 0; i < std::min(retry, 32); ++i) rng.next();
  const std::int64_t percent_max = state_.spec.backoff_jitter_percent;
  const auto parts = static_cast<std::int64_t>(rng.below(1001));
  return backoff + Duration{backoff.ns / 100'000 * percent_max * parts};
}

HealingState Healer::state() const {
  return active() || !state_.incidents.empty() ? state_ : HealingState{};
}

Result<void> Healer::restore(const HealingState& state, std::size_t nodes) {
  if (!state.nodes.empty() && state.nodes.size() != nodes) {
    return fail(ErrorKind::Invalid, "the health of {} nodes is known, but there are {}",
                state.nodes.size(), nodes);
  }
  std::uint64_t last = 0;
  for (const Incident& incident : state.incidents) {
    const bool exists = !incident.node || incident.node->value < nodes;
    if (incident.id <= last || incident.id > state.last_incident || !exists) {
      return fail(ErrorKind::Invalid, "incident {} is out of order or on an unknown node",
                  incident.id);
    }
    last = incident.id;
  }
  state_ = state;
  state_.nodes.resize(nodes);
  plan_wakeup();
  return {};
}

}  // namespace gyre::reason
