#include "adapter/process/container/plan.h"

#include <nlohmann/json.hpp>

namespace gyre::process {
namespace {

using Json = nlohmann::json;

Json to_json(const BindMount& mount) {
  return {mount.below, mount.path, mount.target, mount.read_only};
}
void from_json(const Json& json, BindMount& out) {
  out = {json.at(0), json.at(1), json.at(2), json.at(3)};
}
Json to_json(const DeviceNode& node) { return {node.source, node.target, node.access}; }
void from_json(const Json& json, DeviceNode& out) { out = {json.at(0), json.at(1), json.at(2)}; }
Json to_json(const RuntimeHook& hook) { return {hook.stage, hook.path, hook.arguments, hook.env}; }
void from_json(const Json& json, RuntimeHook& out) {
  out = {json.at(0), json.at(1), json.at(2), json.at(3)};
}
Json to_json(const ContainerSpec::Tmpfs& tmpfs) { return {tmpfs.path, tmpfs.size.value}; }
void from_json(const Json& json, ContainerSpec::Tmpfs& out) { out = {json.at(0), {json.at(1)}}; }

template <class T>
Json list(const std::vector<T>& items) {
  Json out = Json::array();
  for (const T& item : items) out.push_back(to_json(item));
  return out;
}
template <class T>
void read(const Json& json, std::vector<T>& items) {
  for (const Json& item : json) from_json(item, items.emplace_back());
}

ContainerPlan plan_of(const Json& json) {
  ContainerPlan plan;
  plan.runtime = json.at("runtime");
  plan.is_crun = json.at("is_crun");
  plan.init = json.at("init");
  plan.hide_cgroup2 = json.at("hide_cgroup2");
  plan.user_base = json.at("user_base");
  plan.layers = json.at("layers");
  plan.env = json.at("env");
  plan.working_directory = json.at("working_directory");
  plan.user = json.at("user");
  plan.hostname = json.at("hostname");
  plan.writable_root = json.at("writable_root");
  plan.root_size = {json.at("root_mib")};
  plan.tmp_size = {json.at("tmp_mib")};
  plan.network = static_cast<ContainerSpec::Network>(json.at("network").get<int>());
  plan.pids_max = json.at("pids_max");
  plan.files_max = json.at("files_max");
  read(json.at("volumes"), plan.volumes);
  read(json.at("tmpfs"), plan.tmpfs);
  plan.secrets = json.at("secrets");
  read(json.at("devices"), plan.devices);
  read(json.at("hooks"), plan.hooks);
  return plan;
}

}  // namespace

std::string ContainerPlan::encode() const {
  const Json json{{"runtime", runtime},
                  {"is_crun", is_crun},
                  {"init", init},
                  {"hide_cgroup2", hide_cgroup2},
                  {"user_base", user_base},
                  {"layers", layers},
                  {"env", env},
                  {"working_directory", working_directory},
                  {"user", user},
                  {"hostname", hostname},
                  {"writable_root", writable_root},
                  {"root_mib", root_size.value},
                  {"tmp_mib", tmp_size.value},
                  {"network", static_cast<int>(network)},
                  {"pids_max", pids_max},
                  {"files_max", files_max},
                  {"volumes", list(volumes)},
                  {"tmpfs", list(tmpfs)},
                  {"secrets", secrets},
                  {"devices", list(devices)},
                  {"hooks", list(hooks)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<ContainerPlan> ContainerPlan::decode(std::string_view text) {
  try {
    return plan_of(Json::parse(text));
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Invalid, "the record of the task's container cannot be read: {}",
                error.what());
  }
}

}  // namespace gyre::process
