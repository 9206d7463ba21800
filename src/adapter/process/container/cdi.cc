#include "adapter/process/container/cdi.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kFileBytesMax = 4U << 20U;

std::string text_of(const YAML::Node& node) { return node ? node.as<std::string>() : ""; }

std::vector<std::string> texts_of(const YAML::Node& node) {
  return node ? node.as<std::vector<std::string>>() : std::vector<std::string>{};
}

void apply_edits(const YAML::Node& edits, ContainerPlan& plan) {
  if (!edits) return;
  for (const std::string& variable : texts_of(edits["env"])) plan.env.push_back(variable);
  for (const YAML::Node& node : edits["deviceNodes"]) {
    DeviceNode device;
    device.target = text_of(node["path"]);
    device.source = node["hostPath"] ? text_of(node["hostPath"]) : device.target;
    if (node["permissions"]) device.access = text_of(node["permissions"]);
    plan.devices.push_back(std::move(device));
  }
  for (const YAML::Node& node : edits["mounts"]) {
    BindMount mount;
    mount.below = text_of(node["hostPath"]);
    mount.target = text_of(node["containerPath"]);
    const auto options = texts_of(node["options"]);
    mount.read_only = std::find(options.begin(), options.end(), "ro") != options.end();
    plan.volumes.push_back(std::move(mount));
  }
  for (const YAML::Node& node : edits["hooks"]) {
    plan.hooks.push_back({text_of(node["hookName"]), text_of(node["path"]), texts_of(node["args"]),
                          texts_of(node["env"])});
  }
}

std::vector<std::string> apply_spec(const YAML::Node& spec, const std::vector<std::string>& wanted,
                                    ContainerPlan& plan) {
  std::vector<std::string> known;
  const std::string kind = text_of(spec["kind"]);
  for (const YAML::Node& device : spec["devices"]) {
    const std::string name = kind + "=" + text_of(device["name"]);
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) continue;
    apply_edits(device["containerEdits"], plan);
    known.push_back(name);
  }
  if (!known.empty()) apply_edits(spec["containerEdits"], plan);
  return known;
}

std::vector<fs::path> files_of(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string type = entry.path().extension();
    const bool is_spec = type == ".json" || type == ".yaml" || type == ".yml";
    if (is_spec && entry.file_size(error) <= kFileBytesMax) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<std::vector<std::string>> apply_cdi_file(std::string_view text,
                                                const std::vector<std::string>& wanted,
                                                ContainerPlan& plan) {
  try {
    const YAML::Node spec = YAML::Load(std::string(text));
    if (!spec.IsMap() || !spec["cdiVersion"] || !spec["kind"]) {
      return fail(ErrorKind::Invalid, "it has no cdiVersion and kind");
    }
    ContainerPlan edited = plan;
    auto known = apply_spec(spec, wanted, edited);
    plan = std::move(edited);
    return known;
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::Invalid, "{}", error.what());
  }
}

Result<void> apply_cdi(const std::vector<std::string>& folders,
                       const std::vector<std::string>& wanted, ContainerPlan& plan) {
  std::vector<std::string> left = wanted;
  for (auto folder = folders.rbegin(); folder != folders.rend(); ++folder) {
    for (const fs::path& path : files_of(*folder)) {
      std::ifstream file(path, std::ios::binary);
      std::ostringstream text;
      text << file.rdbuf();
      const auto known = apply_cdi_file(text.str(), left, plan);
      if (!known) {
        return fail(ErrorKind::Invalid, "{} is no CDI file: {}", path.string(),
                    known.error().message);
      }
      std::erase_if(left, [&](const std::string& name) {
        return std::find(known->begin(), known->end(), name) != known->end();
      });
    }
  }
  if (left.empty()) return {};
  return fail(ErrorKind::NotFound,
              "no CDI file in {} knows the device '{}'; for NVIDIA GPUs run 'nvidia-ctk cdi "
              "generate --output=/etc/cdi/nvidia.yaml'",
              fmt::join(folders, ", "), left.front());
}

}  // namespace gyre::process
