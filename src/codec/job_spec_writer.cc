#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "codec/job_spec_text.h"
#include "codec/printable.h"
#include "codec/service_spec_text.h"
#include "codec/spec_tree.h"

namespace gyre::codec {
namespace {

using Json = nlohmann::ordered_json;

std::string memory_text(MemoryMib memory) {
  const bool whole = memory.value % 1024 == 0;
  return whole ? fmt::format("{}GB", memory.value / 1024) : fmt::format("{}MB", memory.value);
}

Json number_or_text(const std::string& text) {
  return plain_scalar_kind(text) == SpecNode::Kind::Number ? Json::parse(text) : Json(text);
}

Json resources_of(const Request& request) {
  Json out = Json::object();
  if (request.gpus > 0) out["gpu"] = number_or_text(format_gpu(request));
  if (request.cpu.value % 1000 != 0) {
    out["cpu"] = fmt::format("{}m", request.cpu.value);
  } else if (request.cpu.value != 0) {
    out["cpu"] = request.cpu.value / 1000;
  }
  if (request.memory.value != 0) out["memory"] = memory_text(request.memory);
  if (request.sharing != Sharing::Auto) out["sharing"] = to_string(request.sharing);
  return out;
}

Json checkpoint_of(const Checkpoint& checkpoint) {
  const Checkpoint standard;
  Json out = Json::object();
  if (!checkpoint.path.empty()) out["path"] = checkpoint.path;
  if (checkpoint.interval) out["interval"] = duration_text(*checkpoint.interval);
  const char* signal = checkpoint.signal == 0 ? nullptr : sigabbrev_np(checkpoint.signal);
  if (signal != nullptr) out["signal"] = fmt::format("SIG{}", signal);
  if (checkpoint.grace != standard.grace) out["grace"] = duration_text(checkpoint.grace);
  return out;
}

Json retry_of(const Retry& retry) {
  const Retry standard;
  Json out = Json::object();
  if (retry.on_error != standard.on_error || retry.on_interruption != standard.on_interruption ||
      retry.on_no_capacity != standard.on_no_capacity) {
    Json on = Json::array();
    if (retry.on_error) on.push_back("error");
    if (retry.on_interruption) on.push_back("interruption");
    if (retry.on_no_capacity) on.push_back("no-capacity");
    out["on"] = std::move(on);
  }
  if (retry.retries_max != standard.retries_max) out["max"] = retry.retries_max;
  if (retry.backoff != standard.backoff || retry.backoff_max != standard.backoff_max) {
    out["backoff"] = duration_text(retry.backoff);
    if (retry.backoff != retry.backoff_max) {
      out["backoff"] = duration_text(retry.backoff) + ".." + duration_text(retry.backoff_max);
    }
  }
  if (retry.on_node_loss == NodeLossAnswer::Task) out["on_node_loss"] = "task";
  return out;
}

Json command_of(const std::vector<std::string>& argv) {
  const bool shell = argv.size() == 3 && argv[0] == "/bin/sh" && argv[1] == "-c" &&
                     argv[2].find_first_not_of(" \t\r\n") != std::string::npos;
  return shell ? Json(argv[2]) : Json(argv);
}

/// The fields of a container stand beside the others.
void add_container(Json& out, const ContainerSpec& container) {
  const auto texts = [&out](const char* name, const auto& list, auto text) {
    for (const auto& item : list) out[name].push_back(text(item));
  };
  const auto same = [](const std::string& text) { return text; };
  if (!container.image.empty()) out["image"] = container.image;
  if (!container.user.empty()) out["user"] = container.user;
  if (container.writable_root) out["read_only"] = false;
  if (container.network == ContainerSpec::Network::None) out["network"] = "none";
  texts("volumes", container.volumes, [](const auto& volume) { return to_string(volume); });
  texts("tmpfs", container.tmpfs, [](const auto& tmpfs) { return to_string(tmpfs); });
  texts("secrets", container.secrets, same);
  if (!container.registry_login.empty()) out["registry_login"] = container.registry_login;
  texts("devices", container.devices, same);
}

Json placement_of(const PlacementRules& rules) {
  Json out = Json::object();
  if (!rules.group.empty()) out["group"] = rules.group;
  if (rules.max_per_node != 0) out["max_per_node"] = rules.max_per_node;
  if (rules.balance != Balance::None) {
    out[rules.balance == Balance::Spread ? "spread" : "pack"] = to_string(rules.level);
  }
  if (!rules.near.empty()) out["near"] = rules.near;
  if (!rules.apart.empty()) out["apart"] = rules.apart;
  return out;
}

Result<Json> as_json(const JobSpec& spec) {
  if (spec.tasks.size() != 1) {
    return fail(ErrorKind::Unsupported,
                "job '{}' has {} kinds of tasks, and a job spec's text can only say one", spec.name,
                spec.tasks.size());
  }
  const JobSpec standard;
  Json out = Json::object();
  const auto add = [&out](const char* name, Json part) {
    if (!part.empty()) out[name] = std::move(part);
  };
  if (!spec.name.empty()) out["name"] = spec.name;
  add_container(out, spec.launch.container);
  if (!spec.launch.command.empty()) out["command"] = command_of(spec.launch.command);
  if (spec.tasks[0].count != 1) out["nodes"] = spec.tasks[0].count;
  if (spec.topology) {
    out["topology"][spec.topology->required ? "required" : "preferred"] =
        to_string(spec.topology->level);
  }
  if (spec.placement) out["placement"] = placement_of(*spec.placement);
  add("resources", resources_of(spec.tasks[0].request));
  if (spec.priority != standard.priority) out["priority"] = spec.priority;
  if (spec.preemptible) out["preemptible"] = true;
  add("checkpoint", checkpoint_of(spec.checkpoint));
  if (spec.progress) {
    out["progress"]["heartbeat"] = duration_text(spec.progress->heartbeat);
    if (!spec.progress->line.empty()) out["progress"]["line"] = spec.progress->line;
  }
  add("retry", retry_of(spec.retry));
  if (spec.deadline) out["deadline"] = duration_text(*spec.deadline);
  if (spec.expected_duration) out["expected_duration"] = duration_text(*spec.expected_duration);
  if (spec.queue != standard.queue) out["queue"] = spec.queue;
  if (!spec.tenant.empty()) out["tenant"] = spec.tenant;
  for (const auto& [name, value] : spec.launch.env) out["env"][name] = value;
  if (!spec.launch.working_directory.empty()) {
    out["working_directory"] = spec.launch.working_directory;
  }
  for (const std::string& path : spec.launch.artifacts) out["artifacts"].push_back(path);
  for (const std::string& name : spec.launch.ports) out["ports"].push_back(name);
  return out;
}

/// Text of several lines that a block keeps exactly: one line break at its end, none and no space
/// at its front, nothing that YAML would have to escape.
bool is_block(const Json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  const bool ends = text.ends_with('\n') && !text.ends_with("\n\n") && text.size() > 2;
  return ends && text.find('\n') + 1 < text.size() && text[0] != ' ' && text[0] != '\n' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '\n' || (c >= ' ' && c < '\x7f'); });
}

