#include "adapter/process/container/oci_config.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "adapter/process/container/init_protocol.h"

namespace gyre::process {
namespace {

using Json = nlohmann::json;

/// What root of a container may do: change owners and modes of its own files, and change to another
/// of its users. Nothing of it reaches the node's devices, network or mounts.
constexpr std::array kCapabilities{"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",
                                   "CAP_FSETID", "CAP_KILL",         "CAP_SETGID",
                                   "CAP_SETUID", "CAP_SETPCAP",      "CAP_NET_BIND_SERVICE"};

constexpr std::array kMasked{"/proc/acpi",
                             "/proc/asound",
                             "/proc/kcore",
                             "/proc/keys",
                             "/proc/latency_stats",
                             "/proc/timer_list",
                             "/proc/timer_stats",
                             "/proc/sched_debug",
                             "/proc/scsi",
                             "/sys/firmware",
                             "/sys/devices/virtual/powercap"};
constexpr std::array kReadOnly{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                               "/proc/sysrq-trigger"};

Json mount(const std::string& target, const char* type, const char* source, Json options) {
  return {
      {"destination", target}, {"type", type}, {"source", source}, {"options", std::move(options)}};
}

std::string size_option(MemoryMib size) { return fmt::format("size={}m", size.value); }

Json kernel_mounts(const ContainerPlan& plan) {
  Json out = Json::array();
  out.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push_back(
      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}));
  out.push_back(mount("/dev/pts", "devpts", "devpts",
                      {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}));
  out.push_back(mount("/dev/shm", "tmpfs", "shm",
                      {"nosuid", "noexec", "nodev", "mode=1777", size_option(plan.tmp_size)}));
  out.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  // A user namespace may mount a sysfs only of a network that is its own.
  const bool foreign_network = plan.user_base != 0 && plan.network == ContainerSpec::Network::Host;
  if (foreign_network) {
    out.push_back(mount("/sys", "bind", "/sys", {"rbind", "nosuid", "noexec", "nodev", "ro"}));
  } else {
    out.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  }
  out.push_back(mount("/tmp", "tmpfs", "tmpfs",
                      {"nosuid", "nodev", "mode=1777", size_option(plan.tmp_size)}));
  return out;
}

Json mounts_of(const ContainerPlan& plan, const std::vector<StagedMount>& staged) {
  Json out = kernel_mounts(plan);
  for (const auto& tmpfs : plan.tmpfs) {
    out.push_back(mount(tmpfs.path, "tmpfs", "tmpfs",
                        {"nosuid", "nodev", "mode=1777", size_option(tmpfs.size)}));
  }
  for (const StagedMount& one : staged) {
    Json options{one.recursive ? "rbind" : "bind", "rprivate", "nosuid", "nodev"};
    options.push_back(one.read_only ? "ro" : "rw");
    out.push_back(mount(one.target, "bind", one.source.c_str(), std::move(options)));
  }
  return out;
}

Json namespaces_of(const ContainerPlan& plan) {
  Json out = Json::array();
  for (const char* type : {"pid", "mount", "ipc", "uts", "cgroup"}) out.push_back({{"type", type}});
  if (plan.network == ContainerSpec::Network::None) out.push_back({{"type", "network"}});
  if (plan.user_base != 0) out.push_back({{"type", "user"}});
  return out;
}

/// The limit that was asked for, or what the node's own allows: none can be raised.
Json limit(const char* type, int resource, std::int64_t wanted) {
  rlimit own{};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &own);
  const auto most = std::min<rlim_t>(static_cast<rlim_t>(wanted), own.rlim_max);
  return {{"type", type}, {"soft", most}, {"hard", most}};
}

