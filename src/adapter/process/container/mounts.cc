#include "adapter/process/container/mounts.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/process/container/plan.h"

namespace gyre::process {
namespace {

// <sys/mount.h> of this libc has them too, but not all that are needed.
constexpr unsigned kCloneMount = 1U | O_CLOEXEC;  // OPEN_TREE_CLONE, OPEN_TREE_CLOEXEC
constexpr unsigned kMoveEmptyPath = 0x4;          // MOVE_MOUNT_F_EMPTY_PATH

}  // namespace

Result<Fd> open_below(const std::string& below, const std::string& path) {
  const Fd top(::open(below.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (path.empty()) {
    Fd whole(::open(below.c_str(), O_PATH | O_CLOEXEC));
    if (!whole) return os_error(fmt::format("cannot open {}", below));
    return whole;
  }
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  Fd found(top ? static_cast<int>(::syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how))
               : -1);
  if (found) return found;
  const bool leaves = errno == EXDEV || errno == ELOOP;
  return fail(
      ErrorKind::Invalid, "cannot use {}/{}: {}", below, path,
      leaves ? "a link on its way leads out of what the operator allows" : error_text(errno));
}

Result<Fd> make_user_namespace(std::int64_t base) {
  // A process that does nothing but be in it until somebody has it open. It holds all that this one
  // has open, its lock too, so it must not outlive it.
  const pid_t self = ::getpid();
  const pid_t child = static_cast<pid_t>(
      ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() == self) ::pause();
    ::_exit(0);
  }
  if (child < 0) return os_error("cannot make a user namespace");
  const std::string proc = fmt::format("/proc/{}", child);
  const std::string map = fmt::format("0 {} {}", base, kUserIds);
  const bool mapped = write_control(proc + "/uid_map", map).has_value() &&
                      write_control(proc + "/gid_map", map).has_value();
  Fd users(mapped ? ::open((proc + "/ns/user").c_str(), O_RDONLY | O_CLOEXEC) : -1);
  const int error = errno;
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  errno = error;
  if (!users) return os_error("cannot map the users of a container");
  return users;
}

Result<Fd> clone_mount(const Fd& source, const Fd* users) {
  Fd mount(
      static_cast<int>(::syscall(SYS_open_tree, source.get(), "", kCloneMount | AT_EMPTY_PATH)));
  if (!mount) return os_error("cannot mount a part of the node for a container");
  if (users == nullptr) return mount;
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_IDMAP;
  attributes.userns_fd = static_cast<std::uint64_t>(users->get());
  if (::syscall(SYS_mount_setattr, mount.get(), "", AT_EMPTY_PATH, &attributes,
                sizeof attributes) != 0) {
    return os_error("cannot map the owners of a part of the node for a container");
  }
  return mount;
}

Result<void> attach_mount(const Fd& mount, const std::string& target) {
  struct stat status {};
  const bool known = ::fstat(mount.get(), &status) == 0;
  if (known && S_ISDIR(status.st_mode)) {
    ::mkdir(target.c_str(), 0755);
  } else {
    const Fd file(::open(target.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  }
  if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, target.c_str(), kMoveEmptyPath) != 0) {
    return os_error(fmt::format("cannot mount {}", target));
  }
  return {};
}

Result<void> mount_new(const char* type, const std::string& target, const std::string& options) {
  if (::mount(type, target.c_str(), type, MS_NOSUID | MS_NODEV, options.c_str()) == 0) return {};
  return os_error(fmt::format("cannot mount {} ({})", target, type));
}

}  // namespace gyre::process
