#include "adapter/process/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "adapter/process/default_signals.h"
#include "adapter/process/exec/holder.h"

namespace gyre::process {
namespace {

enum class Step : int { Parent, Groups, Logs, Folder, Exec };

/// What the child tells before it gives up.
struct Failure {
  Step step;
  int error;
};

std::string describe(const Failure& failure, const SupervisorSpec& spec) {
  const std::string why = error_text(failure.error);
  switch (failure.step) {
    case Step::Parent:
      return "the task's supervisor ended while starting it";
    case Step::Groups:
      return fmt::format("cannot put the task into its control group: {}", why);
    case Step::Logs:
      return fmt::format("cannot open the task's log files: {}", why);
    case Step::Folder:
      return fmt::format(
          "cannot enter the working directory '{}': {}; create it on the node, or name "
          "another",
          spec.working_directory, why);
    case Step::Exec:
      break;
  }
  const std::string& program = spec.command.front();
  if (failure.error == ENOENT && program.find('/') == std::string::npos) {
    return fmt::format(
        "cannot run '{}': no such command on the task's PATH; install it on the node, "
        "or give its full path",
        program);
  }
  return fmt::format("cannot run '{}': {}", program, why);
}

bool redirect(const Fd& folder) {
  const int input = ::open("/dev/null", O_RDONLY);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND;
  const int output = ::openat(folder.get(), kStdoutFile, kFlags, 0600);
  const int errors = ::openat(folder.get(), kStderrFile, kFlags, 0600);
  return input >= 0 && output >= 0 && errors >= 0 && ::dup2(input, STDIN_FILENO) >= 0 &&
         ::dup2(output, STDOUT_FILENO) >= 0 && ::dup2(errors, STDERR_FILENO) >= 0;
}

bool enter(const Fd& folder, const SupervisorSpec& spec) {
  if (!spec.working_directory.empty()) return ::chdir(spec.working_directory.c_str()) == 0;
  if (::mkdirat(folder.get(), kWorkFolder, 0700) != 0 && errno != EEXIST) return false;
  return ::fchdir(folder.get()) == 0 && ::chdir(kWorkFolder) == 0;
}

std::vector<char*> variables_of(const SupervisorSpec& spec) {
  std::vector<char*> variables;
  for (const std::string& variable : spec.env) {
    variables.push_back(const_cast<char*>(variable.c_str()));
  }
  return variables;
}

struct Start {
  std::size_t joined;  // it is in the first of the groups already
  const Fd& go;
};

bool wait_for(const Fd& go) {
  char byte = 0;
  ssize_t n = 0;
  do {
    n = ::read(go.get(), &byte, 1);
  } while (n < 0 && errno == EINTR);
  return n == 1;
}

/// Becomes the command when it is told to go; returns only what kept it from it.
Step become(const Fd& folder, const SupervisorSpec& spec, pid_t supervisor, const Start& start) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) return Step::Parent;  // it died before the line above
  if (!join(spec.groups, start.joined)) return Step::Groups;
  if (!redirect(folder)) return Step::Logs;
  if (!enter(folder, spec)) return Step::Folder;
  ::umask(022);
  ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  std::vector<char*> arguments;
  for (const std::string& argument : spec.command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  std::vector<char*> environment = variables_of(spec);
  environment.push_back(nullptr);
  ::environ = environment.data();  // execvp() looks the command up in the task's own PATH
  default_signals();
  if (!wait_for(start.go)) return Step::Parent;
  ::execvp(arguments.front(), arguments.data());
  return Step::Exec;
}

}  // namespace

ErrorKind kind_of_exec_error(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::NotFound;
    case EACCES:
    case ENOEXEC:
    case ELOOP:
    case ENAMETOOLONG:
    case E2BIG:
      return ErrorKind::Invalid;
    default:
      return ErrorKind::Unavailable;
  }
}

Result<HeldChild> hold_child(const Fd& folder, const SupervisorSpec& spec) {
  HeldChild held;
  std::array<int, 2> failures{};
  std::array<int, 2> go{};
  if (::pipe2(failures.data(), O_CLOEXEC) != 0) return os_error("cannot start a task");
  held.failure = Fd(failures[0]);
  const Fd write_end(failures[1]);
  if (::pipe2(go.data(), O_CLOEXEC) != 0) return os_error("cannot start a task");
  held.go = {Fd(go[0]), Fd(go[1])};
  const pid_t supervisor = ::getpid();
  const auto [child, joined] = fork_into(spec.groups);
  if (child < 0) return os_error("cannot start another process on this node");
  if (child == 0) {
    held.go[1].reset();
    const Step step = become(folder, spec, supervisor, {joined, held.go[0]});
    const Failure failure{step, errno};
    static_cast<void>(!::write(write_end.get(), &failure, sizeof failure));
    ::_exit(127);
  }
  held.pid = child;
  return held;
}

Result<pid_t> let_run(HeldChild child, const SupervisorSpec& spec) {
  static_cast<void>(!::write(child.go[1].get(), "", 1));
  Failure failure{};
  ssize_t n = 0;
  do {
    n = ::read(child.failure.get(), &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  // Closed by a successful exec.
  if (n != static_cast<ssize_t>(sizeof failure)) return child.pid;
  ::waitpid(child.pid, nullptr, 0);
  const bool ran_up_to_it = failure.step == Step::Exec;
  return fail(ran_up_to_it ? kind_of_exec_error(failure.error) : ErrorKind::Unavailable, "{}",
              describe(failure, spec));
}

void start_holder(const Fd& folder, const SupervisorSpec& spec, const Fd& connection) {
  const pid_t supervisor = ::getpid();
  const auto [child, joined] = fork_into(spec.groups);
  if (child != 0) return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor || !join(spec.groups, joined)) ::_exit(0);
  const int folder_error = enter(folder, spec) ? 0 : errno;
  ::umask(022);
  ::clearenv();
  hold_command(connection.get(), variables_of(spec), folder_error);
}

}  // namespace gyre::process
