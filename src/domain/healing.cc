#include "domain/healing.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "domain/xid.h"

namespace gyre {
namespace {

constexpr Duration kSpanMax = seconds(366LL * 86'400);
constexpr std::size_t kRulesMax = 50;
constexpr std::int32_t kPerHourMax = 10'000;

constexpr std::array<std::string_view, kSymptomCount> kSymptoms{
    "application_fault", "device_fault", "unknown_gpu_error", "node_lost",       "start_refused",
    "task_stalled",      "task_failed",  "gpu_unknown",       "task_unrecorded", "journal_damaged",
    "storage_full",      "store_away",   "leader_lost"};
constexpr std::array<std::string_view, kSymptomCount> kDiagnoses{
    "a mistake of the program; the device is sound",
    "the device or its driver; it cannot be trusted",
    "not known; the device is not trusted until it has been quiet",
    "the machine, its network or its agent is down",
    "the node cannot start tasks, or not this one",
    "the program waits for ever, or the device or the network under it hangs",
    "the program ended with an error",
    "the driver or the device hangs; nothing new is put on the node until it answers again",
    "another journal started it, or the end of this one is lost; nobody waits for it",
    "the disk of the server, or a power cut while it wrote",
    "the disk of the server's state folder has no room left",
    "the database of the journal, or the network to it, was down",
    "the server that led, its machine or its network is down"};
constexpr std::array<std::string_view, 5> kRemedies{"note", "quarantine", "evacuate", "cordon",
                                                    "drain"};
constexpr std::array<std::string_view, 7> kOutcomes{"noted",  "open",  "held",  "recovered",
                                                    "undone", "ended", "failed"};
constexpr std::array<std::string_view, 3> kKeepings{"nothing", "last_checkpoint",
                                                    "checkpoint_signal"};
constexpr std::array<std::string_view, 5> kRepairs{"none", "reset", "reboot", "replace", "burn-in"};

bool is_gpu_error(Symptom symptom) {
  return symptom == Symptom::ApplicationFault || symptom == Symptom::DeviceFault ||
         symptom == Symptom::UnknownGpuError;
}

/// Whether its repairs can be done where its remedy leaves the node.
Result<void> check_repairs(const HealingRule& rule, std::size_t index) {
  if (rule.repair == Repair::None && !rule.burn_in) return {};
  if (rule.repair >= Repair::BurnIn) {
    return fail(ErrorKind::Invalid, "rules[{}].repair: burn-in is none; say `burn_in`", index);
  }
  if (!evacuates(rule.then)) {
    return fail(ErrorKind::Invalid,
                "rules[{}]: the hardware is repaired and tested on a node where nothing runs; add "
                "'move'",
                index);
  }
  if (rule.burn_in && waits_for_person(rule.then)) {
    return fail(ErrorKind::Invalid,
                "rules[{}]: these contradict each other: 'burn-in' brings the node back when it "
                "passes, 'cordon' and 'drain' leave that to a person; keep one",
                index);
  }
  if (rule.repair == Repair::Reset && !is_gpu_error(rule.on)) {
    return fail(ErrorKind::Invalid,
                "rules[{}]: 'reset' is of the GPU that an error names, and {} names none; take "
                "'reboot'",
                index, to_string(rule.on));
  }
  return {};
}

Result<void> check(const HealingRule& rule, std::size_t index) {
  if (rule.times < 1 || rule.times > static_cast<std::int32_t>(kSightingsMax)) {
    return fail(ErrorKind::Invalid, "rules[{}].times: expected 1 to {}, found {}", index,
                kSightingsMax, rule.times);
  }
  if (rule.within.ns <= 0 || rule.within > kSpanMax) {
    return fail(ErrorKind::Invalid, "rules[{}].within: expected above 0 and at most a year", index);
  }
  return check_repairs(rule, index);
}

/// Whether it can ever apply.
Result<void> check_reach(const HealingRule& rule, std::size_t index) {
  if (rule.on >= Symptom::JournalDamaged) {
    return fail(ErrorKind::Invalid,
                "rules[{}].on: {} is of the server, not of a node: no rule can answer it", index,
                to_string(rule.on));
  }
  if (rule.on == Symptom::GpuUnknown || rule.on == Symptom::TaskUnrecorded) {
    return fail(ErrorKind::Invalid, "rules[{}].on: {} is answered without a rule: {}", index,
                to_string(rule.on),
                rule.on == Symptom::GpuUnknown
                    ? "nothing new is put on the node until the GPU is known again"
                    : "the task is ended");
  }
  if (rule.on == Symptom::TaskFailed) {
    return fail(ErrorKind::Invalid,
                "rules[{}].on: task_failed is held against its job, not its node: the job's own "
                "retry answers it",
                index);
  }
  if (rule.xid < 0 || (rule.xid != 0 && !is_gpu_error(rule.on))) {
    return fail(ErrorKind::Invalid,
                "rules[{}].xid: only application_fault, device_fault and unknown_gpu_error have "
                "an Xid, above 0",
                index);
  }
  if (rule.xid != 0 && meaning_of_xid(rule.xid).symptom != rule.on) {
    return fail(ErrorKind::Invalid, "rules[{}].xid: Xid {} is a case of {}, not of {}", index,
                rule.xid, to_string(meaning_of_xid(rule.xid).symptom), to_string(rule.on));
  }
  if (rule.xid != 0 && meaning_of_xid(rule.xid).harmless) {
    return fail(ErrorKind::Invalid, "rules[{}].xid: Xid {} is harmless, and never counted", index,
                rule.xid);
  }
  return {};
}

/// Whether `a` has applied whenever `b` does: it takes no more symptoms, and forgets none sooner.
bool precedes(const HealingRule& a, const HealingRule& b) {
  return a.on == b.on && (a.xid == 0 || a.xid == b.xid) && a.times <= b.times &&
         a.within >= b.within;
}

Result<void> check_effect(const std::vector<HealingRule>& rules, std::size_t first,
                          std::size_t second) {
  for (const auto& [early, late] : {std::pair(first, second), std::pair(second, first)}) {
    if (!precedes(rules[early], rules[late])) continue;
    if (join(rules[early].then, rules[late].then) != rules[early].then) continue;
    if (rules[late].repair > rules[early].repair) continue;
    if (rules[late].burn_in && !rules[early].burn_in) continue;
    return fail(ErrorKind::Invalid,
                "rules[{}] does nothing: rules[{}] has led to '{}' by then, which contains '{}'; "
                "remove it or make it stronger",
                late, early, to_string(rules[early].then), to_string(rules[late].then));
  }
  return {};
}

}  // namespace

std::string_view to_string(Symptom symptom) { return kSymptoms[static_cast<std::size_t>(symptom)]; }
std::string_view diagnosis(Symptom symptom) {
  return kDiagnoses[static_cast<std::size_t>(symptom)];
}
std::string_view to_string(Remedy remedy) { return kRemedies[static_cast<std::size_t>(remedy)]; }
Remedy join(Remedy a, Remedy b) {
  if (a > b) std::swap(a, b);
  return a == Remedy::Evacuate && b == Remedy::Cordon ? Remedy::Drain : b;
}
bool evacuates(Remedy remedy) { return remedy == Remedy::Evacuate || remedy == Remedy::Drain; }
bool waits_for_person(Remedy remedy) { return remedy >= Remedy::Cordon; }

std::string_view to_string(Repair repair) { return kRepairs[static_cast<std::size_t>(repair)]; }
std::string_view to_string(Keeping keeping) { return kKeepings[static_cast<std::size_t>(keeping)]; }
Keeping keeping_of(const Checkpoint& checkpoint) {
  if (checkpoint.signal != 0) return Keeping::CheckpointSignal;
  const bool by_itself = checkpoint.interval.value_or(Duration{0}).ns > 0;
  return by_itself ? Keeping::LastCheckpoint : Keeping::Nothing;
}
std::string_view to_string(Incident::Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

std::string playbook_name(Symptom symptom) {
  std::string name(to_string(symptom));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

HealingSpec default_healing() {
  HealingSpec spec;
  const Duration day = seconds(86'400);
  spec.rules = {{Symptom::DeviceFault, 1, day, Remedy::Evacuate},
                {Symptom::UnknownGpuError, 1, day, Remedy::Quarantine},
                {Symptom::NodeLost, 3, day, Remedy::Quarantine},
                {Symptom::StartRefused, 3, seconds(600), Remedy::Quarantine},
                {Symptom::TaskStalled, 2, day, Remedy::Quarantine}};
  for (HealingRule& rule : spec.rules) rule.playbook = playbook_name(rule.on);
  return spec;
}

Result<void> validate(const HealingSpec& spec) {
  if (spec.rules.size() > kRulesMax) {
    return fail(ErrorKind::Invalid, "rules: at most {}, found {}", kRulesMax, spec.rules.size());
  }
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    if (auto good = check(spec.rules[i], i); !good) return good;
    for (std::size_t j = 0; j < i; ++j) {
      const HealingRule& a = spec.rules[j];
      const HealingRule& b = spec.rules[i];
      const bool same =
          a.on == b.on && a.xid == b.xid && a.times == b.times && a.within == b.within;
      const bool alike = a.then == b.then && a.repair == b.repair && a.burn_in == b.burn_in;
      if (!same || alike) continue;
      if (a.then == b.then) {
        return fail(ErrorKind::Invalid,
                    "rules[{}] contradicts rules[{}]: the same {} of {} leads to other repairs", i,
                    j, b.times, to_string(b.on));
      }
      return fail(ErrorKind::Invalid,
                  "rules[{}] contradicts rules[{}]: the same {} of {} leads to '{}' and to '{}'", i,
                  j, b.times, to_string(b.on), to_string(a.then), to_string(b.then));
    }
  }
  for (const Duration span :
       {spec.quarantine, spec.quarantine_max, spec.remember, spec.repair_max}) {
    if (span.ns > 0 && span <= kSpanMax) continue;
    return fail(ErrorKind::Invalid,
                "a quarantine, a memory or a repair of {} is out of bounds; above 0 "
                "and at most a year is possible",
                format_duration(span));
  }
  if (spec.quarantine > spec.quarantine_max) {
    return fail(ErrorKind::Invalid, "quarantine is longer than quarantine_max");
  }
  if (spec.quarantines_per_hour_max < 0 || spec.quarantines_per_hour_max > kPerHourMax) {
    return fail(ErrorKind::Invalid,
                "{} quarantines per hour are out of bounds; 0 to {} is possible",
                spec.quarantines_per_hour_max, kPerHourMax);
  }
  for (const std::int32_t percent : {spec.quarantined_percent_max, spec.backoff_jitter_percent}) {
    if (percent >= 0 && percent <= 100) continue;
    return fail(ErrorKind::Invalid, "a share of {} % is out of bounds; 0 to 100 is possible",
                percent);
  }
  return {};
}

Result<void> review(const HealingSpec& spec) {
  if (auto good = validate(spec); !good) return good;
  for (std::size_t i = 0; i < spec.rules.size(); ++i) {
    if (auto good = check_reach(spec.rules[i], i); !good) return good;
    if (spec.rules[i].within > spec.remember && spec.rules[i].times > 1) {
      return fail(ErrorKind::Invalid,
                  "rules[{}].within: {} is longer than symptoms are remembered, {}", i,
                  format_duration(spec.rules[i].within), format_duration(spec.remember));
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (auto good = check_effect(spec.rules, j, i); !good) return good;
    }
  }
  return {};
}

}  // namespace gyre
