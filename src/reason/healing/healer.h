#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/event.h"
#include "domain/healing.h"

namespace gyre::reason {

/// Turns symptoms into remedies by a playbook, within its bounds, and keeps the incidents. Knows no
/// cluster: it says which nodes are to be taken out of service and put back, and whoever asks does
/// it. Pure; a value type; not thread-safe. Its state is all there is: two with equal states go on
/// alike.
class Healer {
 public:
  /// A node is taken out of service, or put back.
  struct Change {
    NodeId node;
    bool quarantined = false;
    bool evacuate = false;
    std::uint64_t incident = 0;
    Time until;  // if it is taken out
  };
  /// What is to be done on a node as soon as nothing runs there.
  struct Due {
    Repair repair = Repair::None;
    std::int32_t device = -1;  // of a Reset
    std::uint64_t incident = 0;
  };
  using Changes = std::vector<Change>;

  struct Sign {
    Symptom symptom = Symptom::DeviceFault;
    std::string evidence;
    std::int32_t xid = 0;
    std::optional<JobId> job{};  // whose task showed it: the fault may be the job's own
    std::int32_t device = -1;    // the GPU that showed it
  };

  void configure(const HealingSpec& spec);
  /// What was held back, as far as it may be done by now.
  Changes reconsider(Time now);
  bool active() const { return !state_.spec.rules.empty(); }
  void node_joined() { state_.nodes.emplace_back(); }

  /// A symptom of a node. The same of one job again counts once, as of the last time: a job that
  /// cannot start anywhere condemns no node. While an incident of it is open it is a repeat; of
  /// tasks that hang each is an incident. Requires: the node joined.
  Changes sees(NodeId node, const Sign& sign, Time now);

  /// Something of a node that nothing is to be done about any more; kept with or without rules.
  void note(NodeId node, const Sign& sign, Time now);

  /// Whether it is in an incident already that this device of the node has fallen off the bus: one
  /// that is not over, or not older than a minute. Xid 79 and a probe's own look tell of the same.
  bool knows_fall(NodeId node, std::int32_t device, Time now) const;
  /// All devices of the node answer again: closes what their silence opened.
  void gpus_known(NodeId node, Time now);

  /// The job is told to leave the incident's node for it.
  void moves(std::uint64_t incident, JobId job, Keeping kept);

  /// Nodes in quarantine with repairs that have not begun, by id.
  const std::vector<NodeId>& to_repair() const { return to_repair_; }
  /// The next of that node. One at a time, each once for an incident, none after one that failed;
  /// the burn-in last, when the quarantine's time is over. nullopt: none for now.
  std::optional<Due> next_repair(NodeId node) const;
  /// It was ordered by that command.
  void repair_begins(NodeId node, const Due& due, CommandId command, Time now);
  /// What came of it. The node comes back if that was all it waited for, and waits for a person if
  /// it was not good. Nothing, if it is not that node's latest.
  Changes repair_ended(const RepairEnded& event, Time now);
  /// Whether its machine is being started anew, so that it will not be heard of.
  bool reboots(NodeId node) const;

  /// The node is there again: closes what its loss opened.
  void node_back(NodeId node, Time now);

  /// A person wants it in service, whatever it has shown; its history is forgotten.
  Changes put_back(NodeId node, Time now);

  /// A job's attempt ended and it will be tried again; `job_runs` closes it.
  void job_interrupted(JobId job, const Sign& sign, Time now);
  void job_runs(JobId job, Time now) { close_job(job, Incident::Outcome::Recovered, now); }
  void job_over(JobId job, Time now) { close_job(job, Incident::Outcome::Ended, now); }

  /// The server's own store was of no use from `since` on, and is again; kept with or without
  /// rules.
  void store_healed(const Sign& sign, Time since, Time now);

  /// What is due: quarantines that are over, and symptoms that are forgotten.
  Changes wake(Time now);
  std::optional<Time> next_wakeup() const { return next_; }

  /// Whether others are preferred to it.
  bool suspect(NodeId node) const { return !health(node).seen.empty(); }
  /// `backoff` with this job's jitter: between it and it and the playbook's share more.
  Duration with_jitter(Duration backoff, JobId job, std::int32_t retry) const;

  const HealingSpec& spec() const { return state_.spec; }
  const NodeHealth& health(NodeId node) const { return state_.nodes[node.value]; }
  const std::vector<Incident>& incidents() const { return state_.incidents; }
  HealingState state() const;
  /// Errors: another number of nodes, incidents out of order.
  Result<void> restore(const HealingState& state, std::size_t nodes);

 private:
  NodeHealth& health_of(NodeId node) { return state_.nodes[node.value]; }
  HealingRule answer_to(const NodeHealth& health, const Sign& sign, Time now) const;
  Incident& incident_of(NodeId node, const Sign& sign, const HealingRule& answer, Time now);
  Incident& open(const Sign& sign, Time now);
  Incident* open_of(NodeId node, Symptom symptom);
  Incident* open_of(JobId job);
  void close(Incident& incident, Incident::Outcome outcome, Time now);
  void close_job(JobId job, Incident::Outcome outcome, Time now);
  bool may_quarantine(Time now) const;
  void note_taken(Time now);
  void forget_taken(Time now);
  Change quarantine(Incident& incident, Time now);
  bool waits_for_repairs(NodeId node) const;
  Change release(NodeId node, Time now);
  Change give_up(NodeId node, Time now);
  Incident* find(std::uint64_t incident);
  void close_all(NodeId node, Incident::Outcome outcome, Time now);
  void apply_held(Time now, Changes& changes);
  bool matters(const Sign& sign) const;
  void forget_old(NodeHealth& health, Time now) const;
  void plan_wakeup();

  HealingState state_;
  // Follow from the state.
  std::optional<Time> next_;  // when something is due
  std::vector<NodeId> to_repair_;
};

}  // namespace gyre::reason