void emit(YAML::Emitter& out, const Json& value) {
  if (value.is_object()) {
    out << YAML::BeginMap;
    for (const auto& [name, item] : value.items()) {
      out << YAML::Key << name << YAML::Value;
      emit(out, item);
    }
    out << YAML::EndMap;
  } else if (value.is_array()) {
    const bool blocks = std::any_of(value.begin(), value.end(), is_block);
    out << (blocks ? YAML::Block : YAML::Flow) << YAML::BeginSeq;
    for (const Json& item : value) emit(out, item);
    out << YAML::EndSeq;
  } else if (value.is_string()) {
    const auto& text = value.get_ref<const std::string&>();
    // The emitter does not know that text like 5 or true must be in quotes to stay text, nor that a
    // carriage return at the end would become a part of the line break.
    const bool plain =
        plain_scalar_kind(text) == SpecNode::Kind::String && text.find('\r') == std::string::npos;
    if (!plain) out << YAML::DoubleQuoted;
    if (is_block(value)) out << YAML::Literal;
    out << text;
  } else {
    out << value.dump();
  }
}

}  // namespace

namespace {

Json probe_of(const Probe& probe) {
  const Probe standard;
  Json out = Json::object();
  if (probe.kind == Probe::Kind::Tcp) out["tcp"] = true;
  if (probe.kind == Probe::Kind::Http) out["http"] = probe.path;
  if (probe.kind == Probe::Kind::Exec) out["exec"] = probe.command;
  if (probe.kind == Probe::Kind::Log) out["log"] = probe.pattern;
  if (probe.kind == Probe::Kind::Heartbeat) {
    out["heartbeat"] = duration_text(probe.interval);
    if (!probe.pattern.empty()) out["line"] = probe.pattern;
  }
  if (probe.period != standard.period) out["period"] = duration_text(probe.period);
  if (probe.timeout != standard.timeout) out["timeout"] = duration_text(probe.timeout);
  if (probe.failure_threshold != standard.failure_threshold) {
    out["failure_threshold"] = probe.failure_threshold;
  }
  if (probe.success_threshold != standard.success_threshold) {
    out["success_threshold"] = probe.success_threshold;
  }
  return out;
}

Json replicas_of(const ReplicaCount& count) {
  const ReplicaCount standard;
  Json out = {{"min", count.min}, {"max", count.max}};
  if (count.target_in_flight != 0) out["target_in_flight"] = count.target_in_flight;
  if (count.target_queue_time != Duration{}) {
    out["target_queue_time"] = duration_text(count.target_queue_time);
  }
  if (count.target_gpu_activity != 0) out["target_gpu_activity"] = count.target_gpu_activity;
  if (count.frozen_max != 0) out["frozen"] = count.frozen_max;
  if (count.scale_down_after != standard.scale_down_after) {
    out["scale_down_after"] = duration_text(count.scale_down_after);
  }
  if (count.idle != standard.idle) out["idle"] = duration_text(count.idle);
  return out;
}

Json requests_of(const RequestLimits& limits) {
  const RequestLimits standard;
  Json out = Json::object();
  if (limits.queue_max != standard.queue_max) out["queue"] = limits.queue_max;
  if (limits.queue_timeout != standard.queue_timeout) {
    out["queue_timeout"] = duration_text(limits.queue_timeout);
  }
  if (limits.in_flight_max != standard.in_flight_max) out["in_flight_max"] = limits.in_flight_max;
  if (limits.silence_max != standard.silence_max) {
    out["silence_max"] = duration_text(limits.silence_max);
  }
  return out;
}

Json rollout_of(const Rollout& rollout) {
  const Rollout standard;
  Json out = Json::object();
  if (rollout.progress_deadline != standard.progress_deadline) {
    out["progress_deadline"] = duration_text(rollout.progress_deadline);
  }
  if (rollout.crashes_max != standard.crashes_max) out["crashes"] = rollout.crashes_max;
  if (rollout.drain != standard.drain) out["drain"] = duration_text(rollout.drain);
  return out;
}

}  // namespace

