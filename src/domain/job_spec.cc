#include "domain/job_spec.h"

#include <algorithm>

#include "base/units.h"
#include "base/utf8.h"
#include "domain/launch_fields.h"

namespace gyre {
namespace {

Result<void> validate(const Request& request) {
  if (request.gpus < 0 || request.gpus > kGpusPerTaskMax) {
    return fail(ErrorKind::Invalid, "a task asks for {} GPUs; it may ask for 0 to {}", request.gpus,
                kGpusPerTaskMax);
  }
  if (request.gpu_milli.value < 1 || request.gpu_milli > kWholeGpu) {
    return fail(ErrorKind::Invalid, "a GPU share is 1 to 1000 thousandths, not {}",
                request.gpu_milli.value);
  }
  if (request.gpu_milli < kWholeGpu && request.gpus != 1) {
    return fail(ErrorKind::Invalid,
                "a fraction is a share of one GPU; ask for one GPU or for whole ones, not for {}",
                request.gpus);
  }
  const bool shared = request.sharing != Sharing::Auto && request.sharing != Sharing::Exclusive;
  if (shared && (request.gpus != 1 || request.gpu_milli == kWholeGpu)) {
    return fail(ErrorKind::Invalid, "sharing by {} needs a fraction of one GPU, as in gpu: 0.5",
                to_string(request.sharing));
  }
  if (request.sharing == Sharing::Exclusive && request.gpu_milli < kWholeGpu) {
    return fail(ErrorKind::Invalid,
                "exclusive means whole GPUs, and a fraction of one is asked for");
  }
  if (request.cpu.value < 0 || request.memory.value < 0 || request.gpu_memory.value < 0) {
    return fail(ErrorKind::Invalid, "CPU and memory cannot be negative");
  }
  return {};
}

bool is_small_letter(char c) { return c >= 'a' && c <= 'z'; }

Result<void> check_ports(const Launch& launch) {
  if (launch.ports.size() > kPortsPerTaskMax) {
    return fail(ErrorKind::Invalid, "{} ports; a task has at most {}", launch.ports.size(),
                kPortsPerTaskMax);
  }
  if (auto reachable = check_ports_reachable(launch); !reachable) return reachable;
  std::vector<std::string> before;
  for (const std::string& name : launch.ports) {
    if (auto fine = check_port(name, before); !fine) return fine;
    before.push_back(name);
  }
  return {};
}

Result<void> check_artifacts(const Launch& launch) {
  if (launch.artifacts.size() > kArtifactsPerJobMax) {
    return fail(ErrorKind::Invalid, "{} artifacts; name {} at most, folders among them",
                launch.artifacts.size(), kArtifactsPerJobMax);
  }
  for (const std::string& path : launch.artifacts) {
    if (auto fine = check_artifact(path, !launch.container.image.empty()); !fine) return fine;
  }
  return {};
}

Result<void> check_placement(const JobSpec& spec) {
  if (!spec.placement) return {};
  const PlacementRules& rules = *spec.placement;
  if (rules.max_per_node < 0 || rules.max_per_node > kTasksPerJobMax) {
    return fail(ErrorKind::Invalid, "placement: max_per_node is 1 to {}, not {}", kTasksPerJobMax,
                rules.max_per_node);
  }
  const std::string_view own = group_of(spec);
  if (own.empty() && rules.max_per_node > 0) {
    return fail(ErrorKind::Invalid,
                "placement: max_per_node counts the tasks of a group: give the job a name, or a "
                "'group'");
  }
  if (!own.empty() && rules.apart == own) {
    return fail(ErrorKind::Invalid,
                "placement: it cannot be apart from its own group '{}': write max_per_node: 1",
                own);
  }
  if (!own.empty() && rules.near == own) {
    return fail(ErrorKind::Invalid,
                "placement: '{}' is its own group: to be near to that, write pack: node", own);
  }
  if (!rules.near.empty() && rules.near == rules.apart) {
    return fail(ErrorKind::Invalid, "placement: it cannot be both near to and apart from '{}'",
                rules.near);
  }
  return {};
}

Result<void> check_progress(const JobSpec& spec) {
  if (!spec.progress) return {};
  const Duration heartbeat = spec.progress->heartbeat;
  if (heartbeat >= kHeartbeatMin && heartbeat <= kHeartbeatMax) return {};
  return fail(ErrorKind::Invalid, "progress: a heartbeat is 1s to 7d, not {}",
              format_duration(heartbeat));
}

/// Starting a lost task anew is a retry, so it must be one that is wanted.
Result<void> check_retry(const Retry& retry) {
  if (retry.on_node_loss == NodeLossAnswer::Gang) return {};
  if (!retry.on_interruption) {
    return fail(ErrorKind::Invalid,
                "retry: on_node_loss: task starts a lost task anew, and retry.on lacks "
                "'interruption', so nothing is tried again after a loss; say one of them");
  }
  if (retry.retries_max > 0) return {};
  return fail(ErrorKind::Invalid,
              "retry: on_node_loss: task starts a lost task anew, and with max: 0 nothing is tried "
              "again; say one of them");
}

}  // namespace

std::string_view group_of(const JobSpec& spec) {
  if (!spec.placement) return {};
  return spec.placement->group.empty() ? spec.name : spec.placement->group;
}

std::optional<Affinity> affinity_of(const JobSpec& spec) {
  if (!spec.placement) return std::nullopt;
  const PlacementRules& rules = *spec.placement;
  return Affinity{group_id(spec.tenant, group_of(spec)),
                  group_id(spec.tenant, rules.near),
                  group_id(spec.tenant, rules.apart),
                  rules.max_per_node,
                  rules.balance,
                  rules.level};
}

Result<void> check_port_name(std::string_view name) {
  const bool good = !name.empty() && name.size() <= kPortNameMax && is_small_letter(name[0]) &&
                    std::all_of(name.begin(), name.end(), [](char c) {
                      return is_small_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '_';
                    });
  if (good) return {};
  return fail(ErrorKind::Invalid,
              "'{}' is no port's name: up to {} small letters, digits, '-' and '_' after a letter",
              name, kPortNameMax);
}

Result<void> check_port(std::string_view name, const std::vector<std::string>& others) {
  if (auto named = check_port_name(name); !named) return named;
  if (std::find(others.begin(), others.end(), name) == others.end()) return {};
  return fail(ErrorKind::Invalid, "two ports are called '{}'", name);
}

Result<void> check_ports_reachable(const Launch& launch) {
  if (launch.ports.empty() || launch.container.network != ContainerSpec::Network::None) return {};
  return fail(ErrorKind::Invalid,
              "nobody reaches a port of a task without a network: leave out 'ports', or "
              "'network: none'");
}

Result<void> check_artifact(std::string_view path, bool in_container) {
  const bool absolute = path.starts_with('/');
  if (absolute && !in_container) {
    return fail(ErrorKind::Invalid,
                "the artifact '{}' is outside of the task's working directory: name it from there",
                path);
  }
  std::string_view rest = path.substr(absolute ? 1 : 0);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  bool good =
      path.size() <= kArtifactPathMax && valid_utf8_prefix(path) == path.size() &&
      std::all_of(rest.begin(), rest.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
  for (;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view step = rest.substr(0, slash);
    good = good && !step.empty() && step != "..";
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  if (good) return {};
  return fail(ErrorKind::Invalid,
              "the artifact '{}' is no path of a file or folder: up to {} bytes, no '..', no empty "
              "part",
              path, kArtifactPathMax);
}

Result<void> validate(const JobSpec& spec) {
  if (spec.tasks.empty()) return fail(ErrorKind::Invalid, "a job needs at least one task");
  if (spec.tasks.size() > kTaskGroupsPerJobMax) {
    return fail(ErrorKind::Invalid, "a job has at most {} kinds of tasks, not {}",
                kTaskGroupsPerJobMax, spec.tasks.size());
  }
  std::int64_t count = 0;
  for (const TaskGroup& group : spec.tasks) {
    if (group.count < 1 || group.count > kTasksPerJobMax) {
      return fail(ErrorKind::Invalid, "a job has 1 to {} tasks, not {}", kTasksPerJobMax,
                  group.count);
    }
    count += group.count;
    if (auto valid = validate(group.request); !valid) return valid;
  }
  if (count > kTasksPerJobMax) {
    return fail(ErrorKind::Invalid, "a job has 1 to {} tasks, not {}", kTasksPerJobMax, count);
  }
  if (spec.priority < kPriorityMin || spec.priority > kPriorityMax) {
    return fail(ErrorKind::Invalid, "priority is {} to {}, not {}", kPriorityMin, kPriorityMax,
                spec.priority);
  }
  if (auto valid = validate(spec.launch.container); !valid) return valid;
  if (auto valid = check_progress(spec); !valid) return valid;
  if (auto valid = check_retry(spec.retry); !valid) return valid;
  if (auto valid = check_ports(spec.launch); !valid) return valid;
  if (auto valid = check_artifacts(spec.launch); !valid) return valid;
  if (auto valid = check_placement(spec); !valid) return valid;
  const Duration zero{};
  const bool negative = spec.expected_duration.value_or(zero) < zero ||
                        spec.deadline.value_or(zero) < zero || spec.checkpoint.grace < zero ||
                        spec.checkpoint.interval.value_or(zero) < zero ||
                        spec.retry.backoff < zero || spec.retry.backoff_max < zero;
  if (negative) return fail(ErrorKind::Invalid, "a duration cannot be negative");
  return {};
}

}  // namespace gyre
