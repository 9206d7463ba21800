#include "adapter/process/container/host.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "adapter/process/container/cdi.h"
#include "adapter/process/container/mounts.h"
#include "adapter/process/own_group.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kUserBase = 1LL << 28U;  // beyond what people and services are numbered
constexpr std::int64_t kUserRanges = 16'384;    // and as many for containers made beforehand
constexpr const char* kFallbackPath =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::string find_program(const char* name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path != nullptr ? path : kFallbackPath);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string program = folder + "/" + name;
    if (folder.starts_with('/') && ::access(program.c_str(), X_OK) == 0) return program;
  }
  return {};
}

std::string strip_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

/// Each container has its own range of users, so that none can touch what is another's.
std::int64_t user_base(const act::TaskKey& key) {
  const auto number = key.job.value * 61 + static_cast<std::uint64_t>(key.attempt) * 7 +
                      static_cast<std::uint64_t>(key.rank);
  return kUserBase +
         static_cast<std::int64_t>(number % static_cast<std::uint64_t>(kUserRanges)) * kUserIds;
}

}  // namespace

std::int64_t warm_user_base(std::uint64_t number) {
  const auto range = static_cast<std::int64_t>(number % static_cast<std::uint64_t>(kUserRanges));
  return kUserBase + (kUserRanges + range) * kUserIds;
}

std::string program_beside(const char* name) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  const std::string path = (own.parent_path() / name).string();
  return !error && ::access(path.c_str(), X_OK) == 0 ? path : std::string();
}

RuntimeFacts find_runtime() {
  RuntimeFacts facts;
  facts.runtime = find_program("crun");
  facts.is_crun = !facts.runtime.empty();
  if (!facts.is_crun) facts.runtime = find_program("runc");
  // crun refuses to run where both versions of control groups are.
  const std::string cgroup2 = own_group("cgroup2", "").mount_point;
  const bool hybrid = !cgroup2.empty() && cgroup2 != "/sys/fs/cgroup";
  if (facts.is_crun && hybrid) facts.hide_cgroup2 = cgroup2;
  return facts;
}

ContainerHost::ContainerHost(ContainerOptions options) : options_(std::move(options)) {
  common_.init = program_beside("gyre-init");
  RuntimeFacts facts = find_runtime();
  common_.runtime = std::move(facts.runtime);
  common_.is_crun = facts.is_crun;
  common_.hide_cgroup2 = std::move(facts.hide_cgroup2);
  if (::geteuid() != 0) {
    why_not_ = "Gyre does not run as root";
  } else if (common_.runtime.empty()) {
    why_not_ = "there is no crun or runc on the PATH; install one";
  } else if (common_.init.empty()) {
    why_not_ = "gyre-init is not beside this program; install it there";
  }
  if (!why_not_.empty()) {
    lines_.push_back("containers: off: " + why_not_);
    return;
  }
  find_users();
  lines_.push_back(fmt::format(
      "containers: {}{}; users {}", common_.runtime,
      common_.hide_cgroup2.empty() ? "" : " (the cgroup2 mount is kept out of its sight)",
      maps_users_ ? "mapped: root in a container is nobody here"
                  : "not mapped: the kernel or file system cannot"));
}

