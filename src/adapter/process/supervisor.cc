#include "adapter/process/supervisor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <optional>

#include "adapter/process/child.h"
#include "adapter/process/container/session.h"
#include "adapter/process/container/warm_line.h"
#include "adapter/process/exec/door.h"
#include "adapter/process/exec/exec_protocol.h"
#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "adapter/process/freezer.h"
#include "adapter/process/lease.h"
#include "adapter/process/log_limiter.h"
#include "adapter/process/process_tree.h"

namespace gyre::process {
namespace {

constexpr std::size_t kExitFileBytes = 4096;
constexpr Duration kDefaultGrace = seconds(10);  // for a bare SIGTERM, as when the machine halts
constexpr Duration kSweepPause = milliseconds(5);
constexpr Duration kSweepMax = seconds(60);
constexpr Duration kLeaseLookMax = seconds(5);  // the clocks differ where a machine sleeps

/// Whoever started this process, as seen when it was first asked for.
pid_t starter() {
  static const pid_t parent = ::getppid();
  return parent;
}

/// As a shell tells that there is no such command, or that it cannot be run; all else is a fault of
/// the node.
TaskExit not_run(const Error& error) {
  if (error.kind == ErrorKind::NotFound) return {.code = 127, .message = error.message};
  if (error.kind == ErrorKind::Invalid) return {.code = 126, .message = error.message};
  return start_failed(error);
}

/// A server that lives needs what its tasks' groups are in, also one of an older release, which
/// keeps no group there.
void leave_groups(const Fd& folder, const TaskGroups& groups) {
  remove(groups);
  const std::string lock = std::string("../") + kLockFile;
  const Fd server(::openat(folder.get(), lock.c_str(), O_RDWR | O_CLOEXEC));
  if (server && ::flock(server.get(), LOCK_SH | LOCK_NB) == 0) remove_parents(groups);
}

/// When what is sent to end the task.
struct StopPlan {
  std::optional<Time> term_at;  // none: SIGTERM has been sent
  Time kill_at;
  Duration grace;
};

class Supervisor {
 public:
  Supervisor(Fd folder, SupervisorSpec spec) : folder_(std::move(folder)), spec_(std::move(spec)) {}

  SupervisorCode run();

  /// Makes a container for whatever task comes later, or what is made before its image is known.
  /// False if it cannot be made.
  bool warm_up();
  /// Takes a task over, with the container that is there.
  void adopt(Fd folder, SupervisorSpec task);
  /// Ends the container, since no task came.
  void give_up();

 private:
  Result<void> prepare();
  Result<void> prepare_container();
  Result<void> hold();
  Result<void> plant();
  std::optional<TaskExit> run_command();
  std::optional<TaskExit> run_in_container();
  void open_door();
  void admit();
  void signal_command(int signal) const;
  TaskExit wait_for_command();
  void reap();
  int wait_for_signal(std::optional<Time> deadline);
  void on_signal(int signal);
  void stop(const act::StopOptions& options);
  void escalate();
  bool lease_is_over();
  std::optional<Time> next_look() const;
  bool sweep();
  void explain(TaskExit& exit, bool swept) const;
  std::string work_folder() const;
  void keep_artifacts(TaskExit& exit) const;

