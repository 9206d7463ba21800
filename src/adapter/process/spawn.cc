#include "adapter/process/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

/// What a new process is like before its program begins; freed with its owner.
class SpawnSetup {
 public:
  SpawnSetup() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

Result<Fd> spawn_supervisor(const std::vector<std::string>& command, const std::string& path,
                            const Fd& lock) {
  const std::string log_path = path + "/" + kSupervisorLog;
  const Fd log(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  const Fd nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!log || !nothing) return os_error(fmt::format("cannot open {}", log_path));
  SpawnSetup setup;
  // Until the last of these the new process has all that this one has open, its locks among it. So
  // that one which is killed now does not leave them held, nothing here may wait for a disk.
  ::posix_spawn_file_actions_adddup2(&setup.actions, log.get(), STDERR_FILENO);
  ::posix_spawn_file_actions_adddup2(&setup.actions, nothing.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&setup.actions, nothing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&setup.actions, lock.get(), kLockDescriptor);
  ::posix_spawn_file_actions_addclosefrom_np(&setup.actions, kLockDescriptor + 1);
  sigset_t all;
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&setup.attributes, &all);
  ::posix_spawnattr_setsigdefault(&setup.attributes, &all);
  ::posix_spawnattr_setflags(&setup.attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(const_cast<char*>(path.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = 0;
  errno = ::posix_spawn(&pid, arguments.front(), &setup.actions, &setup.attributes,
                        arguments.data(), ::environ);
  if (errno != 0) return os_error("cannot start a task's supervisor on this node");
  Fd process = open_process(pid);
  if (!process) return os_error("cannot watch a task's supervisor");
  return process;
}

Fd open_process(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

bool send_signal(const Fd& process, int signal) {
  return ::syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0;
}

int take_exit_code(const Fd& process) {
  siginfo_t info{};
  const int done = ::waitid(P_PIDFD, static_cast<id_t>(process.get()), &info, WEXITED | WNOHANG);
  return done == 0 && info.si_code == CLD_EXITED ? info.si_status : -1;
}

}  // namespace gyre::process