Result<std::string> to_yaml(const ServiceSpec& spec) {
  JobSpec replica = spec.replica;
  replica.retry = {};  // what every service has
  const auto json = as_json(replica);
  if (!json) return tl::unexpected(json.error());
  Json out = {{"kind", "service"}};
  out.update(*json);
  // What a service without it would be given.
  if (!replica.placement || replica.placement->balance == Balance::None) {
    out["placement"]["spread"] = "none";
  }
  const auto add = [](Json& to, const char* name, Json part) {
    if (!part.empty()) to[name] = std::move(part);
  };
  add(out, "replicas", replicas_of(spec.replicas));
  add(out, "requests", requests_of(spec.requests));
  Json probes = Json::object();
  if (spec.startup) probes["startup"] = probe_of(*spec.startup);
  if (spec.readiness != Probe{}) probes["readiness"] = probe_of(spec.readiness);
  if (spec.liveness) probes["liveness"] = probe_of(*spec.liveness);
  add(out, "probes", std::move(probes));
  add(out, "rollout", rollout_of(spec.rollout));
  YAML::Emitter yaml;
  emit(yaml, out);
  return std::string(yaml.c_str(), yaml.size()) + "\n";
}

Result<std::string> to_json(const JobSpec& spec) {
  const auto json = as_json(spec);
  if (!json) return tl::unexpected(json.error());
  return json->dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<std::string> to_yaml(const JobSpec& spec) {
  const auto json = as_json(spec);
  if (!json) return tl::unexpected(json.error());
  YAML::Emitter out;
  emit(out, *json);
  return std::string(out.c_str(), out.size()) + "\n";
}

}  // namespace gyre::codec
