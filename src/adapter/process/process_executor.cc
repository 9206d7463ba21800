#include "adapter/process/process_executor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "adapter/process/folder.h"
#include "adapter/process/process_tree.h"
#include "adapter/process/spawn.h"
#include "adapter/process/supervisor.h"
#include "base/assert.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr int kDiscardWaitMs = 5'000;
constexpr int kLockTries = 200;
constexpr std::chrono::milliseconds kLockPause{10};
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What tasks take over of this program's environment; nothing else, since it may hold secrets.
constexpr std::array kInherited{"PATH", "HOME",   "USER", "LOGNAME", "SHELL",
                                "LANG", "LC_ALL", "TZ",   "TMPDIR"};

std::vector<std::string> base_environment() {
  std::vector<std::string> env;
  for (const char* name : kInherited) {
    const char* value = std::getenv(name);
    if (value != nullptr) env.push_back(fmt::format("{}={}", name, value));
  }
  if (std::getenv("PATH") == nullptr) env.push_back(fmt::format("PATH={}", kDefaultPath));
  return env;
}

std::vector<act::FoundTask> look_around(const std::string& folder) {
  std::vector<act::FoundTask> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const auto key = act::parse_task_key(entry.path().filename().string());
    if (!key) continue;
    const bool ended = fs::exists(entry.path() / kExitFile, error);
    found.push_back({.key = *key, .ended = ended});
  }
  std::sort(found.begin(), found.end(),
            [](const act::FoundTask& a, const act::FoundTask& b) { return a.key < b.key; });
  return found;
}

/// A server that was killed leaves its lock, for a moment, to the supervisors that it was starting.
bool lock_exclusively(const Fd& file) {
  for (int tries = 0; tries < kLockTries; ++tries) {
    if (::flock(file.get(), LOCK_EX | LOCK_NB) == 0) return true;
    std::this_thread::sleep_for(kLockPause);
  }
  return false;
}

bool wait_for_end(const Fd& process) {
  pollfd wait{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, kDiscardWaitMs) > 0;
}

/// Has the supervisor end its task, and if that takes too long ends the supervisor.
void end_supervised(const Fd& folder, pid_t supervisor) {
  const Fd process = open_process(supervisor);
  if (!process) return;
  static_cast<void>(replace_file(folder, kStopFile, encode(act::StopOptions{}), Sync::No));
  send_signal(process, SIGUSR1);
  if (!wait_for_end(process)) {
    send_signal(process, SIGKILL);
    wait_for_end(process);
  }
  take_exit_code(process);
}

}  // namespace

Result<std::unique_ptr<ProcessExecutor>> ProcessExecutor::open(ExecutorOptions options) {
  std::error_code error;
  fs::create_directories(options.folder, error);
  options.folder = fs::canonical(options.folder, error).string();
  const auto folder = open_folder(options.folder);
  if (!folder) return tl::unexpected(folder.error());
  ::fchmod(folder->get(), 0700);
  Fd lock(::openat(folder->get(), kLockFile, O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return os_error(fmt::format("cannot write in the folder {}", options.folder));
  if (!lock_exclusively(lock)) {
    return fail(ErrorKind::Conflict,
                "another Gyre runs tasks in {}; stop it, or use another folder", options.folder);
  }
  struct stat status {};
  if (::fstat(folder->get(), &status) != 0) return os_error("cannot look at " + options.folder);
  if (options.supervisor.empty()) {
    const std::string own = program_beside("gyre-task");
    options.supervisor = {own.empty() ? "/proc/self/exe" : own, kSupervisorCommand};
  }
  // The same after a restart, and no other folder of this machine has it.
  std::string instance = fmt::format("gyre-{:x}-{:x}", status.st_dev, status.st_ino);
  std::unique_ptr<ProcessExecutor> executor(
      new ProcessExecutor(std::move(options), std::move(lock), std::move(instance)));
  if (auto done = executor->loop_.open(); !done) return tl::unexpected(done.error());
  return executor;
}

ProcessExecutor::ProcessExecutor(ExecutorOptions options, Fd lock, std::string instance)
    : options_(std::move(options)),
      lock_(std::move(lock)),
      instance_(std::move(instance)),
      found_(look_around(options_.folder)),
      cgroups_(instance_),
      containers_(options_.containers),
      janitor_(options_.folder, options_.retention),
      loop_({.folder = options_.folder,
             .supervisor = options_.supervisor,
             .base_env = base_environment(),
             .instance = instance_,
             .warm = options_.containers.warm,
             .lease = options_.lease,
             .log_max = options_.log_max},
            cgroups_, janitor_),
      preparer_(options_.images, containers_,
                [this](Preparer::Outcome outcome) { hand_on(std::move(outcome)); }) {}

ProcessExecutor::~ProcessExecutor() {
  if (!thread_.joinable()) return;
  loop_.post(TaskLoop::Quit{});
  thread_.join();
}

void ProcessExecutor::listen(act::TaskListener& listener) {
  GYRE_ASSERT(!thread_.joinable());
  thread_ = std::thread([this, &listener] { loop_.run(listener); });
}

void ProcessExecutor::start(const act::TaskStart& task) {
  if (!task.container.image.empty()) return preparer_.take(task);
  loop_.post(
      TaskLoop::Begin{task, {}, {}, options_.containers.pids_max, unix_now(), monotonic_now(), {}});
}

void ProcessExecutor::hand_on(Preparer::Outcome outcome) {
  const act::TaskKey key = outcome.task.key;
  if (!outcome.plan) return loop_.post(TaskLoop::Refuse{key, outcome.plan.error()});
  const bool keeps_warm = options_.containers.warm > 0;
  loop_.post(TaskLoop::Begin{std::move(outcome.task), outcome.plan->encode(),
                             keeps_warm ? warm_shape(*outcome.plan) : std::string(),
                             outcome.plan->pids_max, outcome.received, outcome.asked_at,
                             outcome.image});
}
void ProcessExecutor::adopt(const act::TaskKey& key) { loop_.post(TaskLoop::Adopt{key}); }
void ProcessExecutor::release(const act::TaskKey& key) { loop_.post(TaskLoop::Release{key}); }

void ProcessExecutor::stop(const act::TaskKey& key, const act::StopOptions& options) {
  preparer_.cancel(key);
  loop_.post(TaskLoop::Stop{key, options});
}

void ProcessExecutor::freeze(const act::TaskKey& key, bool frozen) {
  loop_.post(TaskLoop::Freeze{key, frozen});
}

void ProcessExecutor::discard(const act::TaskKey& key) {
  const std::string path = options_.folder + "/" + act::to_string(key);
  const auto folder = open_folder(path);
  if (!folder) return;
  auto state = inspect(*folder);
  if (state && state->supervisor) {
    end_supervised(*folder, *state->supervisor);
    state = inspect(*folder);
  }
  if (!state) return;
  kill_all(state->groups);
  for (const pid_t pid : marked(instance_ + "/" + act::to_string(key))) ::kill(pid, SIGKILL);
  remove(state->groups);
  std::error_code error;
  fs::remove_all(path, error);
}

}  // namespace gyre::process
