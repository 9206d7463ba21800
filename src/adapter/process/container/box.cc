#include "adapter/process/container/box.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>

#include "act/image_store.h"
#include "adapter/process/container/image_users.h"
#include "adapter/process/container/init_protocol.h"
#include "adapter/process/container/mounts.h"

namespace gyre::process {
namespace {

constexpr std::size_t kSecretBytesMax = 1U << 20U;

/// Folders that every Linux has and no container's part is in: one is covered, in this namespace
/// alone, by the box. It must be reachable for the container's users, which no state folder is.
constexpr std::array kPlaces{"/mnt", "/media", "/srv", "/opt"};

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

Result<std::string> choose_place(const ContainerPlan& plan) {
  std::vector<std::string> needed = plan.layers;
  needed.push_back(plan.init);
  needed.push_back(plan.runtime);
  for (const RuntimeHook& hook : plan.hooks) needed.push_back(hook.path);
  for (const char* place : kPlaces) {
    const bool free = std::none_of(needed.begin(), needed.end(),
                                   [&](const std::string& path) { return is_below(path, place); });
    if (free && ::access(place, X_OK) == 0) return std::string(place);
  }
  return fail(ErrorKind::Internal, "no folder to build containers in: one of {} must exist",
              fmt::join(kPlaces, ", "));
}

/// What is taken from the node before a part of it is covered.
struct Taken {
  struct Part {
    Fd source;
    std::string target;
    bool read_only = false;
  };
  std::vector<Fd> layers;
  std::vector<Fd> locks;
  std::vector<Part> parts;
  std::vector<std::pair<std::string, std::string>> secrets;  // name, value
};

Result<void> take_part(Taken& taken, const char* source, const char* target) {
  Fd file(::open(source, O_PATH | O_CLOEXEC));
  if (!file) return os_error(fmt::format("cannot open {}", source));
  taken.parts.push_back({std::move(file), target, true});
  return {};
}

Result<Taken> take(const ContainerPlan& plan) {
  Taken taken;
  for (const std::string& layer : plan.layers) {
    Fd lock(::open((layer + act::kLayerLock).c_str(), O_RDONLY | O_CLOEXEC));
    const bool locked = lock && ::flock(lock.get(), LOCK_SH | LOCK_NB) == 0;
    Fd folder(locked ? ::open(layer.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1);
    taken.locks.push_back(std::move(lock));
    if (!folder) {
      return fail(ErrorKind::Unavailable,
                  "a layer of the image is no longer in the cache; it is fetched again");
    }
    taken.layers.push_back(std::move(folder));
  }
  for (const BindMount& volume : plan.volumes) {
    auto source = open_below(volume.below, volume.path);
    if (!source) return tl::unexpected(source.error());
    taken.parts.push_back({std::move(*source), volume.target, volume.read_only});
  }
  if (auto done = take_part(taken, plan.init.c_str(), kInitTarget); !done) {
    return tl::unexpected(done.error());
  }
  const bool host_network = plan.network == ContainerSpec::Network::Host;
  for (const char* file : {"/etc/resolv.conf", "/etc/hosts"}) {
    if (host_network && ::access(file, R_OK) == 0) static_cast<void>(take_part(taken, file, file));
  }
  for (const auto& [name, path] : plan.secrets) {
    const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    auto value = file ? read_all(file, kSecretBytesMax) : tl::unexpected(Error{});
    if (!value) return fail(ErrorKind::Invalid, "the secret '{}' is not on this node", name);
    taken.secrets.emplace_back(name, std::move(*value));
  }
  return taken;
}

Result<void> mount_root(const ContainerPlan& plan, const Box& box, const Taken& taken,
                        const Fd* users) {
  const std::string layers = box.folder + "/l";
  const std::string scratch = box.folder + "/rw";
  for (const std::string& folder : {layers, scratch, box.root}) ::mkdir(folder.c_str(), 0755);
  // Where the root is read-only, only the places of mounts are written here.
  const std::int64_t size = plan.writable_root ? plan.root_size.value : 4;
  if (auto done = mount_new("tmpfs", scratch, fmt::format("mode=755,size={}m", size)); !done) {
    return done;
  }
  const std::string upper = scratch + "/upper";
  const std::string work = scratch + "/work";
  const auto owner = static_cast<uid_t>(plan.user_base);
  if (::mkdir(upper.c_str(), 0755) != 0 || ::mkdir(work.c_str(), 0700) != 0 ||
      ::chown(upper.c_str(), owner, owner) != 0) {
    return os_error("cannot make a container's root");
  }
  std::string lower;
  for (std::size_t i = 0; i < taken.layers.size(); ++i) {
    const auto mount = clone_mount(taken.layers[i], users);
    if (!mount) return tl::unexpected(mount.error());
    const std::string point = fmt::format("{}/{}", layers, i);
    if (auto done = attach_mount(*mount, point); !done) return done;
    lower = lower.empty() ? point : point + ":" + lower;
  }
  return mount_new("overlay", box.root,
                   fmt::format("lowerdir={},upperdir={},workdir={}", lower, upper, work));
}

Result<std::vector<StagedMount>> stage(const ContainerPlan& plan, const Box& box,
                                       const Taken& taken, const Fd* users) {
  std::vector<StagedMount> staged;
  const std::string folder = box.folder + "/in";
  ::mkdir(folder.c_str(), 0755);
  for (const Taken::Part& part : taken.parts) {
    auto mount = clone_mount(part.source, users);
    // Not every file system can map owners; there the container's root owns nothing of it.
    if (!mount && users != nullptr) mount = clone_mount(part.source, nullptr);
    if (!mount) return tl::unexpected(mount.error());
    const std::string point = fmt::format("{}/{}", folder, staged.size());
    if (auto done = attach_mount(*mount, point); !done) return tl::unexpected(done.error());
    staged.push_back({point, part.target, part.read_only, false});
  }
  if (taken.secrets.empty()) return staged;
  const std::string secrets = box.folder + "/secrets";
  ::mkdir(secrets.c_str(), 0755);
  const auto uid = static_cast<uid_t>(plan.user_base + box.user.uid);
  const auto gid = static_cast<gid_t>(plan.user_base + box.user.gid);
  for (const auto& [name, value] : taken.secrets) {
    const Fd file(
        ::open((secrets + "/" + name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400));
    if (!file || !write_all(file, value) || ::fchown(file.get(), uid, gid) != 0) {
      return os_error("cannot hand a secret to a container");
    }
  }
  staged.push_back({secrets, "/run/secrets", true, false});
  return staged;
}

}  // namespace

Result<void> leave_namespace() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) {
    return os_error("cannot make a mount namespace for a container");
  }
  return {};
}

Result<Box> make_box(const ContainerPlan& plan) {
  auto place = choose_place(plan);
  if (!place) return tl::unexpected(place.error());
  auto taken = take(plan);
  if (!taken) return tl::unexpected(taken.error());
  std::optional<Fd> users;
  if (plan.user_base != 0) {
    auto made = make_user_namespace(plan.user_base);
    if (!made) return tl::unexpected(made.error());
    users = std::move(*made);
  }
  const Fd* mapping = users ? &*users : nullptr;
  Box box{*place, *place + "/root",       *place + "/state", *place + "/bundle",
          {},     std::move(taken->locks)};
  if (auto done = mount_new("tmpfs", box.folder, "mode=755,size=16m"); !done) {
    return tl::unexpected(done.error());
  }
  ::mkdir(box.state.c_str(), 0700);
  ::mkdir(box.bundle.c_str(), 0700);
  if (auto done = mount_root(plan, box, *taken, mapping); !done) {
    return tl::unexpected(done.error());
  }
  auto user = find_user(box.root, plan.user);
  if (!user) return tl::unexpected(user.error());
  box.user = std::move(*user);
  const auto mounts = stage(plan, box, *taken, mapping);
  if (!mounts) return tl::unexpected(mounts.error());
  const std::string config = oci_config(plan, box.user, box.root, *mounts);
  const auto bundle = open_folder(box.bundle);
  if (!bundle) return tl::unexpected(bundle.error());
  if (auto done = replace_file(*bundle, "config.json", config, Sync::No); !done) {
    return tl::unexpected(done.error());
  }
  return box;
}

}  // namespace gyre::process
