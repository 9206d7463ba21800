#include "adapter/process/node_breaker.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <memory>
#include <vector>

#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "adapter/process/process_tree.h"

namespace gyre::process {
namespace {

constexpr Duration kMoment = milliseconds(200);  // for the answer to go out
constexpr off_t kBallastStep = 64 << 20;
constexpr off_t kBallastStepMin = 4 << 10;
constexpr int kStopRounds = 3;  // what forks meanwhile is stopped too

timespec timespec_of(Duration span) {
  return {span.ns / 1'000'000'000, static_cast<long>(span.ns % 1'000'000'000)};
}

/// Fit for use between fork and exec.
void wait_for(Duration span) {
  timespec left = timespec_of(span);
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/// Lets go of all that its parent has open, its locks among it. Fit for use between fork and exec.
void stand_alone() {
  ::setsid();
  if (::syscall(SYS_close_range, 3U, ~0U, 0U) == 0) return;
  const long most = ::sysconf(_SC_OPEN_MAX);
  for (int fd = 3; fd < most; ++fd) ::close(fd);
}

auto missing(const act::TaskKey& task) {
  return fail(ErrorKind::NotFound, "task {} does not run on this node", act::to_string(task));
}

/// Errors: NotFound.
Result<pid_t> supervisor_of(const std::string& folder, const act::TaskKey& task) {
  const auto opened = open_folder(folder + "/" + act::to_string(task));
  if (!opened) return missing(task);
  const auto state = inspect(*opened);
  if (!state || !state->supervisor || !state->running) return missing(task);
  return *state->supervisor;
}

/// What a task consists of. Errors: NotFound.
Result<std::vector<pid_t>> processes_of(const std::string& folder, const act::TaskKey& task) {
  const auto supervisor = supervisor_of(folder, task);
  if (!supervisor) return tl::unexpected(supervisor.error());
  std::vector<pid_t> found = descendants(*supervisor);
  if (found.empty()) return missing(task);
  return found;
}

void signal_all(const std::vector<pid_t>& processes, int signal) {
  for (const pid_t one : processes) ::kill(one, signal);
}

/// All tasks, and first of all who would tell how they ended.
void kill_all_tasks(const std::string& folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(::opendir(folder.c_str()), ::closedir);
  std::vector<pid_t> supervisors;
  while (const dirent* entry = tasks ? ::readdir(tasks.get()) : nullptr) {
    const auto opened = open_folder(folder + "/" + entry->d_name);
    const auto state = opened ? inspect(*opened) : tl::unexpected(opened.error());
    if (state && state->supervisor) supervisors.push_back(*state->supervisor);
  }
  signal_all(supervisors, SIGSTOP);  // none of them sees another's end
  std::vector<pid_t> all;
  for (int round = 0; round < kStopRounds; ++round) {
    all.clear();
    for (const pid_t supervisor : supervisors) {
      const std::vector<pid_t> own = descendants(supervisor);
      all.insert(all.end(), own.begin(), own.end());
    }
    signal_all(all, SIGSTOP);
  }
  signal_all(supervisors, SIGKILL);
  signal_all(all, SIGKILL);
}

/// This program's own command line.
Result<std::vector<std::string>> own_command() {
  std::vector<std::string> words;
  std::string all = read_control("/proc/self/cmdline");
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\0', at), all.size());
    words.push_back(all.substr(at, end - at));
    at = end + 1;
  }
  char path[PATH_MAX] = {};
  if (words.empty() || ::readlink("/proc/self/exe", path, sizeof(path) - 1) <= 0) {
    return os_error("cannot find this program's own file");
  }
  if (::access(path, X_OK) != 0) return os_error("this program's own file is gone");
  words.front() = path;
  return words;
}

/// Whatever was not opened so already.
void close_all_at_exec() {
  const std::unique_ptr<DIR, int (*)(DIR*)> open_files(::opendir("/proc/self/fd"), ::closedir);
  while (const dirent* entry = open_files ? ::readdir(open_files.get()) : nullptr) {
    const int fd = std::atoi(entry->d_name);
    if (fd > STDERR_FILENO) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}

}  // namespace

NodeBreaker::~NodeBreaker() {
  if (reaper_.joinable()) reaper_.detach();
}

void NodeBreaker::reap(pid_t child) {
  const std::lock_guard guard(mutex_);
  if (reaper_.joinable()) reaper_.detach();
  reaper_ = std::thread([child] { ::waitpid(child, nullptr, 0); });
}

Result<void> NodeBreaker::kill_task(const act::TaskKey& task) {
  const auto processes = processes_of(folder_, task);
  if (!processes) return tl::unexpected(processes.error());
  signal_all(*processes, SIGKILL);
  return {};
}

Result<void> NodeBreaker::hang_task(const act::TaskKey& task, Duration lasts) {
  const auto supervisor = supervisor_of(folder_, task);
  if (!supervisor) return tl::unexpected(supervisor.error());
  const std::vector<pid_t> stopped = halt_descendants(*supervisor);
  if (stopped.empty()) return missing(task);
  const pid_t helper = ::fork();
  if (helper == 0) {
    stand_alone();
    wait_for(lasts);
    for (const pid_t one : stopped) ::kill(one, SIGCONT);
    ::_exit(0);
  }
  if (helper < 0) {
    signal_all(stopped, SIGCONT);
    return os_error("cannot start what would let the task go on");
  }
  reap(helper);
  return {};
}

void NodeBreaker::resume_task(const act::TaskKey& task) {
  const auto processes = processes_of(folder_, task);
  if (processes) signal_all(*processes, SIGCONT);
}

Result<void> NodeBreaker::pause(Duration lasts) {
  const pid_t self = ::getpid();
  const pid_t helper = ::fork();
  if (helper == 0) {
    stand_alone();
    wait_for(kMoment);
    if (::getppid() == self) ::kill(self, SIGSTOP);
    wait_for(lasts);
    if (::getppid() == self) ::kill(self, SIGCONT);
    ::_exit(0);
  }
  if (helper < 0) return os_error("cannot start what would let the agent go on");
  reap(helper);
  return {};
}

Result<void> NodeBreaker::restart(Duration away, bool tasks_too) {
  auto command = own_command();
  if (!command) return tl::unexpected(command.error());
  std::thread([words = std::move(*command), away, tasks = tasks_too ? folder_ : ""]() mutable {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kMoment.ns));
    if (!tasks.empty()) kill_all_tasks(tasks);
    // A shell waits in its place, so that whoever started it sees one process that goes on.
    std::vector<std::string> all{"/bin/sh", "-c", "sleep \"$0\"; exec \"$@\"",
                                 fmt::format("{:.3f}", away.seconds())};
    all.insert(all.end(), words.begin(), words.end());
    std::vector<char*> arguments;
    for (std::string& word : all) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
    close_all_at_exec();
    ::execv(arguments.front(), arguments.data());
  }).detach();
  return {};
}

