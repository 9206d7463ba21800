#pragma once

#include <array>
#include <string_view>
#include <tuple>

#include "codec/field.h"
#include "domain/command.h"
#include "domain/event.h"
#include "domain/healing.h"

/// The recorded types of healing; see fields.h.
namespace gyre::codec {

template <>
struct EnumNames<Symptom> {
  static constexpr std::array<std::string_view, kSymptomCount> list{
      "application_fault", "device_fault",    "unknown_gpu_error", "node_lost",
      "start_refused",     "task_stalled",    "task_failed",       "gpu_unknown",
      "task_unrecorded",   "journal_damaged", "storage_full",      "store_away",
      "leader_lost"};
};
template <>
struct EnumNames<Remedy> {
  static constexpr std::array<std::string_view, 5> list{"note", "quarantine", "evacuate", "cordon",
                                                        "drain"};
};
template <>
struct EnumNames<Incident::Outcome> {
  static constexpr std::array<std::string_view, 7> list{"noted",  "open",  "held",  "recovered",
                                                        "undone", "ended", "failed"};
};
template <>
struct EnumNames<Repair> {
  static constexpr std::array<std::string_view, 5> list{"none", "reset", "reboot", "replace",
                                                        "burn-in"};
};
template <>
struct Fields<HealingRule> {
  static constexpr std::tuple list{
      Field{"on", &HealingRule::on},           Field{"times", &HealingRule::times},
      Field{"within", &HealingRule::within},   Field{"then", &HealingRule::then},
      Field{"xid", &HealingRule::xid},         Field{"repair", &HealingRule::repair},
      Field{"burn_in", &HealingRule::burn_in}, Field{"playbook", &HealingRule::playbook}};
};
template <>
struct Fields<HealingSpec> {
  static constexpr std::tuple list{
      Field{"name", &HealingSpec::name},
      Field{"rules", &HealingSpec::rules},
      Field{"quarantine", &HealingSpec::quarantine},
      Field{"quarantine_max", &HealingSpec::quarantine_max},
      Field{"quarantined_percent_max", &HealingSpec::quarantined_percent_max},
      Field{"quarantines_per_hour_max", &HealingSpec::quarantines_per_hour_max},
      Field{"remember", &HealingSpec::remember},
      Field{"backoff_jitter_percent", &HealingSpec::backoff_jitter_percent},
      Field{"repair_max", &HealingSpec::repair_max}};
};
template <>
struct Fields<NodeHealth::Sighting> {
  static constexpr std::tuple list{
      Field{"symptom", &NodeHealth::Sighting::symptom}, Field{"at", &NodeHealth::Sighting::at},
      Field{"job", &NodeHealth::Sighting::job}, Field{"xid", &NodeHealth::Sighting::xid}};
};
template <>
struct Fields<RepairUnderway> {
  static constexpr std::tuple list{
      Field{"repair", &RepairUnderway::repair}, Field{"device", &RepairUnderway::device},
      Field{"command", &RepairUnderway::command}, Field{"incident", &RepairUnderway::incident},
      Field{"at", &RepairUnderway::at}};
};
template <>
struct Fields<NodeHealth> {
  static constexpr std::tuple list{Field{"seen", &NodeHealth::seen},
                                   Field{"quarantined_until", &NodeHealth::quarantined_until},
                                   Field{"quarantines", &NodeHealth::quarantines},
                                   Field{"underway", &NodeHealth::underway},
                                   Field{"rested", &NodeHealth::rested},
                                   Field{"given_up", &NodeHealth::given_up}};
};
template <>
struct Fields<RepairStep> {
  static constexpr std::tuple list{
      Field{"repair", &RepairStep::repair}, Field{"device", &RepairStep::device},
      Field{"at", &RepairStep::at},         Field{"ended_at", &RepairStep::ended_at},
      Field{"good", &RepairStep::good},     Field{"detail", &RepairStep::detail}};
};
template <>
struct EnumNames<Keeping> {
  static constexpr std::array<std::string_view, 3> list{"nothing", "last_checkpoint",
                                                        "checkpoint_signal"};
};
template <>
struct Fields<Move> {
  static constexpr std::tuple list{Field{"job", &Move::job}, Field{"kept", &Move::kept}};
};
template <>
struct Fields<Incident> {
  static constexpr std::tuple list{Field{"id", &Incident::id},
                                   Field{"symptom", &Incident::symptom},
                                   Field{"node", &Incident::node},
                                   Field{"job", &Incident::job},
                                   Field{"xid", &Incident::xid},
                                   Field{"evidence", &Incident::evidence},
                                   Field{"remedy", &Incident::remedy},
                                   Field{"outcome", &Incident::outcome},
                                   Field{"at", &Incident::at},
                                   Field{"closed_at", &Incident::closed_at},
                                   Field{"repeats", &Incident::repeats},
                                   Field{"repair", &Incident::repair},
                                   Field{"burn_in", &Incident::burn_in},
                                   Field{"devices", &Incident::devices},
                                   Field{"steps", &Incident::steps},
                                   Field{"moved", &Incident::moved},
                                   Field{"playbook", &Incident::playbook}};
};
template <>
struct Fields<HealingState> {
  static constexpr std::tuple list{
      Field{"spec", &HealingState::spec}, Field{"nodes", &HealingState::nodes},
      Field{"incidents", &HealingState::incidents},
      Field{"last_incident", &HealingState::last_incident}, Field{"taken", &HealingState::taken}};
};
template <>
struct Fields<HealingSet> {
  static constexpr std::tuple list{Field{"healing", &HealingSet::healing}};
};
template <>
struct Fields<RepairEnded> {
  static constexpr std::tuple list{
      Field{"node", &RepairEnded::node}, Field{"command", &RepairEnded::command},
      Field{"good", &RepairEnded::good}, Field{"detail", &RepairEnded::detail}};
};
template <>
struct Fields<RepairNode> {
  static constexpr std::tuple list{
      Field{"node", &RepairNode::node},         Field{"repair", &RepairNode::repair},
      Field{"device", &RepairNode::device},     Field{"incident", &RepairNode::incident},
      Field{"asked_at", &RepairNode::asked_at}, Field{"limit", &RepairNode::limit}};
};
template <>
struct EnumNames<GpuHealth> {
  static constexpr std::array<std::string_view, 3> list{"ok", "unknown", "lost"};
};
template <>
struct Fields<GpuTroubles> {
  static constexpr std::tuple list{Field{"unknown", &GpuTroubles::unknown},
                                   Field{"lost", &GpuTroubles::lost}};
};
template <>
struct Fields<GpuHealthSeen> {
  static constexpr std::tuple list{Field{"node", &GpuHealthSeen::node},
                                   Field{"device", &GpuHealthSeen::device},
                                   Field{"health", &GpuHealthSeen::health}};
};
template <>
struct Fields<OrphansEnded> {
  static constexpr std::tuple list{Field{"node", &OrphansEnded::node},
                                   Field{"tasks", &OrphansEnded::tasks}};
};
template <>
struct TypeName<GpuHealthSeen> {
  static constexpr std::string_view value = "gpu_health_seen";
};
template <>
struct TypeName<OrphansEnded> {
  static constexpr std::string_view value = "orphans_ended";
};
template <>
struct TypeName<RepairEnded> {
  static constexpr std::string_view value = "repair_ended";
};
template <>
struct TypeName<RepairNode> {
  static constexpr std::string_view value = "repair_node";
};
template <>
struct TypeName<HealingSet> {
  static constexpr std::string_view value = "healing_set";
};

}  // namespace gyre::codec
