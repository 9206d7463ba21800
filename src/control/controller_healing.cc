// What the core does about what is wrong: symptoms in, remedies out.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "control/controller.h"
#include "domain/xid.h"

namespace gyre::control {

void Controller::on(const HealingSet& event) {
  if (!validate(event.healing)) return;
  const std::string standard = HealingSpec{}.name;
  // Before playbooks had names nothing was reconsidered.
  const bool own = healer_.spec().name != standard || event.healing.name != standard;
  healer_.configure(event.healing);
  if (own) heal(healer_.reconsider(now_));
}

void Controller::on(const GpuErrorSeen& event) {
  if (event.node.value >= cluster_.nodes().size()) return;
  const XidMeaning meaning = meaning_of_xid(event.xid);
  if (meaning.harmless) return;
  const bool has_device = event.device >= 0 && event.device < kGpusPerNodeMax;
  const GpuTroubles& troubles = cluster_.node(event.node).gpu_troubles;
  const bool lost = has_device && troubles.of(event.device) == GpuHealth::Lost;
  if (lost && event.xid == kXidOffTheBus && healer_.knows_fall(event.node, event.device, now_)) {
    return;
  }
  see(event.node,
      {meaning.symptom,
       fmt::format("Xid {} of GPU {}: {}", event.xid, event.device, meaning.description),
       event.xid,
       {},
       event.device});
}

/// Nothing new is put on the node while that is not known, or is known to be bad: with or without a
/// playbook, and however many nodes are out.
void Controller::on(const GpuHealthSeen& event) {
  if (event.node.value >= cluster_.nodes().size()) return;
  const Node& node = cluster_.node(event.node);
  if (event.device < 0 || event.device >= node.spec.gpus) return;
  GpuTroubles troubles = node.gpu_troubles;
  if (troubles.of(event.device) == event.health) return;
  troubles.set(event.device, event.health);
  change_node(event.node, [&](NodeId id) { cluster_.set_gpu_troubles(id, troubles); });
  if (troubles.unknown == 0) healer_.gpus_known(event.node, now_);
  const bool fell = event.health == GpuHealth::Lost;
  if (fell && !healer_.knows_fall(event.node, event.device, now_)) {
    see(event.node, {Symptom::DeviceFault,
                     fmt::format("GPU {} is lost, as after Xid {}: {}", event.device, kXidOffTheBus,
                                 meaning_of_xid(kXidOffTheBus).description),
                     kXidOffTheBus,
                     {},
                     event.device});
  }
  // A repair may hold the driver for a while.
  const bool repaired = healer_.active() && healer_.health(event.node).underway.has_value();
  if (event.health != GpuHealth::Unknown || repaired) return;
  see(event.node, {Symptom::GpuUnknown,
                   fmt::format("GPU {} does not answer: nobody can tell how it is", event.device),
                   0,
                   {},
                   event.device});
}

void Controller::on(const OrphansEnded& event) {
  if (event.node.value >= cluster_.nodes().size()) return;
  healer_.note(event.node, {Symptom::TaskUnrecorded, event.tasks, 0}, now_);
}

/// Its attempt is ended, and tried again as after a loss.
void Controller::on(const TaskStalled& event) {
  Job* job = jobs_.find(event.job);
  if (!healer_.active() || job == nullptr) return;
  if (attempt_of(*job, event.rank) != event.attempt) return;
  const auto rank = static_cast<std::size_t>(event.rank);
  if (job->state != JobState::Running || rank >= job->tasks.size()) return;
  if (job->tasks[rank] != TaskState::Running) return;
  const NodeId node = job->placement[rank].node;
  const std::string evidence =
      fmt::format("task {} of job {} made no progress for {} in attempt {}", event.rank,
                  event.job.value, format_duration(event.idle), event.attempt);
  job->exit = {TaskExit::Kind::Lost, 0, false, evidence};
  stop(*job, Termination::TaskFailed);
  see(node, {Symptom::TaskStalled, evidence, 0, event.job});
}

void Controller::on(const StoreHealed& event) {
  healer_.store_healed({event.symptom, event.evidence, 0}, std::min(event.since, now_), now_);
}

void Controller::see(NodeId node, const reason::Healer::Sign& sign) {
  heal(healer_.sees(node, sign, now_));
  if (healer_.active()) cluster_.set_suspect(node, healer_.suspect(node));
}

void Controller::heal(const reason::Healer::Changes& changes) {
  for (const auto& change : changes) {
    change_node(change.node, [&](NodeId id) { cluster_.set_quarantined(id, change.quarantined); });
    if (!change.quarantined) {
      emit(ReleaseNode{change.node, change.incident});
      continue;
    }
    emit(QuarantineNode{change.node, change.until, change.evacuate, change.incident});
    if (change.evacuate) drain(change.node, change.incident);
  }
}

/// A person's word goes before the playbook's.
void Controller::put_back(NodeId node) {
  heal(healer_.put_back(node, now_));
  if (healer_.active()) cluster_.set_suspect(node, healer_.suspect(node));
}

void Controller::wake_healer() {
  heal(healer_.wake(now_));
  for (std::uint32_t i = 0; i < cluster_.nodes().size(); ++i) {
    cluster_.set_suspect({i}, healer_.suspect({i}));
  }
}

/// What the hardware needs, where nothing runs any more and somebody is there to do it.
void Controller::repair_nodes() {
  const std::vector<NodeId> nodes = healer_.to_repair();
  for (const NodeId id : nodes) {
    const Node& node = cluster_.node(id);
    if (!node.up || node.silent || !is_empty(id)) continue;
    const reason::Healer::Due due = *healer_.next_repair(id);
    const CommandId command =
        emit(RepairNode{id, due.repair, due.device, due.incident, now_, healer_.spec().repair_max});
    healer_.repair_begins(id, due, command, now_);
  }
}

/// No task holds anything there.
bool Controller::is_empty(NodeId id) {
  const Node& node = cluster_.node(id);
  if (node.free.cpu != node.spec.cpu || node.free.memory != node.spec.memory) return false;
  for (std::int32_t i = 0; i < node.spec.gpus; ++i) {
    if (node.free.gpu[static_cast<std::size_t>(i)] != kWholeGpu.value) return false;
  }
  const std::vector<JobId> placed = scheduler_.placed(cluster_.shape(node.shape).partition);
  return std::none_of(placed.begin(), placed.end(), [&](JobId job_id) {
    const Job& job = *jobs_.find(job_id);
    for (std::size_t i = 0; i < job.placement.size(); ++i) {
      if (job.placement[i].node == id && job.tasks[i] != TaskState::Ended) return true;
    }
    return false;
  });
}

/// The job was interrupted and will be tried again.
void Controller::note_interruption(const Job& job) {
  const bool stalled =
      job.ending == Termination::TaskFailed && job.exit.kind == TaskExit::Kind::Lost;
  const Symptom symptom = stalled                                   ? Symptom::TaskStalled
                          : job.ending == Termination::NodeLost     ? Symptom::NodeLost
                          : job.ending == Termination::StartRefused ? Symptom::StartRefused
                                                                    : Symptom::TaskFailed;
  const std::string evidence = !job.exit.message.empty()
                                   ? job.exit.message
                                   : fmt::format("exit code {}", job.exit.shell_code());
  healer_.job_interrupted(job.id, {symptom, evidence, 0}, now_);
}

}  // namespace gyre::control