DiskFiller::DiskFiller(const std::string& folder)
    : folder_(folder), ballast_(folder + "/chaos-ballast") {
  empty();
}

std::string DiskFiller::obstacle() const {
  struct stat own = {};
  struct stat root = {};
  struct statvfs room = {};
  if (::stat(folder_.c_str(), &own) != 0 || ::stat("/", &root) != 0 ||
      ::statvfs(folder_.c_str(), &room) != 0) {
    return os_error("cannot look at the disk of " + folder_).value().message;
  }
  const auto size = static_cast<std::int64_t>(room.f_blocks * room.f_frsize);
  if (own.st_dev != root.st_dev && size <= kSizeMax) return "";
  return fmt::format(
      "{} is on a file system of {} MiB that others use too: mount one of its own there, of {} MiB "
      "at most, as in 'mount -t tmpfs -o size=1G none {}'",
      folder_, size >> 20, kSizeMax >> 20, folder_);
}

Result<void> DiskFiller::fill(Duration lasts) {
  if (const std::string why = obstacle(); !why.empty()) {
    return fail(ErrorKind::Unsupported, "{}", why);
  }
  const int file = ::open(ballast_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return os_error("cannot make " + ballast_);
  struct stat ours = {};
  ::fstat(file, &ours);
  const pid_t helper = ::fork();
  if (helper == 0) {
    stand_alone();
    struct stat now = {};
    const auto lies_there = [&] {
      return ::stat(ballast_.c_str(), &now) == 0 && now.st_ino == ours.st_ino;
    };
    for (Duration left = lasts; left.ns > 0 && lies_there(); left = left - seconds(1)) {
      wait_for(std::min(left, seconds(1)));
    }
    if (lies_there()) ::unlink(ballast_.c_str());
    ::_exit(0);
  }
  if (helper < 0) {
    ::close(file);
    empty();
    return os_error("cannot start what would make room again");
  }
  std::thread([helper] { ::waitpid(helper, nullptr, 0); }).detach();
  off_t size = 0;
  for (off_t step = kBallastStep; step >= kBallastStepMin && size < kSizeMax;) {
    if (::fallocate(file, 0, size, step) == 0) {
      size += step;
    } else {
      step /= 2;
    }
  }
  ::close(file);
  return {};
}

void DiskFiller::empty() { ::unlink(ballast_.c_str()); }

}  // namespace gyre::process
