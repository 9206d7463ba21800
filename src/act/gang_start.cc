#include "act/gang_start.h"

#include <fmt/format.h>

#include "domain/mig.h"
#include "domain/trace_context.h"

namespace gyre::act {
namespace {

using Env = std::vector<std::pair<std::string, std::string>>;

std::vector<std::string> devices_of(const Allocation& allocation,
                                    const std::vector<std::string>& names) {
  std::vector<std::string> devices;
  for (std::size_t i = 0; i < kGpusPerNodeMax; ++i) {
    if ((allocation.devices >> i & 1) == 0) continue;
    devices.push_back(i < names.size() ? names[i] : std::to_string(i));
  }
  return devices;
}

/// What the share comes to on one device, rounded down to what is held: MIG's own sizes, else MiB.
MemoryMib memory_of(const Allocation& allocation, const TaskPlace& place) {
  if (allocation.sharing == Sharing::Mig) {
    const auto* profile = mig_profile(place.gpu_model, place.gpu_memory, allocation.gpu_milli);
    return profile == nullptr ? MemoryMib{0} : profile->memory_mib;
  }
  return MemoryMib{place.gpu_memory.value * allocation.gpu_milli.value / kWholeGpu.value};
}

void add_devices(Env& env, const Allocation& allocation, const TaskPlace& place) {
  // An empty list hides every device; without the variable CUDA would show them all.
  env.emplace_back("CUDA_VISIBLE_DEVICES",
                   fmt::format("{}", fmt::join(devices_of(allocation, place.devices), ",")));
  env.emplace_back("CUDA_DEVICE_ORDER", "PCI_BUS_ID");
  env.emplace_back("GYRE_GPU_MILLI", std::to_string(allocation.gpu_milli.value));
  if (allocation.devices != 0) {
    env.emplace_back("GYRE_GPU_FRACTION", fmt::format("{}", allocation.gpu_milli.value / 1000.0));
    env.emplace_back("GYRE_GPU_SHARING", std::string(to_string(allocation.sharing)));
    const MemoryMib memory = memory_of(allocation, place);
    if (memory.value > 0) {
      env.emplace_back("GYRE_GPU_MEMORY_MIB", std::to_string(memory.value));
    }
  }
  if (place.virtual_gpus) env.emplace_back("GYRE_VIRTUAL_GPUS", "1");
}

void add_rank(Env& env, const Job& job, std::int32_t rank, const TaskPlace& place) {
  const std::string rank_text = std::to_string(rank);
  const std::string size_text = std::to_string(job.placement.size());
  env.emplace_back("GYRE_NODE_RANK", rank_text);
  env.emplace_back("GYRE_TASK_RANK", rank_text);
  env.emplace_back("GYRE_NUM_NODES", size_text);
  env.emplace_back("MASTER_ADDR", place.leader_address);
  env.emplace_back("MASTER_PORT", std::to_string(leader_port(job.id, gang_attempt(job))));
  env.emplace_back("RANK", rank_text);
  env.emplace_back("WORLD_SIZE", size_text);
  env.emplace_back("LOCAL_RANK", "0");
}

/// Ports below those that systems hand out by themselves.
struct Ports {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint64_t attempt_step = 0;
};
constexpr Ports kReplicaPorts{10'000, 10'000, 13};
constexpr Ports kLeaderPorts{20'000, 12'000, 1};

/// Different ones for jobs near each other, and for a job's attempts.
int port_of(const Ports& ports, JobId job, std::int32_t attempt) {
  const std::uint64_t turn =
      job.value * 7 + static_cast<std::uint64_t>(attempt) * ports.attempt_step;
  return static_cast<int>(ports.first + turn % ports.count);
}

/// Rank 0 serves; its node's address is the leader's.
void add_service(Env& env, const Job& job, const TaskPlace& place) {
  env.emplace_back(kPortVariable, std::to_string(port_of(kReplicaPorts, job.id, job.attempt)));
  env.emplace_back("GYRE_HOST", place.leader_address);
  env.emplace_back(kServiceVariable, job.service);
  env.emplace_back("GYRE_REVISION", std::to_string(job.revision));
}

/// What the task does goes below the span of its run.
void add_trace(Env& env, const Job& job, std::int32_t rank) {
  auto context = parse_trace_parent(job.spec->launch.trace_parent);
  if (!context) return;
  context->span = derived_span(*context, "run", attempt_of(job, rank), rank);
  env.emplace_back("TRACEPARENT", to_string(*context));
}

}  // namespace

int leader_port(JobId job, std::int32_t attempt) { return port_of(kLeaderPorts, job, attempt); }

std::string port_variable(std::string_view name) {
  std::string variable = "GYRE_PORT_";
  for (const char c : name) {
    variable += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c == '-' ? '_' : c;
  }
  return variable;
}

TaskKey key_of(const Job& job, std::int32_t rank) { return {job.id, attempt_of(job, rank), rank}; }

TaskStart task_start(const Job& job, const TaskPlacement& task, const TaskPlace& place) {
  TaskStart start{.key = key_of(job, task.rank),
                  .command = job.spec->launch.command,
                  .env = job.spec->launch.env,
                  .working_directory = job.spec->launch.working_directory,
                  .cpu = task.allocation.cpu,
                  .memory = task.allocation.memory,
                  .container = job.spec->launch.container,
                  .artifacts = job.spec->launch.artifacts,
                  .ports = job.spec->launch.ports};
  if (!place.virtual_gpus) {
    start.gpu_devices = devices_of(task.allocation, place.devices);
    start.gpu_sharing = task.allocation.sharing;
    start.gpu_milli = task.allocation.gpu_milli;
    start.gpu_memory = memory_of(task.allocation, place);
  }
  start.env.emplace_back("GYRE_JOB_ID", std::to_string(job.id.value));
  start.env.emplace_back("GYRE_JOB_NAME", job.spec->name);
  start.env.emplace_back("GYRE_ATTEMPT", std::to_string(gang_attempt(job)));
  start.env.emplace_back("GYRE_TASK_ATTEMPT", std::to_string(start.key.attempt));
  add_rank(start.env, job, task.rank, place);
  if (!job.service.empty() && task.rank == 0) add_service(start.env, job, place);
  add_trace(start.env, job, task.rank);
  add_devices(start.env, task.allocation, place);
  return start;
}

}  // namespace gyre::act
