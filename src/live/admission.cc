#include "live/admission.h"

#include <algorithm>
#include <string_view>

namespace gyre::live {
namespace {

constexpr CpuMilli kCpuMax{1'000'000'000};
constexpr MemoryMib kMemoryMax{1'000'000'000};

Result<void> check_text(std::string_view what, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return {};
  return fail(ErrorKind::Invalid, "{} holds a NUL byte, which no process can be given", what);
}

Result<void> check_node(NodeId id, const control::Controller& core) {
  if (id.value < core.cluster().nodes().size()) return {};
  return fail(ErrorKind::NotFound, "there is no node {}", id.value);
}

Result<void> check_stop(JobId id, const control::Controller& core) {
  const Job* job = core.jobs().find(id);
  if (job == nullptr) return fail(ErrorKind::NotFound, "there is no job {}", id.value);
  if (!is_final(job->state)) return {};
  return fail(ErrorKind::Conflict, "job {} is over: it has {}", id.value, to_string(job->state));
}

Result<void> check_repair(const RepairEnded& ended, const control::Controller& core) {
  if (auto known = check_node(ended.node, core); !known) return known;
  const auto& underway = core.healer().health(ended.node).underway;
  if (underway && underway->command == ended.command) return {};
  return fail(ErrorKind::Conflict, "nothing waits for that repair of node {}", ended.node.value);
}

/// Only what has changed is journalled.
Result<void> check_health(const GpuHealthSeen& seen, const control::Controller& core) {
  if (auto known = check_node(seen.node, core); !known) return known;
  const Node& node = core.cluster().node(seen.node);
  if (seen.device < 0 || seen.device >= node.spec.gpus) {
    return fail(ErrorKind::NotFound, "node {} offers no GPU {}", node.spec.name, seen.device);
  }
  if (node.gpu_troubles.of(seen.device) != seen.health) return {};
  return fail(ErrorKind::Conflict, "GPU {} of node {} is known to be {}", seen.device,
              node.spec.name, to_string(seen.health));
}

/// A node that comes again before it has ended them tells of the same.
Result<void> check_orphans(const OrphansEnded& ended, const control::Controller& core) {
  if (auto known = check_node(ended.node, core); !known) return known;
  const auto& incidents = core.healer().incidents();
  const bool told = std::any_of(incidents.begin(), incidents.end(), [&](const Incident& one) {
    return one.symptom == Symptom::TaskUnrecorded && one.node == ended.node &&
           one.evidence == ended.tasks;
  });
  if (!told) return {};
  return fail(ErrorKind::Conflict, "there is an incident of these tasks already");
}

/// What a node tells of itself is kept for as long as it is connected, so it is bounded.
Result<void> check_facts(const act::Hello& hello) {
  constexpr std::size_t kListMax = 64;
  constexpr std::size_t kTextMax = 4'096;
  const act::MachineFacts& facts = hello.facts;
  std::size_t text =
      facts.address.size() + facts.kernel.size() + facts.gpu_driver.size() + facts.version.size();
  for (const std::string& address : facts.addresses) text += address.size();
  for (const auto& [name, value] : facts.labels) text += name.size() + value.size();
  for (const std::string& device : hello.devices) text += device.size();
  const bool small = hello.devices.size() <= kGpusPerNodeMax && facts.labels.size() <= kListMax &&
                     facts.addresses.size() <= kListMax &&
                     facts.gpu_links.size() <= kGpusPerNodeMax * (kGpusPerNodeMax + 1) &&
                     text <= kTextMax;
  if (small) return {};
  return fail(
      ErrorKind::Invalid,
      "node '{}' tells more than is kept of a machine: {} labels and addresses, {} bytes of "
      "text at most",
      hello.node.name, kListMax, kTextMax);
}

}  // namespace

Result<void> check_launch(const Launch& launch) {
  const bool image_decides = launch.command.empty() && !launch.container.image.empty();
  if (!image_decides && (launch.command.empty() || launch.command.front().empty())) {
    return fail(ErrorKind::Invalid, "the job has no command; say what to run");
  }
  for (const std::string& argument : launch.command) {
    if (auto ok = check_text("the command", argument); !ok) return ok;
  }
  for (const auto& [name, value] : launch.env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(ErrorKind::Invalid, "'{}' cannot be the name of an environment variable", name);
    }
    if (auto ok = check_text("the environment", name); !ok) return ok;
    if (auto ok = check_text("the environment", value); !ok) return ok;
  }
  return check_text("the working directory", launch.working_directory);
}

Result<void> check_hello(const act::Hello& hello) {
  if (hello.protocol_newest < act::kProtocolOldest ||
      hello.protocol_oldest > act::kProtocolNewest) {
    return fail(
        ErrorKind::Unsupported,
        "the agent speaks versions {} to {} of the protocol, the server {} to {}; bring the "
        "older of the two up to date",
        hello.protocol_oldest, hello.protocol_newest, act::kProtocolOldest, act::kProtocolNewest);
  }
  const NodeSpec& node = hello.node;
  if (auto named = check_node_name(node.name); !named) return named;
  const bool sane = node.gpus >= 0 && node.gpus <= kGpusPerNodeMax && node.gpu_memory.value >= 0 &&
                    node.cpu.value >= 0 && node.cpu.value <= kCpuMax.value &&
                    node.memory.value >= 0 && node.memory.value <= kMemoryMax.value &&
                    node.gpu_memory.value <= kMemoryMax.value &&
                    node.gpu_model.size() <= kNodeNameMax && node.partition.size() <= kNodeNameMax;
  for (std::size_t i = 0; i < kTopologyLevels; ++i) {
    const auto level = static_cast<TopologyLevel>(i);
    const std::string& name = node.location.at(level);
    if (name.empty() || check_node_name(name)) continue;
    return fail(ErrorKind::Invalid,
                "node '{}' has a label {} that cannot be a name: 1 to {} letters, digits, '.', "
                "'-' and '_'",
                node.name, to_string(level), kNodeNameMax);
  }
  if (sane) return check_facts(hello);
  return fail(ErrorKind::Invalid,
              "node '{}' offers what no machine has: {} GPUs, {} milli-CPUs, {} MiB", node.name,
              node.gpus, node.cpu.value, node.memory.value);
}

Result<void> check_event(const Event::Body& body, const control::Controller& core) {
  if (const auto* repaired = std::get_if<RepairEnded>(&body)) return check_repair(*repaired, core);
  if (const auto* health = std::get_if<GpuHealthSeen>(&body)) return check_health(*health, core);
  if (const auto* ended = std::get_if<OrphansEnded>(&body)) return check_orphans(*ended, core);
  if (const auto* stop = std::get_if<JobStopRequested>(&body)) return check_stop(stop->job, core);
  if (const auto* duty = std::get_if<NodeDutySet>(&body)) return check_node(duty->node, core);
  if (const auto* joined = std::get_if<NodeJoined>(&body)) {
    const std::size_t next = core.cluster().nodes().size();
    if (joined->node.value == next) return {};
    return fail(ErrorKind::Conflict, "the next node to join is node {}, not {}", next,
                joined->node.value);
  }
  if (const auto* applied = std::get_if<ServiceApplied>(&body)) {
    if (auto launchable = check_launch(applied->spec.replica.launch); !launchable) {
      return launchable;
    }
    return core.check(applied->spec);
  }
  if (const auto* healing = std::get_if<HealingSet>(&body)) return review(healing->healing);
  if (const auto* set = std::get_if<PolicySet>(&body)) return validate(set->policy);
  if (const auto* deleted = std::get_if<ServiceDeleted>(&body)) {
    const Service* service = core.services().find(deleted->service);
    if (service != nullptr && !service->deleted) return {};
    return fail(ErrorKind::NotFound, "there is no service '{}'; 'gyre services' lists all",
                deleted->service);
  }
  if (std::holds_alternative<JobSubmitted>(body)) {
    return fail(ErrorKind::Invalid, "a job is submitted with submit(), which gives it its id");
  }
  return {};
}

}  // namespace gyre::live
