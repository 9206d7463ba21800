#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include "codec/field.h"
#include "codec/healing_fields.h"
#include "codec/image_fields.h"
#include "codec/money_fields.h"
#include "codec/queue_fields.h"
#include "codec/replacement_fields.h"
#include "codec/service_fields.h"
#include "domain/command.h"
#include "domain/controller_state.h"
#include "domain/event.h"
#include "domain/job.h"

/// The one description of the recorded types, from which both directions follow. Names and defaults
/// here are a file format: a field may be added, none renamed, and no default changed (the golden
/// journals under tests/replay/ watch over it).
namespace gyre::codec {

template <>
struct EnumNames<PolicySpec::Order> {
  static constexpr std::array<std::string_view, 7> list{"fifo", "priority", "sjf", "srtf",
                                                        "qssf", "tiresias", "gyre"};
};
template <>
struct EnumNames<PolicySpec::Backfill> {
  static constexpr std::array<std::string_view, 4> list{"none", "easy", "greedy", "conservative"};
};
template <>
struct EnumNames<PolicySpec::Durations> {
  static constexpr std::array<std::string_view, 2> list{"declared", "learned"};
};
template <>
struct EnumNames<PolicySpec::Placement> {
  static constexpr std::array<std::string_view, 8> list{
      "best_fit",          "random", "dot_product", "gpu_clustering", "gpu_packing",
      "weighted_best_fit", "fgd",    "lookahead"};
};
template <>
struct EnumNames<StartRule> {
  static constexpr std::array<std::string_view, 2> list{"head_of_line", "backfill"};
};
template <>
struct EnumNames<NodeDuty> {
  static constexpr std::array<std::string_view, 3> list{"open", "cordoned", "draining"};
};
template <>
struct EnumNames<Sharing> {
  static constexpr std::array<std::string_view, kSharingCount> list{"auto", "exclusive", "mps",
                                                                    "mig", "timeslice"};
};
template <>
struct EnumNames<TaskState> {
  static constexpr std::array<std::string_view, 3> list{"starting", "running", "ended"};
};
template <>
struct EnumNames<TaskExit::Kind> {
  static constexpr std::array<std::string_view, 4> list{"exited", "signaled", "start_failed",
                                                        "lost"};
};
template <>
struct EnumNames<JobState> {
  static constexpr std::array<std::string_view, kJobStateCount> list{
      "queued",   "starting",  "running", "preempting",
      "stopping", "succeeded", "failed",  "cancelled"};
};
template <>
struct EnumNames<Termination> {
  static constexpr std::array<std::string_view, 12> list{
      "none",         "completed",         "task_failed", "start_refused", "node_lost", "preempted",
      "user_request", "deadline_exceeded", "never_fits",  "misconfigured", "retired",   "idle"};
};

template <>
struct Fields<PolicySpec> {
  static constexpr std::tuple list{Field{"name", &PolicySpec::name},
                                   Field{"order", &PolicySpec::order},
                                   Field{"backfill", &PolicySpec::backfill},
                                   Field{"preemption", &PolicySpec::preemption},
                                   Field{"placement", &PolicySpec::placement},
                                   Field{"durations", &PolicySpec::durations},
                                   Field{"run_min", &PolicySpec::run_min},
                                   Field{"preemptions_max", &PolicySpec::preemptions_max},
                                   Field{"restart_cost", &PolicySpec::restart_cost},
                                   Field{"gain_min_percent", &PolicySpec::gain_min_percent},
                                   Field{"starve_after", &PolicySpec::starve_after},
                                   Field{"level_gpu_seconds", &PolicySpec::level_gpu_seconds}};
};
template <>
struct EnumNames<TopologyLevel> {
  static constexpr std::array<std::string_view, kTopologyLevels + 1> list{"region", "zone", "rack",
                                                                          "nvlink", "node"};
};
template <>
struct EnumNames<Balance> {
  static constexpr std::array<std::string_view, 3> list{"none", "spread", "pack"};
};
template <>
struct Fields<PlacementRules> {
  static constexpr std::tuple list{Field{"group", &PlacementRules::group},
                                   Field{"max_per_node", &PlacementRules::max_per_node},
                                   Field{"balance", &PlacementRules::balance},
                                   Field{"level", &PlacementRules::level},
                                   Field{"near", &PlacementRules::near},
                                   Field{"apart", &PlacementRules::apart}};
};
template <>
struct Fields<Topology> {
  static constexpr std::tuple list{Field{"level", &Topology::level},
                                   Field{"required", &Topology::required}};
};
template <>
struct Fields<Location> {
  static constexpr std::tuple list{Field{"region", &Location::region},
                                   Field{"zone", &Location::zone}, Field{"rack", &Location::rack},
                                   Field{"nvlink", &Location::nvlink}};
};
template <>
struct Fields<NodeSpec> {
  static constexpr std::tuple list{Field{"name", &NodeSpec::name},
                                   Field{"partition", &NodeSpec::partition},
                                   Field{"gpu_model", &NodeSpec::gpu_model},
                                   Field{"gpus", &NodeSpec::gpus},
                                   Field{"gpu_memory", &NodeSpec::gpu_memory},
                                   Field{"cpu", &NodeSpec::cpu},
                                   Field{"memory", &NodeSpec::memory},
                                   Field{"virtual_gpus", &NodeSpec::virtual_gpus},
                                   Field{"gpu_sharing", &NodeSpec::gpu_sharing},
                                   Field{"location", &NodeSpec::location}};
};
template <>
struct Fields<Request> {
  static constexpr std::tuple list{Field{"gpus", &Request::gpus},
                                   Field{"gpu_milli", &Request::gpu_milli},
                                   Field{"gpu_memory", &Request::gpu_memory},
                                   Field{"gpu_models", &Request::gpu_models},
                                   Field{"cpu", &Request::cpu},
                                   Field{"memory", &Request::memory},
                                   Field{"sharing", &Request::sharing}};
};
template <>
struct Fields<TaskGroup> {
  static constexpr std::tuple list{Field{"count", &TaskGroup::count},
                                   Field{"request", &TaskGroup::request}};
};
template <>
struct Fields<Checkpoint> {
  static constexpr std::tuple list{
      Field{"path", &Checkpoint::path}, Field{"interval", &Checkpoint::interval},
      Field{"signal", &Checkpoint::signal}, Field{"grace", &Checkpoint::grace}};
};
template <>
struct Fields<Retry> {
  static constexpr std::tuple list{Field{"on_error", &Retry::on_error},
                                   Field{"on_interruption", &Retry::on_interruption},
                                   Field{"on_no_capacity", &Retry::on_no_capacity},
                                   Field{"retries_max", &Retry::retries_max},
                                   Field{"backoff", &Retry::backoff},
                                   Field{"backoff_max", &Retry::backoff_max},
                                   Field{"on_node_loss", &Retry::on_node_loss}};
};
template <>
struct EnumNames<ContainerSpec::Network> {
  static constexpr std::array<std::string_view, 2> list{"host", "none"};
};
template <>
struct Fields<ContainerSpec::Volume> {
  static constexpr std::tuple list{Field{"source", &ContainerSpec::Volume::source},
                                   Field{"target", &ContainerSpec::Volume::target},
                                   Field{"read_only", &ContainerSpec::Volume::read_only}};
};
template <>
struct Fields<ContainerSpec::Tmpfs> {
  static constexpr std::tuple list{Field{"path", &ContainerSpec::Tmpfs::path},
                                   Field{"size", &ContainerSpec::Tmpfs::size}};
};
template <>
struct Fields<ContainerSpec> {
  static constexpr std::tuple list{Field{"image", &ContainerSpec::image},
                                   Field{"user", &ContainerSpec::user},
                                   Field{"writable_root", &ContainerSpec::writable_root},
                                   Field{"network", &ContainerSpec::network},
                                   Field{"volumes", &ContainerSpec::volumes},
                                   Field{"tmpfs", &ContainerSpec::tmpfs},
                                   Field{"secrets", &ContainerSpec::secrets},
                                   Field{"registry_login", &ContainerSpec::registry_login},
                                   Field{"devices", &ContainerSpec::devices}};
};
template <>
struct Fields<Launch> {
  static constexpr std::tuple list{Field{"command", &Launch::command},
                                   Field{"env", &Launch::env},
                                   Field{"working_directory", &Launch::working_directory},
                                   Field{"container", &Launch::container},
                                   Field{"trace_parent", &Launch::trace_parent},
                                   Field{"artifacts", &Launch::artifacts},
                                   Field{"ports", &Launch::ports}};
};
template <>
struct Fields<StartStages> {
  static constexpr std::tuple list{
      Field{"received", &StartStages::received}, Field{"image", &StartStages::image},
      Field{"root", &StartStages::root},         Field{"create", &StartStages::create},
      Field{"init", &StartStages::init},         Field{"ready", &StartStages::ready},
      Field{"warm", &StartStages::warm},         Field{"port", &StartStages::port},
      Field{"ports", &StartStages::ports}};
};
template <>
struct Fields<Progress> {
  static constexpr std::tuple list{Field{"heartbeat", &Progress::heartbeat},
                                   Field{"line", &Progress::line}};
};
template <>
struct Fields<JobSpec> {
  static constexpr std::tuple list{Field{"name", &JobSpec::name},
                                   Field{"tenant", &JobSpec::tenant},
                                   Field{"queue", &JobSpec::queue},
                                   Field{"priority", &JobSpec::priority},
                                   Field{"preemptible", &JobSpec::preemptible},
                                   Field{"tasks", &JobSpec::tasks},
                                   Field{"topology", &JobSpec::topology},
                                   Field{"placement", &JobSpec::placement},
                                   Field{"expected_duration", &JobSpec::expected_duration},
                                   Field{"deadline", &JobSpec::deadline},
                                   Field{"checkpoint", &JobSpec::checkpoint},
                                   Field{"progress", &JobSpec::progress},
                                   Field{"retry", &JobSpec::retry},
                                   Field{"launch", &JobSpec::launch}};
};
template <>
struct Fields<Allocation> {
  static constexpr std::tuple list{
      Field{"devices", &Allocation::devices}, Field{"gpu_milli", &Allocation::gpu_milli},
      Field{"cpu", &Allocation::cpu},         Field{"memory", &Allocation::memory},
      Field{"sharing", &Allocation::sharing}, Field{"group", &Allocation::group}};
};
template <>
struct Fields<TaskPlacement> {
  static constexpr std::tuple list{Field{"rank", &TaskPlacement::rank},
                                   Field{"node", &TaskPlacement::node},
                                   Field{"allocation", &TaskPlacement::allocation}};
};
template <>
struct Fields<TaskExit> {
  static constexpr std::tuple list{Field{"kind", &TaskExit::kind}, Field{"code", &TaskExit::code},
                                   Field{"stopped", &TaskExit::stopped},
                                   Field{"message", &TaskExit::message},
                                   Field{"ended_at", &TaskExit::ended_at}};
};
template <>
struct Fields<Job> {
  static constexpr std::tuple list{Field{"id", &Job::id},
                                   Field{"spec", &Job::spec},
                                   Field{"submission_key", &Job::submission_key},
                                   Field{"last_command", &Job::last_command},
                                   Field{"state", &Job::state},
                                   Field{"submitted_at", &Job::submitted_at},
                                   Field{"state_since", &Job::state_since},
                                   Field{"first_started_at", &Job::first_started_at},
                                   Field{"attempt_started_at", &Job::attempt_started_at},
                                   Field{"hold_until", &Job::hold_until},
                                   Field{"attempt", &Job::attempt},
                                   Field{"retries", &Job::retries},
                                   Field{"preemptions", &Job::preemptions},
                                   Field{"ran", &Job::ran},
                                   Field{"kept", &Job::kept},
                                   Field{"batch", &Job::batch},
                                   Field{"preempted_for", &Job::preempted_for},
                                   Field{"placement", &Job::placement},
                                   Field{"tasks", &Job::tasks},
                                   Field{"ports", &Job::ports},
                                   Field{"attempts", &Job::attempts},
                                   Field{"ending", &Job::ending},
                                   Field{"exit", &Job::exit},
                                   Field{"start", &Job::start},
                                   Field{"service", &Job::service},
                                   Field{"revision", &Job::revision}};
};

template <>
struct Fields<Tick> {
  static constexpr std::tuple<> list{};
};
template <>
struct Fields<PolicySet> {
  static constexpr std::tuple list{Field{"policy", &PolicySet::policy}};
};
template <>
struct Fields<QueueSet> {
  static constexpr std::tuple list{Field{"queue", &QueueSet::queue}};
};
template <>
struct Fields<NodeJoined> {
  static constexpr std::tuple list{Field{"node", &NodeJoined::node},
                                   Field{"spec", &NodeJoined::spec}};
};
template <>
struct Fields<NodeLost> {
  static constexpr std::tuple list{Field{"node", &NodeLost::node},
                                   Field{"cause", &NodeLost::cause}};
};
template <>
struct Fields<NodeReturned> {
  static constexpr std::tuple list{Field{"node", &NodeReturned::node}};
};
template <>
struct Fields<NodeDutySet> {
  static constexpr std::tuple list{Field{"node", &NodeDutySet::node},
                                   Field{"duty", &NodeDutySet::duty}};
};
template <>
struct Fields<NodeContact> {
  static constexpr std::tuple list{Field{"node", &NodeContact::node},
                                   Field{"silent", &NodeContact::silent}};
};
template <>
struct Fields<JobSubmitted> {
  static constexpr std::tuple list{Field{"job", &JobSubmitted::job},
                                   Field{"spec", &JobSubmitted::spec},
                                   Field{"submission_key", &JobSubmitted::submission_key}};
};
template <>
struct Fields<JobStopRequested> {
  static constexpr std::tuple list{Field{"job", &JobStopRequested::job}};
};
template <>
struct Fields<TaskStarted> {
  static constexpr std::tuple list{
      Field{"job", &TaskStarted::job}, Field{"attempt", &TaskStarted::attempt},
      Field{"rank", &TaskStarted::rank}, Field{"stages", &TaskStarted::stages}};
};
template <>
struct Fields<TaskEnded> {
  static constexpr std::tuple list{
      Field{"job", &TaskEnded::job}, Field{"attempt", &TaskEnded::attempt},
      Field{"rank", &TaskEnded::rank}, Field{"exit", &TaskEnded::exit}};
};
template <>
struct Fields<GpuErrorSeen> {
  static constexpr std::tuple list{Field{"node", &GpuErrorSeen::node},
                                   Field{"device", &GpuErrorSeen::device},
                                   Field{"xid", &GpuErrorSeen::xid}};
};
template <>
struct Fields<TaskStalled> {
  static constexpr std::tuple list{
      Field{"job", &TaskStalled::job}, Field{"attempt", &TaskStalled::attempt},
      Field{"rank", &TaskStalled::rank}, Field{"idle", &TaskStalled::idle}};
};
template <>
struct Fields<StoreHealed> {
  static constexpr std::tuple list{Field{"symptom", &StoreHealed::symptom},
                                   Field{"since", &StoreHealed::since},
                                   Field{"evidence", &StoreHealed::evidence}};
};
template <>
struct Fields<WorkBudgetSet> {
  static constexpr std::tuple list{Field{"work", &WorkBudgetSet::work}};
};
template <>
struct Fields<PriceSet> {
  static constexpr std::tuple list{Field{"prices", &PriceSet::prices}};
};
template <>
struct Fields<IdleSet> {
  static constexpr std::tuple list{Field{"idle", &IdleSet::idle}};
};
template <>
struct Fields<GpuUseSeen> {
  static constexpr std::tuple list{Field{"use", &GpuUseSeen::use}};
};
template <>
struct Fields<Event> {
  static constexpr std::tuple list{Field{"at", &Event::at}, Field{"seq", &Event::seq},
                                   Field{"type", &Event::body}};
};

template <>
struct Fields<StartGang> {
  static constexpr std::tuple list{
      Field{"job", &StartGang::job}, Field{"attempt", &StartGang::attempt},
      Field{"placement", &StartGang::placement}, Field{"rule", &StartGang::rule},
      Field{"with_image", &StartGang::with_image}};
};
template <>
struct Fields<StopGang> {
  static constexpr std::tuple list{
      Field{"job", &StopGang::job}, Field{"attempt", &StopGang::attempt},
      Field{"cause", &StopGang::cause}, Field{"beneficiary", &StopGang::beneficiary},
      Field{"grace", &StopGang::grace}};
};
template <>
struct Fields<QuarantineNode> {
  static constexpr std::tuple list{
      Field{"node", &QuarantineNode::node}, Field{"until", &QuarantineNode::until},
      Field{"evacuate", &QuarantineNode::evacuate}, Field{"incident", &QuarantineNode::incident}};
};
template <>
struct Fields<ReleaseNode> {
  static constexpr std::tuple list{Field{"node", &ReleaseNode::node},
                                   Field{"incident", &ReleaseNode::incident}};
};
template <>
struct Fields<Command> {
  static constexpr std::tuple list{Field{"id", &Command::id}, Field{"type", &Command::body}};
};
template <>
struct Fields<Transition> {
  static constexpr std::tuple list{
      Field{"at", &Transition::at},           Field{"job", &Transition::job},
      Field{"attempt", &Transition::attempt}, Field{"from", &Transition::from},
      Field{"to", &Transition::to},           Field{"cause", &Transition::cause}};
};

template <>
struct Fields<DemandKind> {
  static constexpr std::tuple list{Field{"request", &DemandKind::request},
                                   Field{"tasks", &DemandKind::tasks}};
};
template <>
struct Fields<DemandMix> {
  static constexpr std::tuple list{Field{"seen", &DemandMix::seen},
                                   Field{"tasks_seen", &DemandMix::tasks_seen},
                                   Field{"tasks_unpublished", &DemandMix::tasks_unpublished},
                                   Field{"published", &DemandMix::published}};
};
template <>
struct Fields<NodeState> {
  static constexpr std::tuple list{
      Field{"spec", &NodeState::spec}, Field{"up", &NodeState::up}, Field{"duty", &NodeState::duty},
      Field{"silent", &NodeState::silent}, Field{"gpu_troubles", &NodeState::gpu_troubles}};
};
template <>
struct Fields<Reservation::Spare> {
  static constexpr std::tuple list{Field{"cpu", &Reservation::Spare::cpu},
                                   Field{"memory", &Reservation::Spare::memory}};
};
template <>
struct Fields<Reservation> {
  static constexpr std::tuple list{Field{"job", &Reservation::job}, Field{"at", &Reservation::at},
                                   Field{"placement", &Reservation::placement},
                                   Field{"free_then", &Reservation::free_then},
                                   Field{"claimed", &Reservation::claimed}};
};
template <>
struct Fields<RunTimeHistory::Kind> {
  static constexpr std::tuple list{Field{"name", &RunTimeHistory::Kind::name},
                                   Field{"batch", &RunTimeHistory::Kind::batch},
                                   Field{"used_at", &RunTimeHistory::Kind::used_at},
                                   Field{"weights", &RunTimeHistory::Kind::weights}};
};
template <>
struct Fields<RunTimeHistory::Batch> {
  static constexpr std::tuple list{Field{"first", &RunTimeHistory::Batch::first},
                                   Field{"kind", &RunTimeHistory::Batch::kind},
                                   Field{"weights", &RunTimeHistory::Batch::weights}};
};
template <>
struct Fields<RunTimeHistory> {
  static constexpr std::tuple list{Field{"kinds", &RunTimeHistory::kinds},
                                   Field{"batches", &RunTimeHistory::batches}};
};
/// All but `jobs`, which are written in parts of their own.
template <>
struct Fields<ControllerState> {
  static constexpr std::tuple list{Field{"seq", &ControllerState::seq},
                                   Field{"now", &ControllerState::now},
                                   Field{"last_command", &ControllerState::last_command},
                                   Field{"last_job", &ControllerState::last_job},
                                   Field{"policy", &ControllerState::policy},
                                   Field{"partitions", &ControllerState::partitions},
                                   Field{"queues", &ControllerState::queues},
                                   Field{"nodes", &ControllerState::nodes},
                                   Field{"reservations", &ControllerState::reservations},
                                   Field{"run_times", &ControllerState::run_times},
                                   Field{"demand_mix", &ControllerState::demand_mix},
                                   Field{"healing", &ControllerState::healing},
                                   Field{"queue_usages", &ControllerState::queue_usages},
                                   Field{"admissions", &ControllerState::admissions},
                                   Field{"last_admission", &ControllerState::last_admission},
                                   Field{"services", &ControllerState::services},
                                   Field{"cycle_work_max", &ControllerState::cycle_work_max},
                                   Field{"ledger", &ControllerState::ledger},
                                   Field{"idle", &ControllerState::idle},
                                   Field{"images", &ControllerState::images},
                                   Field{"image_fetches", &ControllerState::image_fetches},
                                   Field{"stops", &ControllerState::stops},
                                   Field{"starts", &ControllerState::starts}};
};

template <>
struct TypeName<Tick> {
  static constexpr std::string_view value = "tick";
};
template <>
struct TypeName<PolicySet> {
  static constexpr std::string_view value = "policy_set";
};
template <>
struct TypeName<QueueSet> {
  static constexpr std::string_view value = "queue_set";
};
template <>
struct TypeName<NodeJoined> {
  static constexpr std::string_view value = "node_joined";
};
template <>
struct TypeName<NodeLost> {
  static constexpr std::string_view value = "node_lost";
};
template <>
struct TypeName<NodeReturned> {
  static constexpr std::string_view value = "node_returned";
};
template <>
struct TypeName<NodeDutySet> {
  static constexpr std::string_view value = "node_duty_set";
};
template <>
struct TypeName<NodeContact> {
  static constexpr std::string_view value = "node_contact";
};
template <>
struct TypeName<JobSubmitted> {
  static constexpr std::string_view value = "job_submitted";
};
template <>
struct TypeName<JobStopRequested> {
  static constexpr std::string_view value = "job_stop_requested";
};
template <>
struct TypeName<TaskStarted> {
  static constexpr std::string_view value = "task_started";
};
template <>
struct TypeName<TaskEnded> {
  static constexpr std::string_view value = "task_ended";
};
template <>
struct TypeName<GpuErrorSeen> {
  static constexpr std::string_view value = "gpu_error_seen";
};
template <>
struct TypeName<TaskStalled> {
  static constexpr std::string_view value = "task_stalled";
};
template <>
struct TypeName<WorkBudgetSet> {
  static constexpr std::string_view value = "work_budget_set";
};
template <>
struct TypeName<StoreHealed> {
  static constexpr std::string_view value = "store_healed";
};
template <>
struct TypeName<PriceSet> {
  static constexpr std::string_view value = "price_set";
};
template <>
struct TypeName<IdleSet> {
  static constexpr std::string_view value = "idle_set";
};
template <>
struct TypeName<GpuUseSeen> {
  static constexpr std::string_view value = "gpu_use_seen";
};
template <>
struct TypeName<QuarantineNode> {
  static constexpr std::string_view value = "quarantine_node";
};
template <>
struct TypeName<ReleaseNode> {
  static constexpr std::string_view value = "release_node";
};
template <>
struct TypeName<StartGang> {
  static constexpr std::string_view value = "start_gang";
};
template <>
struct TypeName<StopGang> {
  static constexpr std::string_view value = "stop_gang";
};

}  // namespace gyre::codec
