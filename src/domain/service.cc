#include "domain/service.h"

#include <algorithm>
#include <array>

namespace gyre {
namespace {

Result<void> validate(std::string_view name, const Probe& probe) {
  if (probe.period < milliseconds(10) || probe.timeout < milliseconds(10)) {
    return fail(ErrorKind::Invalid, "probe {}: period and timeout are 10ms at least", name);
  }
  const std::int32_t least = std::min(probe.failure_threshold, probe.success_threshold);
  const std::int32_t most = std::max(probe.failure_threshold, probe.success_threshold);
  if (least < 1 || most > kThresholdMax) {
    return fail(ErrorKind::Invalid, "probe {}: a threshold is 1 to {}", name, kThresholdMax);
  }
  const bool path = probe.path.starts_with('/') &&
                    std::all_of(probe.path.begin(), probe.path.end(),
                                [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (probe.kind == Probe::Kind::Http && !path) {
    return fail(ErrorKind::Invalid, "probe {}: http is a path that starts with '/', without spaces",
                name);
  }
  if (probe.kind == Probe::Kind::Log && probe.pattern.empty()) {
    return fail(ErrorKind::Invalid, "probe {}: log is a pattern", name);
  }
  if (probe.kind == Probe::Kind::Exec && (probe.command.empty() || probe.command.front().empty())) {
    return fail(ErrorKind::Invalid, "probe {}: exec is a command", name);
  }
  std::size_t bytes = 0;
  for (const std::string& word : probe.command) bytes += word.size() + 1;
  if (bytes > kProbeCommandMax) {
    return fail(ErrorKind::Invalid, "probe {}: the command has {} bytes; {} are the most", name,
                bytes, kProbeCommandMax);
  }
  if (probe.kind == Probe::Kind::Exec && std::min(probe.period, probe.timeout) < kExecProbeMin) {
    return fail(ErrorKind::Invalid,
                "probe {}: period and timeout of a command are 100ms at least: each starts a "
                "process",
                name);
  }
  if (probe.kind == Probe::Kind::Heartbeat && probe.interval < probe.period) {
    return fail(ErrorKind::Invalid,
                "probe {}: a heartbeat shorter than period (1s where it is left out) cannot be "
                "seen; raise it or lower period",
                name);
  }
  return {};
}

Result<void> validate(const ReplicaCount& replicas) {
  if (replicas.min < 0 || replicas.max < 1 || replicas.max > kReplicasMax ||
      replicas.min > replicas.max) {
    return fail(ErrorKind::Invalid,
                "replicas: 0 <= min <= max <= {} and max is 1 at least, not {} "
                "and {}",
                kReplicasMax, replicas.min, replicas.max);
  }
  if (replicas.target_in_flight < 0 || replicas.target_queue_time < Duration{}) {
    return fail(ErrorKind::Invalid, "replicas: a target cannot be negative");
  }
  if (replicas.target_gpu_activity < 0 || replicas.target_gpu_activity > 100) {
    return fail(ErrorKind::Invalid, "replicas: target_gpu_activity is 1 to 100 percent, not {}",
                replicas.target_gpu_activity);
  }
  if (replicas.frozen_max > replicas.max) {
    return fail(ErrorKind::Invalid, "replicas: frozen is {}, and there are {} at most; lower it",
                replicas.frozen_max, replicas.max);
  }
  if (replicas.frozen_max > 0 && replicas.min == replicas.max) {
    return fail(
        ErrorKind::Invalid,
        "replicas: there are always {}, and none is ever to be frozen; leave frozen out, or "
        "lower min",
        replicas.min);
  }
  const bool decides = replicas.target_in_flight > 0 || replicas.target_queue_time > Duration{} ||
                       replicas.target_gpu_activity > 0;
  if (!decides && replicas.max > std::max(1, replicas.min)) {
    return fail(ErrorKind::Invalid,
                "replicas: between {} and {} something must decide; set target_in_flight, "
                "target_queue_time or target_gpu_activity",
                replicas.min, replicas.max);
  }
  if (replicas.scale_down_after < Duration{} || replicas.idle < Duration{}) {
    return fail(ErrorKind::Invalid, "replicas: a duration cannot be negative");
  }
  return {};
}

}  // namespace

Result<void> validate(const ServiceSpec& spec) {
  if (spec.replica.name.empty()) return fail(ErrorKind::Invalid, "a service needs a name");
  if (auto valid = validate(spec.replica); !valid) return valid;
  if (spec.replica.launch.container.network == ContainerSpec::Network::None) {
    return fail(
        ErrorKind::Invalid,
        "network: none would be reached by nobody; leave it out: replicas use their node's");
  }
  if (auto valid = validate(spec.replicas); !valid) return valid;
  const bool has_gpu = !spec.replica.tasks.empty() && spec.replica.tasks[0].request.gpus > 0;
  if (spec.replicas.target_gpu_activity > 0 && !has_gpu) {
    return fail(ErrorKind::Invalid,
                "replicas: target_gpu_activity: a replica has no GPU; ask for one in 'resources', "
                "or leave it out");
  }
  const auto& rules = spec.replica.placement;
  if (rules && rules->group.empty() && rules->max_per_node > spec.replicas.max) {
    return fail(ErrorKind::Invalid,
                "placement: max_per_node is {}, and the service has at most {} replicas: it limits "
                "nothing; leave it out",
                rules->max_per_node, spec.replicas.max);
  }
  if (auto valid = validate("readiness", spec.readiness); !valid) return valid;
  if (spec.startup && spec.startup->kind == Probe::Kind::Heartbeat) {
    return fail(ErrorKind::Invalid,
                "probe startup: a heartbeat tells that it goes on, not that it has begun; use log");
  }
  for (const auto& [name, probe] :
       {std::pair("startup", &spec.startup), std::pair("liveness", &spec.liveness)}) {
    if (!*probe) continue;
    if (auto valid = validate(name, **probe); !valid) return valid;
  }
  const RequestLimits& requests = spec.requests;
  if (requests.queue_max < 0 || requests.in_flight_max < 0 || requests.queue_timeout < Duration{} ||
      requests.silence_max < milliseconds(1)) {
    return fail(ErrorKind::Invalid, "requests: a limit cannot be negative");
  }
  if (spec.rollout.progress_deadline < milliseconds(1) || spec.rollout.crashes_max < 1 ||
      spec.rollout.drain < Duration{}) {
    return fail(ErrorKind::Invalid, "rollout: progress_deadline and crashes are positive");
  }
  return {};
}

std::string_view to_string(ReplicaHealth health) {
  static constexpr std::array<std::string_view, 4> kNames{"ready", "not_ready", "dead", "drained"};
  return kNames[static_cast<std::size_t>(health)];
}

}  // namespace gyre
