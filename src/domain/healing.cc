#include "domain/healing.h"

#include <algorithm>
#include <array>

#include "base/units.h"

namespace gyre {
namespace {

constexpr Duration kSpanMax = seconds(366LL * 86'400);
constexpr std::size_t kRulesMax = 50;

constexpr std::array<std::string_view, kSymptomCount> kSymptoms{
    "application_fault", "device_fault", "unknown_gpu_error", "node_lost",
    "start_refused",     "task_stalled", "task_failed",       "journal_damaged",
    "storage_full",      "store_away",   "leader_lost"};
constexpr std::array<std::string_view, kSymptomCount> kDiagnoses{
    "a mistake of the program; the device is sound",
    "the device or its driver; it cannot be trusted",
    "not known; the device is not trusted until it has been quiet",
    "the machine, its network or its agent is down",
    "the node cannot start tasks, or not this one",
    "the program waits for ever, or the device or the network under it hangs",
    "the program ended with an error",
    "the disk of the server, or a power cut while it wrote",
    "the disk of the server's state folder has no room left",
    "the database of the journal, or the network to it, was down",
    "the server that led, its machine or its network is down"};
constexpr std::array<std::string_view, 3> kRemedies{"note", "quarantine", "evacuate"};
constexpr std::array<std::string_view, 6> kOutcomes{"noted",     "open",   "held",
                                                    "recovered", "undone", "ended"};

Result<void> check(const HealingRule& rule, std::size_t index) {
  if (rule.times < 1 || rule.times > static_cast<std::int32_t>(kSightingsMax)) {
    return fail(ErrorKind::Invalid, "rules[{}].times: expected 1 to {}, found {}", index,
                kSightingsMax, rule.times);
  }
  if (rule.within.ns <= 0 || rule.within > kSpanMax) {
    return fail(ErrorKind::Invalid, "rules[{}].within: expected above 0 and at most a year", index);
  }
  return {};
}

}  // namespace

std::string_view to_string(Symptom symptom) { return kSymptoms[static_cast<std::size_t>(symptom)]; }
std::string_view diagnosis(Symptom symptom) {
  return kDiagnoses[static_cast<std::size_t>(symptom)];
}
std::string_view to_string(Remedy remedy) { return kRemedies[static_cast<std::size_t>(remedy)]; }
std::string_view to_string(Incident::Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

HealingSpec default_healing() {
  HealingSpec spec;
  const Duration day = seconds(86'400);
  spec.rules = {{Symptom::DeviceFault, 1, day, Remedy::Evacuate},
                {Symptom::UnknownGpuError, 1, day, Remedy::Quarantine},
                {Symptom::NodeLost, 3, day, Remedy::Quarantine},
                {Symptom::StartRefused, 3, seconds(600), Remedy::Quarantine},
                {Symptom::TaskStalled, 2, day, Remedy::Quarantine}};
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
      if (a.on != b.on || a.times != b.times || a.within != b.within || a.then == b.then) continue;
      return fail(ErrorKind::Invalid,
                  "rules[{}] contradicts rules[{}]: the same {} of {} leads to '{}' and to '{}'", i,
                  j, b.times, to_string(b.on), to_string(a.then), to_string(b.then));
    }
  }
  for (const Duration span : {spec.quarantine, spec.quarantine_max, spec.remember}) {
    if (span.ns > 0 && span <= kSpanMax) continue;
    return fail(ErrorKind::Invalid,
                "a quarantine or a memory of {} is out of bounds; above 0 and "
                "at most a year is possible",
                format_duration(span));
  }
  if (spec.quarantine > spec.quarantine_max) {
    return fail(ErrorKind::Invalid, "quarantine is longer than quarantine_max");
  }
  for (const std::int32_t percent : {spec.quarantined_percent_max, spec.backoff_jitter_percent}) {
    if (percent >= 0 && percent <= 100) continue;
    return fail(ErrorKind::Invalid, "a share of {} % is out of bounds; 0 to 100 is possible",
                percent);
  }
  return {};
}

}  // namespace gyre