Json process_of(const ContainerPlan& plan, const ContainerUser& user) {
  Json capabilities = Json::array();
  if (user.uid == 0) capabilities = kCapabilities;
  Json sets = Json::object();
  for (const char* set : {"bounding", "effective", "permitted"}) sets[set] = capabilities;
  Json env = plan.env;
  const auto has = [&](std::string_view name) {
    return std::any_of(plan.env.begin(), plan.env.end(),
                       [&](const std::string& one) { return one.starts_with(name); });
  };
  if (!has("PATH=")) {
    env.push_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  }
  if (!has("HOME=")) env.push_back("HOME=" + user.home);
  Json limits = Json::array();
  if (plan.files_max > 0) limits.push_back(limit("RLIMIT_NOFILE", RLIMIT_NOFILE, plan.files_max));
  limits.push_back({{"type", "RLIMIT_CORE"}, {"soft", 0}, {"hard", 0}});
  return {{"terminal", false},
          {"user", {{"uid", user.uid}, {"gid", user.gid}}},
          {"args", {kInitTarget}},
          {"env", std::move(env)},
          {"cwd", "/"},
          {"capabilities", std::move(sets)},
          {"rlimits", std::move(limits)},
          {"noNewPrivileges", true}};
}

Json device_of(const DeviceNode& node) {
  struct stat status {};
  if (::stat(node.source.c_str(), &status) != 0) return {};
  return {{"path", node.target},
          {"type", S_ISBLK(status.st_mode) ? "b" : "c"},
          {"major", major(status.st_rdev)},
          {"minor", minor(status.st_rdev)},
          {"fileMode", status.st_mode & 0777},
          {"uid", 0},
          {"gid", 0}};
}

Json linux_of(const ContainerPlan& plan) {
  Json out{{"namespaces", namespaces_of(plan)},
           {"maskedPaths", kMasked},
           {"readonlyPaths", kReadOnly},
           {"rootfsPropagation", "private"}};
  if (plan.user_base != 0) {
    const Json map{{{"containerID", 0}, {"hostID", plan.user_base}, {"size", kUserIds}}};
    out["uidMappings"] = map;
    out["gidMappings"] = map;
  }
  Json devices = Json::array();
  for (const DeviceNode& node : plan.devices) {
    if (Json device = device_of(node); !device.is_null()) devices.push_back(std::move(device));
  }
  if (!devices.empty()) out["devices"] = std::move(devices);
  return out;
}

}  // namespace

std::string oci_config(const ContainerPlan& plan, const ContainerUser& user,
                       const std::string& root, const std::vector<StagedMount>& mounts) {
  Json config{{"ociVersion", "1.0.2"},
              {"process", process_of(plan, user)},
              {"root", {{"path", root}, {"readonly", !plan.writable_root}}},
              {"hostname", plan.hostname},
              {"mounts", mounts_of(plan, mounts)},
              {"linux", linux_of(plan)}};
  for (const RuntimeHook& hook : plan.hooks) {
    Json one{{"path", hook.path}, {"args", hook.arguments}, {"env", hook.env}};
    config["hooks"][hook.stage].push_back(std::move(one));
  }
  return config.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string plain_config(const std::string& root) {
  Json namespaces = Json::array();
  for (const char* type : {"pid", "mount", "ipc", "uts"}) namespaces.push_back({{"type", type}});
  const Json config{{"ociVersion", "1.0.2"},
                    {"process",
                     {{"terminal", false},
                      {"user", {{"uid", 0}, {"gid", 0}}},
                      {"args", {"/bin/true"}},
                      {"env", {"PATH=/bin"}},
                      {"cwd", "/"},
                      {"noNewPrivileges", true}}},
                    {"root", {{"path", root}, {"readonly", false}}},
                    {"mounts",
                     {mount("/proc", "proc", "proc", {"nosuid"}),
                      mount("/dev", "tmpfs", "tmpfs", {"nosuid", "mode=755"}),
                      mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}),
                      mount("/tmp", "tmpfs", "tmpfs", {"nosuid", "nodev"})}},
                    {"linux", {{"namespaces", std::move(namespaces)}}}};
  return config.dump();
}

}  // namespace gyre::process