void ContainerHost::find_users() {
  const Fd folder(::open(options_.images.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const auto users = make_user_namespace(kUserBase);
  maps_users_ = folder && users && clone_mount(folder, &*users).has_value();
}

Result<BindMount> ContainerHost::allow(const ContainerSpec::Volume& volume) const {
  const std::string source = strip_slashes(volume.source);
  for (const std::string& entry : options_.volumes) {
    const bool only_reading = entry.ends_with(":ro");
    const std::string top = strip_slashes(entry.substr(0, entry.size() - (only_reading ? 3 : 0)));
    const bool inside = source == top || source.starts_with(top == "/" ? top : top + "/");
    if (!inside || (only_reading && !volume.read_only)) continue;
    const std::string rest = source == top ? "" : source.substr(top == "/" ? 1 : top.size() + 1);
    return BindMount{top, rest, volume.target, volume.read_only};
  }
  return fail(
      ErrorKind::Invalid,
      "the volume '{}' is not allowed{}: the operator allows {} (gyre up --volume)", volume.source,
      volume.read_only ? "" : " for writing",
      options_.volumes.empty() ? "none" : fmt::format("{}", fmt::join(options_.volumes, ", ")));
}

Result<void> ContainerHost::add_devices(ContainerPlan& plan, const act::TaskStart& task) const {
  std::vector<std::string> wanted;
  for (const std::string& device : task.container.devices) {
    const std::string kind = device.substr(0, device.find('='));
    const auto& allowed = options_.devices;
    if (std::find(allowed.begin(), allowed.end(), kind) == allowed.end()) {
      return fail(ErrorKind::Invalid,
                  "the device '{}' is not allowed: the operator allows {} (gyre up --device)",
                  device, allowed.empty() ? "none" : fmt::format("{}", fmt::join(allowed, ", ")));
    }
    wanted.push_back(device);
  }
  for (const std::string& gpu : task.gpu_devices) wanted.push_back("nvidia.com/gpu=" + gpu);
  if (wanted.empty()) return {};
  return apply_cdi(options_.cdi_folders, wanted, plan);
}

Result<std::string> ContainerHost::secret_path(const std::string& name) const {
  const std::string path = options_.secrets + "/" + name;
  if (!options_.secrets.empty() && ::access(path.c_str(), R_OK) == 0) return path;
  return fail(ErrorKind::Invalid, "there is no secret '{}' on this node: put it into {}/{}", name,
              options_.secrets.empty() ? "STATE/secrets" : options_.secrets, name);
}

Result<std::optional<std::string>> ContainerHost::registry_logins(const std::string& secret) const {
  constexpr std::size_t kLoginsBytesMax = 1U << 20U;
  if (secret.empty()) return std::nullopt;
  const auto path = secret_path(secret);
  if (!path) return tl::unexpected(path.error());
  const Fd file(::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  auto text = file ? read_all(file, kLoginsBytesMax) : tl::unexpected(Error{});
  if (text) return std::move(*text);
  return fail(ErrorKind::Invalid,
              "the secret '{}' cannot be read as logins for registries: a file "
              "of {} bytes at most",
              secret, kLoginsBytesMax);
}

Result<ContainerPlan> ContainerHost::plan(const act::TaskStart& task,
                                          const act::PreparedImage& image) const {
  if (!why_not_.empty()) {
    return fail(ErrorKind::Unsupported, "this node runs no containers: {}", why_not_);
  }
  const ContainerSpec& spec = task.container;
  ContainerPlan plan = common_;
  plan.layers = image.layers;
  plan.env = image.env;
  plan.working_directory = image.working_directory;
  plan.user = spec.user.empty() ? image.user : spec.user;
  plan.hostname = "gyre-task";
  plan.writable_root = spec.writable_root;
  plan.network = spec.network;
  plan.tmpfs = spec.tmpfs;
  plan.root_size = options_.root_size;
  plan.tmp_size = options_.tmp_size;
  plan.pids_max = options_.pids_max;
  plan.files_max = options_.files_max;
  if (maps_users_) plan.user_base = user_base(task.key);
  for (const auto& volume : spec.volumes) {
    auto allowed = allow(volume);
    if (!allowed) return tl::unexpected(allowed.error());
    plan.volumes.push_back(std::move(*allowed));
  }
  for (const std::string& secret : spec.secrets) {
    auto path = secret_path(secret);
    if (!path) return tl::unexpected(path.error());
    plan.secrets.emplace_back(secret, std::move(*path));
  }
  if (auto done = add_devices(plan, task); !done) return tl::unexpected(done.error());
  return plan;
}

}  // namespace gyre::process
