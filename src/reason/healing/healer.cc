#include "reason/healing/healer.h"

#include <algorithm>

#include "base/rng.h"
#include "base/utf8.h"
#include "domain/xid.h"

namespace gyre::reason {
namespace {

using Outcome = Incident::Outcome;

constexpr Duration kHour = seconds(3600);
constexpr Duration kAnswerTakes = seconds(60);  // after a repair's limit
constexpr Duration kSameFall = seconds(60);

bool is_about(const HealingRule& rule, const Healer::Sign& sign) {
  return rule.on == sign.symptom && (rule.xid == 0 || rule.xid == sign.xid);
}

bool unsettled(const Incident& incident) {
  return incident.outcome == Outcome::Open || incident.outcome == Outcome::Held;
}

bool has_done(const Incident& incident, Repair repair, std::int32_t device) {
  return std::any_of(incident.steps.begin(), incident.steps.end(), [&](const RepairStep& step) {
    return step.repair == repair && step.device == device;
  });
}

/// Ended by what it is about, and by nothing else.
bool lasts(Symptom symptom) {
  return symptom == Symptom::NodeLost || symptom == Symptom::GpuUnknown;
}

/// Whether the first asks for more than the second.
bool asks_more(const HealingRule& a, const HealingRule& b) {
  if (join(a.then, b.then) != b.then) return true;
  if (a.then != b.then) return false;
  return a.repair > b.repair || (a.burn_in && !b.burn_in);
}

/// The next one of an incident, but the burn-in.
std::optional<Healer::Due> next_of(const Incident& incident) {
  if (incident.repair == Repair::None) return std::nullopt;
  if (incident.repair != Repair::Reset) {
    if (has_done(incident, incident.repair, -1)) return std::nullopt;
    return Healer::Due{incident.repair, -1, incident.id};
  }
  for (std::int32_t device = 0; device < 16; ++device) {
    const bool wanted = (incident.devices >> static_cast<unsigned>(device) & 1U) != 0;
    if (wanted && !has_done(incident, Repair::Reset, device)) {
      return Healer::Due{Repair::Reset, device, incident.id};
    }
  }
  return std::nullopt;
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
  const HealingRule answer = answer_to(health, sign, now);
  Incident& incident = incident_of(node, sign, answer, now);
  if (sign.device >= 0 && sign.device < 16) {
    incident.devices = static_cast<std::uint16_t>(incident.devices | 1U << sign.device);
  }
  Changes changes;
  if (incident.remedy == Remedy::Note) {
    if (!lasts(sign.symptom)) close(incident, Outcome::Noted, now);
  } else if (health.quarantined_until || may_quarantine(now)) {
    changes.push_back(quarantine(incident, now));  // for one that is out, the time begins anew
  } else {
    incident.outcome = Outcome::Held;
  }
  plan_wakeup();
  return changes;
}

/// The one that is open of it, or a new one, with what `answer` asks for.
Incident& Healer::incident_of(NodeId node, const Sign& sign, const HealingRule& answer, Time now) {
  // Of several that are open each repair is done once.
  Repair repair = answer.repair;
  bool burn_in = answer.burn_in;
  for (const Incident& one : state_.incidents) {
    const bool same = one.node == node && !one.job && one.symptom == sign.symptom;
    if (!same || !unsettled(one)) continue;
    if (one.repair >= repair) repair = Repair::None;
    burn_in = burn_in && !one.burn_in;
  }
  Incident* known = sign.symptom == Symptom::TaskStalled ? nullptr : open_of(node, sign.symptom);
  Incident& incident = known != nullptr ? *known : open(sign, now);
  if (known != nullptr) ++incident.repeats;
  incident.node = node;
  const HealingRule so_far{sign.symptom,    1, {}, incident.remedy, 0, incident.repair,
                           incident.burn_in};
  if (incident.playbook.empty() || asks_more(answer, so_far)) incident.playbook = answer.playbook;
  incident.remedy = join(incident.remedy, answer.then);
  incident.repair = std::max(incident.repair, repair);
  incident.burn_in = incident.burn_in || burn_in;
  return incident;
}

void Healer::note(NodeId node, const Sign& sign, Time now) {
  Incident& incident = open(sign, now);
  incident.node = node;
  close(incident, Outcome::Noted, now);
}

bool Healer::knows_fall(NodeId node, std::int32_t device, Time now) const {
  return std::any_of(
      state_.incidents.rbegin(), state_.incidents.rend(), [&](const Incident& incident) {
        const bool shown = (incident.devices >> static_cast<unsigned>(device) & 1U) != 0;
        const bool lives = unsettled(incident) || now - incident.at <= kSameFall;
        return lives && shown && incident.node == node && incident.xid == kXidOffTheBus;
      });
}

void Healer::gpus_known(NodeId node, Time now) {
  Incident* incident = active() ? open_of(node, Symptom::GpuUnknown) : nullptr;
  if (incident != nullptr) close(*incident, Outcome::Recovered, now);
}

/// Whether a rule asks for it: nothing else is held against a node.
bool Healer::matters(const Sign& sign) const {
  return std::any_of(state_.spec.rules.begin(), state_.spec.rules.end(),
                     [&sign](const HealingRule& rule) { return is_about(rule, sign); });
}

/// What the rules that apply ask for together.
HealingRule Healer::answer_to(const NodeHealth& health, const Sign& sign, Time now) const {
  HealingRule answer;
  for (const HealingRule& rule : state_.spec.rules) {
    if (!is_about(rule, sign)) continue;
    const auto times = std::count_if(
        health.seen.begin(), health.seen.end(), [&](const NodeHealth::Sighting& sighting) {
          return sighting.symptom == sign.symptom && now - sighting.at <= rule.within &&
                 (rule.xid == 0 || rule.xid == sighting.xid);
        });
    if (times < rule.times) continue;
    if (answer.playbook.empty() || asks_more(rule, answer)) answer.playbook = rule.playbook;
    answer.then = join(answer.then, rule.then);
    answer.repair = std::max(answer.repair, rule.repair);
    answer.burn_in = answer.burn_in || rule.burn_in;
  }
  return answer;
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
  health.rested = false;
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
  close_all(node, Outcome::Undone, now);
  if (health.underway) {  // no task runs on a GPU that is reset: it is back when that has ended
    health.rested = true;
    health.given_up = false;
    health.seen.clear();
    apply_held(now, changes);
    plan_wakeup();
    return changes;
  }
  health = {};
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
    if (health.underway &&
        saturating_add(health.underway->at, state_.spec.repair_max + kAnswerTakes) <= now) {
      const Changes failed = repair_ended(
          {NodeId{i}, health.underway->command, false, "no answer came: nobody knows"}, now);
      changes.insert(changes.end(), failed.begin(), failed.end());
    }
    if (!health.quarantined_until || health.rested || *health.quarantined_until > now) continue;
    health.rested = waits_for_repairs(NodeId{i});
    if (!health.rested) changes.push_back(release(NodeId{i}, now));
  }
  forget_taken(now);
  const bool paced = state_.spec.quarantines_per_hour_max > 0;
  if (!changes.empty() || paced) apply_held(now, changes);
  plan_wakeup();
  return changes;
}

// --- repairs

std::optional<Healer::Due> Healer::next_repair(NodeId node) const {
  const NodeHealth& health = this->health(node);
  if (!health.quarantined_until || health.underway || health.given_up) return std::nullopt;
  const Incident* test = nullptr;
  for (const Incident& incident : state_.incidents) {
    if (incident.node != node || incident.job || !unsettled(incident)) continue;
    if (const auto due = next_of(incident)) return due;
    if (incident.burn_in) test = &incident;
  }
  if (!health.rested || test == nullptr) return std::nullopt;
  return Due{Repair::BurnIn, -1, test->id};
}

/// Whether its time being over is not enough for it to come back.
bool Healer::waits_for_repairs(NodeId node) const {
  if (health(node).underway) return true;
  return std::any_of(
      state_.incidents.begin(), state_.incidents.end(), [node](const Incident& incident) {
        const bool open = incident.node == node && !incident.job && unsettled(incident);
        return open && (incident.burn_in || next_of(incident));
      });
}

void Healer::repair_begins(NodeId node, const Due& due, CommandId command, Time now) {
  health_of(node).underway = RepairUnderway{due.repair, due.device, command, due.incident, now};
  if (Incident* incident = find(due.incident)) {
    incident->steps.push_back({due.repair, due.device, now, {}, false, ""});
  }
  plan_wakeup();
}

Healer::Changes Healer::repair_ended(const RepairEnded& event, Time now) {
  if (!active() || event.node.value >= state_.nodes.size()) return {};
  NodeHealth& health = health_of(event.node);
  if (!health.underway || health.underway->command != event.command) return {};
  const RepairUnderway done = *std::exchange(health.underway, std::nullopt);
  Incident* incident = find(done.incident);
  if (incident != nullptr && !incident->steps.empty()) {
    RepairStep& step = incident->steps.back();
    step.ended_at = now;
    step.good = event.good;
    step.detail = event.detail.substr(0, utf8_cut(event.detail, kRepairDetailMax));
  }
  Changes changes;
  const bool endless = incident != nullptr && incident->steps.size() >= kRepairStepsMax;
  if (!event.good || endless) {
    changes.push_back(give_up(event.node, now));
  } else if (health.rested) {
    const bool back = done.repair == Repair::BurnIn || !waits_for_repairs(event.node);
    if (back) {
      changes.push_back(release(event.node, now));
      apply_held(now, changes);
    }
  }
  plan_wakeup();
  return changes;
}

/// It stays out until a person puts it back.
Healer::Change Healer::give_up(NodeId node, Time now) {
  NodeHealth& health = health_of(node);
  health.given_up = true;
  health.quarantined_until = Time::max();
  std::uint64_t last = 0;
  for (Incident& incident : state_.incidents) {
    if (incident.node != node || incident.job || !unsettled(incident)) continue;
    last = incident.id;
    close(incident, Outcome::Failed, now);
  }
  return {node, true, false, last, Time::max()};
}

Healer::Change Healer::release(NodeId node, Time now) {
  NodeHealth& health = health_of(node);
  const auto last = std::find_if(
      state_.incidents.rbegin(), state_.incidents.rend(),
      [node](const Incident& incident) { return incident.node == node && unsettled(incident); });
  const std::uint64_t id = last == state_.incidents.rend() ? 0 : last->id;
  health.quarantined_until.reset();
  health.rested = false;
  close_all(node, Outcome::Recovered, now);
  return {node, false, false, id, {}};
}

Incident* Healer::find(std::uint64_t incident) {
  const auto found = std::find_if(state_.incidents.begin(), state_.incidents.end(),
                                  [incident](const Incident& one) { return one.id == incident; });
  return found == state_.incidents.end() ? nullptr : &*found;
}

void Healer::moves(std::uint64_t incident, JobId job, Keeping kept) {
  Incident* known = find(incident);
  if (known == nullptr) return;
  if (known->moved.size() == kMovesMax) known->moved.erase(known->moved.begin());
  known->moved.push_back({job, kept});
}

bool Healer::reboots(NodeId node) const {
  const auto& underway = health(node).underway;
  return underway && (underway->repair == Repair::Reboot || underway->repair == Repair::Replace);
}

/// O(nodes): done when something changed, not when it is asked for.
void Healer::plan_wakeup() {
  next_.reset();
  to_repair_.clear();
  if (!active()) return;
  const auto earlier = [this](Time at) { next_ = std::min(at, next_.value_or(Time::max())); };
  for (const NodeHealth& health : state_.nodes) {
    const bool returns = health.quarantined_until && *health.quarantined_until != Time::max();
    if (returns && !health.rested) earlier(*health.quarantined_until);
    if (health.underway) {
      earlier(saturating_add(health.underway->at, state_.spec.repair_max + kAnswerTakes));
    }
    if (!health.seen.empty()) earlier(saturating_add(health.seen.front().at, state_.spec.remember));
  }
  const auto& all = state_.incidents;
  bool held = false;
  for (const Incident& incident : all) {
    held = held || incident.outcome == Outcome::Held;
    const bool wants = incident.repair != Repair::None || incident.burn_in;
    if (wants && incident.node && unsettled(incident)) {
      to_repair_.push_back(*incident.node);
    }
  }
  std::sort(to_repair_.begin(), to_repair_.end());
  to_repair_.erase(std::unique(to_repair_.begin(), to_repair_.end()), to_repair_.end());
  std::erase_if(to_repair_, [this](NodeId node) { return !next_repair(node); });
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
    const bool own = incident.node == node && !incident.job;
    // Whether a device answers no remedy decides.
    if (own && unsettled(incident) && incident.symptom != Symptom::GpuUnknown) {
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
