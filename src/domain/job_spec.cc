#include "domain/job_spec.h"

namespace gyre {
namespace {

Result<void> validate(const Request& request) {
  if (request.gpus < 0 || request.gpus > kGpusPerNodeMax) {
    return fail(ErrorKind::Invalid, "a task asks for {} GPUs; a node has 0 to {}", request.gpus,
                kGpusPerNodeMax);
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

}  // namespace

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
  const Duration zero{};
  const bool negative = spec.expected_duration.value_or(zero) < zero ||
                        spec.deadline.value_or(zero) < zero || spec.checkpoint.grace < zero ||
                        spec.checkpoint.interval.value_or(zero) < zero ||
                        spec.retry.backoff < zero || spec.retry.backoff_max < zero;
  if (negative) return fail(ErrorKind::Invalid, "a duration cannot be negative");
  return {};
}

}  // namespace gyre
