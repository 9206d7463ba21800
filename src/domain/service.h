#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/job_spec.h"

namespace gyre {

/// How the state of a replica is found out.
struct Probe {
  enum class Kind : std::uint8_t { Tcp, Http, Log, Exec, Heartbeat };
  Kind kind = Kind::Tcp;             // Tcp: it takes connections
  std::string path;                  // Http: asked for with GET; a status of 200 to 399 is good
  std::string pattern;               // Log, Heartbeat: a line of its output has this text
  std::vector<std::string> command;  // Exec: run inside of it; exit code 0 is good
  Duration interval;                 // Heartbeat: it writes such a line at least so often
  Duration period = seconds(1);
  Duration timeout = seconds(1);
  std::int32_t failure_threshold = 3;  // so many bad answers in a row count
  std::int32_t success_threshold = 1;  // so many good ones in a row count

  bool operator==(const Probe&) const = default;
};

/// How many replicas a service has, and what that follows.
struct ReplicaCount {
  std::int32_t min = 1;
  std::int32_t max = 1;
  std::int32_t target_in_flight = 0;  // requests for each replica; 0: the load decides nothing
  Duration scale_down_after = seconds(300);  // how long fewer must have been enough
  Duration idle = seconds(300);              // without a request, before the last one goes
  Duration target_queue_time{0};         // that a request waits for a replica; 0: decides nothing
  std::int32_t target_gpu_activity = 0;  // percent, of replicas' GPUs; 0: decides nothing
  std::int32_t frozen_max = 0;           // so many that are not needed are kept frozen, not ended

  bool operator==(const ReplicaCount&) const = default;
};

/// What becomes of requests that wait, and how long one may take.
struct RequestLimits {
  std::int32_t queue_max = 1000;         // requests that wait for a replica
  Duration queue_timeout = seconds(60);  // how long each may
  std::int32_t in_flight_max = 0;        // of each replica; 0: no limit
  Duration silence_max = seconds(600);   // without a byte of the answer

  bool operator==(const RequestLimits&) const = default;
};

/// How a new revision takes the place of the one before.
struct Rollout {
  Duration progress_deadline = seconds(600);  // without a new ready replica: undone
  std::int32_t crashes_max = 3;               // of the revision's replicas: undone
  Duration drain = seconds(30);               // for the requests of a replica that is to go

  bool operator==(const Rollout&) const = default;
};

/// What its owner wants of a service. It goes by the name of `replica`.
struct ServiceSpec {
  JobSpec replica;  // the job that each replica is
  ReplicaCount replicas;
  RequestLimits requests;
  std::optional<Probe> startup;   // until it is good the other probes wait; after it fails: restart
  Probe readiness;                // requests are sent while it is good
  std::optional<Probe> liveness;  // the replica is started anew when it fails
  Rollout rollout;

  bool operator==(const ServiceSpec&) const = default;
};

inline constexpr std::size_t kServicesMax = 1000;
inline constexpr std::int32_t kReplicasMax = 1000;
inline constexpr std::int32_t kThresholdMax = 1000;
inline constexpr std::size_t kProbeCommandMax = 16'384;       // bytes of an Exec probe's command
inline constexpr Duration kExecProbeMin = milliseconds(100);  // of an Exec probe's times

/// Errors: a field out of its range; says which, and what it may be.
Result<void> validate(const ServiceSpec& spec);

/// What the probes say of a replica.
enum class ReplicaHealth : std::uint8_t {
  Ready,
  NotReady,
  Dead,     // it must be started anew
  Drained,  // it is to go, and its last request is over
};
std::string_view to_string(ReplicaHealth health);

/// One replica as the core knows it; the rest is its job's.
struct Replica {
  enum class Phase : std::uint8_t {
    Serving,
    Draining,  // gets no new requests
    Stopping,
    Frozen,  // ready, but its processes are halted until it is needed again
  };
  JobId job;
  std::int32_t revision = 0;
  Phase phase = Phase::Serving;
  bool running = false;  // its job runs, in `attempt`
  std::int32_t attempt = 0;
  bool ready = false;  // then it may be sent requests
  std::string fault;   // what the probes say where it is not ready; for a person
  Time drain_until;    // while draining: stopped then at the latest

  bool operator==(const Replica&) const = default;
};

/// How many replicas are wanted, and what else deciding that needs.
struct Scale {
  std::int32_t wanted = 0;
  std::optional<Time> surplus_since;  // since when the load has asked for fewer
  std::int32_t surplus_peak = 0;      // the most that it has asked for since

  bool operator==(const Scale&) const = default;
};

/// One service as the core knows it: essential state.
struct Service {
  ServiceSpec spec;
  std::int32_t revision = 0;            // of `spec`; from 1
  std::int32_t last_revision = 0;       // the highest so far
  std::optional<ServiceSpec> previous;  // what worked, while `spec` still has to prove itself
  std::int32_t previous_revision = 0;
  Time progress_at;          // when the rollout last got on
  std::int32_t crashes = 0;  // of this revision's replicas
  bool deleted = false;      // is there until its replicas are gone
  Scale scale;
  bool served = false;               // a replica has been ready since it last rested
  std::int64_t in_flight_milli = 0;  // as last told
  std::int64_t queued = 0;
  Duration waited;                  // by a request for a replica, the longest
  std::int64_t gpu_ppm = -1;        // how busy the GPUs of its replicas are; -1: not known
  std::int32_t asked_by_waits = 0;  // replicas, when that was told; 0: it asks for none
  std::int32_t asked_by_gpus = 0;   // likewise
  std::optional<Time> hold_until;   // no new replica before
  std::string notice;               // what became of the last rollout, where it was undone
  std::vector<Replica> replicas;    // by job

  const std::string& name() const { return spec.replica.name; }
  bool operator==(const Service&) const = default;
};

}  // namespace gyre