  Fd folder_;
  SupervisorSpec spec_;
  std::optional<RuntimeSeed> seed_;  // for the container that comes
  std::optional<ContainerSession> container_;
  std::optional<HeldChild> held_;  // until it becomes the command
  pid_t command_ = 0;              // in a container: its first process, which hands signals on
  std::optional<LogLimiter> limiter_;
  Fd door_;  // where further commands are asked for; in a container: not here
  std::optional<ArtifactSource> files_;  // where some are to be kept
  std::optional<int> status_;            // of the command, once it has ended
  std::optional<StopPlan> stop_;
  bool killed_ = false;  // SIGKILL was sent since it outlived its grace
  bool fenced_ = false;  // its node's lease was over
  Time lease_;           // as last read, by the boot clock
};

/// Marks the command as run, for good: after this no other supervisor will run it. The file has no
/// content: it is there once its folder is on the disk.
SupervisorCode latch(const Fd& folder) {
  const Fd started(
      ::openat(folder.get(), kStartedFile, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!started) {
    return errno == EEXIST ? SupervisorCode::AlreadyRan : SupervisorCode::CannotWrite;
  }
  return ::fsync(folder.get()) == 0 ? SupervisorCode::Done : SupervisorCode::CannotWrite;
}

/// Keeps room for the exit file, so that a disk that fills up later cannot swallow the exit code.
bool reserve_exit_file(const Fd& folder) {
  const std::string draft = std::string(kExitFile) + ".tmp";
  const Fd file(::openat(folder.get(), draft.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  return file && ::posix_fallocate(file.get(), 0, kExitFileBytes) == 0;
}

/// Who started this one and waits for it makes what it reads here durable in the journal. Without
/// one it may be long until somebody reads it.
SupervisorCode leave(const Fd& folder, TaskExit exit) {
  exit.message.resize(std::min(exit.message.size(), kExitFileBytes / 2));
  exit.ended_at = unix_now();
  ::unlinkat(folder.get(), kSpecFile, 0);  // what could not be started has it still
  const Sync sync = ::getppid() == starter() ? Sync::No : Sync::Yes;
  return replace_file(folder, kExitFile, encode(exit), sync) ? SupervisorCode::Done
                                                             : SupervisorCode::CannotWrite;
}

SupervisorCode Supervisor::run() {
  Records self{{"pid", std::to_string(::getpid())}};
  spec_.groups.add_to(self);
  if (!replace_file(folder_, kSupervisorFile, encode(self), Sync::No) ||
      !reserve_exit_file(folder_)) {
    return SupervisorCode::CannotWrite;
  }
  if (exists(folder_, kStopFile)) {
    give_up();
    return leave(folder_, never_ran());
  }
  if (lease_is_over()) {
    give_up();
    return leave(folder_, {TaskExit::Kind::Lost, 0, false, "the node's lease was over"});
  }
  std::optional<TaskExit> exit;
  SupervisorCode latched = SupervisorCode::Done;
  auto made = prepare();
  if (made && !container_) made = hold();
  if (!made) {
    exit = start_failed(made.error());
  } else {
    latched = latch(folder_);
    if (latched == SupervisorCode::Done) exit = run_command();
  }
  const bool ran = latched == SupervisorCode::Done && !exit;
  if (ran) exit = wait_for_command();
  held_.reset();
  const bool swept = sweep();
  if (ran) explain(*exit, swept);
  if (ran && !fenced_) keep_artifacts(*exit);
  files_.reset();
  if (limiter_) limiter_->finish();
  if (container_) container_->clean_up();
  leave_groups(folder_, spec_.groups);
  return latched == SupervisorCode::Done ? leave(folder_, std::move(*exit)) : latched;
}

bool Supervisor::warm_up() {
  bool made = prepare().has_value();
  if (made && container_) made = container_->wait_ready().has_value();
  if (made && !container_) made = plant().has_value();
  if (!made) give_up();
  return made;
}

void Supervisor::give_up() {
  sweep();
  if (container_) container_->clean_up();
  remove(spec_.groups);
}

void Supervisor::adopt(Fd folder, SupervisorSpec task) {
  folder_ = std::move(folder);
  spec_ = std::move(task);
  spec_.stages.warm = container_.has_value();
}

/// All that can be done before the command is marked as run, a container included.
Result<void> Supervisor::prepare() {
  if (auto made = create(spec_.groups); !made) return made;
  if (container_) {  // a warm one
    spec_.stages.root = monotonic_now() - spec_.asked_at;
    return {};
  }
  return spec_.container.empty() ? Result<void>{} : prepare_container();
}

Result<void> Supervisor::prepare_container() {
  auto plan = ContainerPlan::decode(spec_.container);
  if (!plan) return tl::unexpected(plan.error());
  if (!seed_) {
    if (auto planted = plant(); !planted) return planted;
  }
  container_.emplace(std::move(*plan));
  if (auto made = container_->make_root(); !made) return made;
  spec_.stages.root = monotonic_now() - spec_.asked_at;
  return container_->launch(*std::exchange(seed_, std::nullopt));
}

/// A process of the node's own that gets ready while the task is marked as run.
Result<void> Supervisor::hold() {
  auto held = hold_child(folder_, spec_);
  if (!held) return tl::unexpected(held.error());
  held_ = std::move(*held);
  return {};
}

Result<void> Supervisor::plant() {
  auto seed = RuntimeSeed::plant(spec_.groups);
  if (!seed) return tl::unexpected(seed.error());
  seed_ = std::move(*seed);
  return {};
}

/// nullopt: it runs.
std::optional<TaskExit> Supervisor::run_in_container() {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
  const ContainerSession::Output output{Fd(::openat(folder_.get(), kStdoutFile, kFlags, 0600)),
                                        Fd(::openat(folder_.get(), kStderrFile, kFlags, 0600)),
                                        open_exec_door(folder_)};
  if (!output.out || !output.err) {
    return start_failed(os_error("cannot open the task's log files").value());
  }
  Time alive = spec_.asked_at + spec_.stages.root;
  if (!spec_.stages.warm) {
    const auto ready = container_->wait_ready();
    if (!ready) return start_failed(ready.error());
    spec_.stages.create = *ready - alive;
    alive = *ready;
  }
  command_ = container_->init();
  if (!spec_.artifacts.empty()) files_ = container_->files(spec_.working_directory);
  const Time asked = monotonic_now();
  spec_.stages.init = asked - alive;
  const auto ran = container_->run(spec_.working_directory, spec_.command, spec_.env, output);
  if (!ran) return not_run(ran.error());
  spec_.stages.ready = *ran - asked;
  return std::nullopt;
}

void Supervisor::signal_command(int signal) const {
  ::kill(container_ ? command_ : -command_, signal);
}

/// nullopt: it runs.
std::optional<TaskExit> Supervisor::run_command() {
  if (container_) {
    if (auto failed = run_in_container()) return failed;
  } else {
    const Time made = monotonic_now();
    spec_.stages.root = made - spec_.asked_at;
    const auto started = let_run(std::move(*held_), spec_);
    held_.reset();
    if (!started) return not_run(started.error());
    command_ = *started;
    if (!spec_.artifacts.empty()) files_.emplace().folder = work_folder();
    spec_.stages.ready = monotonic_now() - made;
    open_door();
  }
  if (spec_.log_max.value > 0) limiter_.emplace(folder_, spec_.log_max);
  // Its secrets are kept no longer than needed.
  static_cast<void>(recycle_file(folder_, kSpecFile, kRunningFile, encode(spec_.stages)));
  return std::nullopt;
}

/// Whoever asks for a further command is told of by a signal, as all else is.
void Supervisor::open_door() {
  door_ = open_exec_door(folder_);
  if (!door_) return;
  ::fcntl(door_.get(), F_SETOWN, ::getpid());
  ::fcntl(door_.get(), F_SETFL, O_ASYNC | O_NONBLOCK);
  admit();
}

void Supervisor::admit() {
  while (door_) {
    const Fd connection(::accept4(door_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) return;
    start_holder(folder_, spec_, connection);
  }
}

TaskExit Supervisor::wait_for_command() {
  // A stop that was asked for before the command ran.
  if (exists(folder_, kStopFile)) on_signal(SIGUSR1);
  for (reap(); !status_; reap()) {
    on_signal(wait_for_signal(next_look()));
    if (limiter_) limiter_->look(monotonic_now());
    if (!fenced_ && lease_is_over()) {
      fenced_ = true;
      stop({.checkpoint_signal = 0, .grace = {}});
    }
    if (stop_) escalate();
  }
  TaskExit exit;
  exit.kind = WIFSIGNALED(*status_) ? TaskExit::Kind::Signaled : TaskExit::Kind::Exited;
  exit.code = WIFSIGNALED(*status_) ? WTERMSIG(*status_) : WEXITSTATUS(*status_);
  exit.stopped = stop_.has_value();
  return exit;
}

/// Takes in all children that have ended; orphans of the command's become children too.
void Supervisor::reap() {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
       pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid == command_) status_ = container_ ? container_->status_of_command(status) : status;
  }
}

bool Supervisor::lease_is_over() {
  if (spec_.lease.empty() || boot_now() < lease_) return false;
  lease_ = read_lease(spec_.lease);
  return boot_now() >= lease_;
}

/// When something is to be done without a signal.
std::optional<Time> Supervisor::next_look() const {
  std::optional<Time> look = limiter_ ? limiter_->next_look() : std::nullopt;
  if (stop_) {
    look = std::min(
        {look.value_or(Time::max()), stop_->term_at.value_or(stop_->kill_at), stop_->kill_at});
  }
  if (spec_.lease.empty() || fenced_) return look;
  const Duration left = std::clamp(lease_ - boot_now(), Duration{}, kLeaseLookMax);
  return std::min(look.value_or(Time::max()), monotonic_now() + left);
}

/// The signal that came, 0 at the deadline.
int Supervisor::wait_for_signal(std::optional<Time> deadline) {
  sigset_t all;
  ::sigfillset(&all);
  if (!deadline) return std::max(0, ::sigwaitinfo(&all, nullptr));
  const Duration left{std::max<std::int64_t>(0, (*deadline - monotonic_now()).ns)};
  const timespec wait{left.ns / 1'000'000'000, left.ns % 1'000'000'000};
  return std::max(0, ::sigtimedwait(&all, nullptr, &wait));
}

void Supervisor::on_signal(int signal) {
  if (signal == SIGIO) {
    admit();
    if (limiter_) limiter_->wake(monotonic_now());
  }
  if (signal == SIGTERM) stop({.checkpoint_signal = 0, .grace = kDefaultGrace});
  if (signal != SIGUSR1) return;
  const auto options = read_stop(folder_);
  if (options && *options) stop(**options);
}

void Supervisor::stop(const act::StopOptions& options) {
  const Time now = monotonic_now();
  const Time kill_at = saturating_add(now, options.grace);
  if (stop_) {
    if (kill_at >= stop_->kill_at) return;
    stop_->kill_at = kill_at;
    stop_->grace = options.grace;
    if (stop_->term_at) stop_->term_at = now;
    return;
  }
  thaw(folder_, ::getpid());
  stop_ = StopPlan{.term_at = now, .kill_at = kill_at, .grace = options.grace};
  if (options.checkpoint_signal == 0) return;
  signal_command(options.checkpoint_signal);
  stop_->term_at = saturating_add(now, options.grace / 2);
}

void Supervisor::escalate() {
  const Time now = monotonic_now();
  if (stop_->term_at && now >= *stop_->term_at) {
    signal_command(SIGTERM);
    signal_command(SIGCONT);  // one that is stopped could not end
    stop_->term_at.reset();
  }
  if (now < stop_->kill_at) return;
  killed_ = true;
  signal_command(SIGKILL);
  kill_all(spec_.groups);
  stop_->kill_at = Time::max();
}

/// Ends all that the command left behind. False if something cannot be ended.
bool Supervisor::sweep() {
  const Time give_up = monotonic_now() + kSweepMax;
  for (;;) {
    const bool groups_empty = kill_all(spec_.groups);
    reap();
    // As the nearest subreaper this process inherits whatever detached itself from the command:
    // without a child it has no descendant, and need not look through all processes of the machine.
    const bool no_child = ::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) != 0;
    if (no_child && groups_empty) return true;
    for (const pid_t pid : descendants(::getpid())) ::kill(pid, SIGKILL);
    if (monotonic_now() >= give_up) return false;
    wait_for_signal(monotonic_now() + kSweepPause);
  }
}

/// A process of the node's own folder, where it was not told another.
std::string Supervisor::work_folder() const {
  if (!spec_.working_directory.empty()) return spec_.working_directory;
  return fmt::format("/proc/self/fd/{}/{}", folder_.get(), kWorkFolder);
}

/// What was promised is not there: that is said, and does not make the task fail.
void Supervisor::keep_artifacts(TaskExit& exit) const {
  if (!files_) return;
  Result<void> kept;
  if (container_ && !files_->mounts) {
    kept = fail(ErrorKind::Internal, "the container's files cannot be reached");
  } else {
    kept = collect_artifacts(folder_, spec_.artifacts, *files_);
  }
  if (kept) return;
  exit.message += fmt::format("{}its artifacts are not kept: {}", exit.message.empty() ? "" : "; ",
                              kept.error().message);
}

void Supervisor::explain(TaskExit& exit, bool swept) const {
  if (fenced_) {
    exit = {TaskExit::Kind::Lost, 0, true,
            "the node did not reach the server until its lease had run out"};
  } else if (memory_kills(spec_.groups) > 0 && !exit.ok()) {
    exit.message = fmt::format("out of memory: it used more than its {} MiB; ask for more memory",
                               spec_.memory.value);
  } else if (killed_) {
    exit.message = fmt::format("did not end within {:.1f} s of being asked to; killed",
                               stop_->grace.seconds());
  } else if (stop_) {
    exit.message = "stopped on request";
  }
  const auto also = [&exit](const std::string& more) {
    exit.message += exit.message.empty() ? more : "; " + more;
  };
  if (!exit.ok() && process_refusals(spec_.groups) > 0) {
    also(fmt::format("it reached its limit of {} processes", process_limit(spec_.groups)));
  }
  if (!exit.ok() && container_ && container_->root_is_full()) {
    also(fmt::format("its root was full: {} MiB can be written there",
                     container_->plan().root_size.value));
  }
  if (!swept) also("processes of it are left that cannot be killed");
}

/// The task's folder and spec, once its lock is on kLockDescriptor and this process's.
Result<std::pair<Fd, SupervisorSpec>> take_over(const char* path) {
  const auto refuse = [] { return fail(ErrorKind::Conflict, "not this process's task"); };
  if (::flock(kLockDescriptor, LOCK_EX | LOCK_NB) != 0) return refuse();
  ::fcntl(kLockDescriptor, F_SETFD, FD_CLOEXEC);
  auto folder = open_folder(path);
  if (!folder) return refuse();
  struct stat mine {
  }, theirs{};
  if (::fstat(kLockDescriptor, &mine) != 0 ||
      ::fstatat(folder->get(), kLockFile, &theirs, 0) != 0 || mine.st_ino != theirs.st_ino) {
    return refuse();
  }
  const auto text = read_file(*folder, kSpecFile);
  if (!text || !*text) return refuse();
  auto spec = SupervisorSpec::decode(**text);
  if (spec) return std::pair(std::move(*folder), std::move(*spec));
  static_cast<void>(leave(*folder, start_failed(spec.error())));
  return refuse();
}

void begin_life(const char* name) {
  starter();
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, name);
  // Whatever else came along is the server's: its sockets must not live on in here.
  ::close_range(kLockDescriptor + 1, ~0U, 0);
  static_cast<void>(!::chdir("/"));
}

}  // namespace

int supervise_task(const char* path) {
  begin_life("gyre-task");
  auto task = take_over(path);
  if (!task) return static_cast<int>(SupervisorCode::NotMine);
  return static_cast<int>(Supervisor(std::move(task->first), std::move(task->second)).run());
}

int supervise_warm(const char* path) {
  begin_life("gyre-warm");
  auto folder = open_folder(path);
  const auto text = folder ? read_file(*folder, kSpecFile) : std::optional<std::string>();
  auto spec = text && *text ? SupervisorSpec::decode(**text)
                            : Result<SupervisorSpec>(fail(ErrorKind::Invalid, "no spec"));
  if (!spec) return static_cast<int>(SupervisorCode::NotMine);
  // The task's lock will be on the descriptor that the server's line is on now.
  Fd line(::fcntl(kLockDescriptor, F_DUPFD_CLOEXEC, kLockDescriptor + 1));
  const Fd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ::dup3(nothing.get(), kLockDescriptor, O_CLOEXEC);  // lest that number is given to another
  Supervisor supervisor(std::move(*folder), std::move(*spec));
  if (!supervisor.warm_up()) return static_cast<int>(SupervisorCode::Done);
  const auto given = wait_for_task(line);
  if (!given) {
    supervisor.give_up();
    return static_cast<int>(SupervisorCode::Done);
  }
  line.reset();
  auto task = take_over(given->c_str());
  if (!task) {
    supervisor.give_up();
    return static_cast<int>(SupervisorCode::NotMine);
  }
  supervisor.adopt(std::move(task->first), std::move(task->second));
  return static_cast<int>(supervisor.run());
}

}  // namespace gyre::process
