#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "domain/event.h"
#include "domain/service.h"

namespace gyre::reason {

/// Keeps the services at what is wanted of them: how many replicas, of which revision. Knows no
/// cluster: it says which replicas are to be made and stopped, and whoever asks does it. Pure; a
/// value type; not thread-safe. Its services are all there is: two with equal ones go on alike.
class Services {
 public:
  /// A replica that is to be made; its job is told to created().
  struct Create {
    std::string service;
    std::int32_t revision = 0;
    JobSpec spec;
  };
  /// A replica whose processes are to be halted, or to go on.
  struct Freeze {
    JobId job;
    std::int32_t attempt = 0;
    bool frozen = false;
  };
  struct Actions {
    std::vector<Create> create;
    std::vector<JobId> stop;
    std::vector<Freeze> freeze;
  };

  void apply(const ServiceSpec& spec, Time now);
  void remove(const std::string& name);
  void load(const ServiceLoadSeen& seen);
  /// All but ReplicaHealth::Dead, which is its job's affair. A stale attempt changes nothing.
  /// `service`: what the replica's job belongs to.
  void probed(const ReplicaProbed& seen, const std::string& service, Time now);
  /// The state of a replica's job has become another. Requires: `job.service` is not empty.
  void job_changed(const Job& job, Termination cause, Time now);

  /// What is due. Call it again after its actions are carried out, until none is left.
  Actions work(Time now);
  void created(const Create& made, JobId job);

  std::optional<Time> next_wakeup() const;

  const std::map<std::string, Service>& all() const { return services_; }
  const Service* find(const std::string& name) const;
  /// Whether the replica that the job is should be frozen; none where it never is.
  std::optional<bool> frozen(const Job& job) const;
  /// Grows whenever anything about the services changes.
  std::uint64_t version() const { return version_; }

  std::vector<Service> state() const;
  /// Errors: a name twice, a spec that is not valid.
  Result<void> restore(const std::vector<Service>& state);

 private:
  Service* touch(const std::string& name);
  Replica* replica_of(JobId job, const std::string& service);
  void work_on(Service& service, Actions& actions, Time now);
  static void follow_load(Service& service, Time now);
  static void retire(Service& service, Actions& actions, Time now);
  static std::int32_t thaw(Service& service, std::int32_t wanted, Actions& actions);
  static void judge_rollout(Service& service, Time now);
  static void roll_back(Service& service, std::string why, Time now);
  void plan_wakeup(const Service& service);

  std::map<std::string, Service> services_;
  std::set<std::string> changed_;                  // to be looked at
  std::map<std::string, Time> due_;                // when to look at a service again
  std::set<std::pair<Time, std::string>> timers_;  // the same, by time
  std::uint64_t version_ = 0;
};

}  // namespace gyre::reason
