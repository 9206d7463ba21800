#include "adapter/process/task_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <set>

#include "act/gang_start.h"
#include "adapter/process/container/warm_line.h"
#include "adapter/process/exec/exec_protocol.h"
#include "adapter/process/free_port.h"
#include "adapter/process/freezer.h"
#include "adapter/process/process_tree.h"
#include "adapter/process/spawn.h"
#include "adapter/process/supervisor.h"
#include "base/assert.h"

namespace gyre::process {
namespace {

constexpr std::int32_t kPortMax = 65'535;
constexpr std::uint64_t kOrdersToken = 0;
constexpr std::uint64_t kFilesToken = 1;
constexpr int kTickMs = 20;
constexpr int kEagerRounds = 50;  // of fencing; later only each kLazyEvery-th tick tries again
constexpr int kLazyEvery = 50;
constexpr int kRemoveRounds = 2'000;  // until a group that cannot be removed is left

bool wait_on(const Fd& epoll, const Fd& what, std::uint64_t token) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = token;
  return ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, what.get(), &event) == 0;
}

/// Why a supervisor gave up before the command ran.
Error gave_up(int code) {
  switch (static_cast<SupervisorCode>(code)) {
    case SupervisorCode::CannotWrite:
      return {ErrorKind::Internal,
              "the task's folder cannot be written (is the disk full?); free space on the node"};
    case SupervisorCode::NotMine:
      return {ErrorKind::Internal, "the task's folder was changed while it was being started"};
    default:
      return {ErrorKind::Internal,
              fmt::format("the task's supervisor ended before the command ran (code {}); see {}",
                          code, kSupervisorLog)};
  }
}

const TaskExit& lost() {
  static const TaskExit exit{.kind = TaskExit::Kind::Lost,
                             .message =
                                 "the task's supervisor was killed, or could not write down how "
                                 "the task ended; what was left of it was ended"};
  return exit;
}

/// The port that a replica's environment suggests; 0: it is none.
std::int32_t wished_port(const std::vector<std::pair<std::string, std::string>>& env) {
  std::int32_t port = 0;
  bool replica = false;
  for (const auto& [name, value] : env) {
    replica = replica || name == act::kServiceVariable;
    if (name == act::kPortVariable) {
      std::from_chars(value.data(), value.data() + value.size(), port);
    }
  }
  return replica && port > 0 && port <= kPortMax ? port : 0;
}

/// Where the search for a task's ports begins: below those that systems hand out by themselves, and
/// apart for tasks near each other.
std::int32_t first_port(const act::TaskKey& key) {
  constexpr std::uint64_t kFirst = 10'000;
  constexpr std::uint64_t kCount = 9'000;
  const std::uint64_t turn = key.job.value * 31 + static_cast<std::uint64_t>(key.attempt) * 131 +
                             static_cast<std::uint64_t>(key.rank) * 17;
  return static_cast<std::int32_t>(kFirst + turn % kCount);
}

}  // namespace

TaskLoop::TaskLoop(LoopOptions options, const CgroupHost& cgroups, Janitor& janitor)
    : options_(std::move(options)),
      cgroups_(cgroups),
      janitor_(janitor),
      warm_({.folder = options_.folder + "/.warm",
             .supervisor = {options_.supervisor.front(), kWarmCommand},
             .per_shape = options_.warm},
            cgroups) {}

Result<void> TaskLoop::open() {
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  wakeup_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  inotify_ = Fd(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!epoll_ || !wakeup_ || !inotify_ || !wait_on(epoll_, wakeup_, kOrdersToken) ||
      !wait_on(epoll_, inotify_, kFilesToken)) {
    return os_error("cannot watch tasks (epoll, inotify)");
  }
  return {};
}

void TaskLoop::post(Order order) {
  {
    const std::lock_guard guard(mutex_);
    orders_.push_back(std::move(order));
  }
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wakeup_.get(), &one, sizeof one));
}

void TaskLoop::run(act::TaskListener& listener) {
  listener_ = &listener;
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   ticking_ > 0 ? kTickMs : -1);
    bool orders = false;
    for (int i = 0; i < count; ++i) {
      const std::uint64_t token = events[static_cast<std::size_t>(i)].data.u64;
      if (token == kOrdersToken) orders = true;
      if (token != kOrdersToken) wake(token);
    }
    if (orders && !carry_out_orders()) return;
    if (ticking_ > 0) tick();
  }
}

void TaskLoop::wake(std::uint64_t token) {
  if (token == kFilesToken) return on_files();
  const auto found = by_token_.find(token);
  if (found != by_token_.end()) on_process_end(*found->second);
}

/// False when it was told to quit.
bool TaskLoop::carry_out_orders() {
  std::uint64_t count = 0;
  static_cast<void>(!::read(wakeup_.get(), &count, sizeof count));
  std::deque<Order> orders;
  {
    const std::lock_guard guard(mutex_);
    orders.swap(orders_);
  }
  for (const Order& order : orders) {
    if (std::holds_alternative<Quit>(order)) return false;
    std::visit(
        [this](const auto& one) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(one)>, Quit>) carry_out(one);
        },
        order);
  }
  return true;
}

void TaskLoop::carry_out(const Begin& begin) {
  Task* task = found_task(begin.task.key);
  if (task == nullptr) return;
  task->unborn = begin;
  settle(*task);
}

void TaskLoop::carry_out(const Refuse& order) {
  Task* task = found_task(order.key);
  if (task == nullptr) return;
  task->refused = order.error;
  settle(*task);
}

/// A task that was not known so far, with its folder; null where it was, or has ended by this.
TaskLoop::Task* TaskLoop::found_task(const act::TaskKey& key) {
  if (tasks_.contains(key)) return nullptr;
  const bool fresh = ::mkdir(path_of(key).c_str(), 0700) == 0;
  Task* task = nullptr;
  if (fresh || errno == EEXIST) task = open_task(key);
  if (task != nullptr) return task;
  const auto error = os_error(fmt::format("cannot make the folder {}", path_of(key)));
  end(*enter(key), start_failed(error.value()));
  return nullptr;
}

void TaskLoop::carry_out(const Adopt& order) {
  if (tasks_.contains(order.key)) return;
  if (Task* task = open_task(order.key)) return settle(*task);
  end(*enter(order.key), never_ran());
}

void TaskLoop::carry_out(const Stop& order) {
  if (!tasks_.contains(order.key)) {
    // A folder that says so keeps a task that was never started from being started later.
    ::mkdir(path_of(order.key).c_str(), 0700);
    carry_out(Adopt{order.key});
  }
  Task& task = tasks_.at(order.key);
  if (task.phase == Phase::Ended) return;
  const auto earlier = read_stop(task.folder);
  const bool sooner = !earlier || !*earlier || order.options.grace < (*earlier)->grace;
  const bool written =
      !sooner || replace_file(task.folder, kStopFile, encode(order.options), Sync::No).has_value();
  // Without the file (a full disk) the supervisor's own idea of a grace has to do.
  if (task.phase == Phase::Watched) send_signal(task.process, written ? SIGUSR1 : SIGTERM);
}

void TaskLoop::carry_out(const Freeze& order) {
  const auto found = tasks_.find(order.key);
  if (found == tasks_.end() || found->second.phase != Phase::Watched) return;
  const Task& task = found->second;
  const auto state = inspect(task.folder);
  if (!state || !state->running || !state->supervisor) return;
  if (!order.frozen) return thaw(task.folder, *state->supervisor);
  if (!exists(task.folder, kStopFile)) freeze(task.folder, *state->supervisor);
}

void TaskLoop::carry_out(const Release& order) {
  const auto found = tasks_.find(order.key);
  if (found != tasks_.end()) {
    if (found->second.phase != Phase::Ended) return;
    by_token_.erase(found->second.token);
    tasks_.erase(found);
  }
  if (::access(path_of(order.key).c_str(), F_OK) == 0) janitor_.take(order.key);
}

TaskLoop::Task* TaskLoop::enter(const act::TaskKey& key) {
  Task& task = tasks_[key];
  task.key = key;
  task.token = ++last_token_;
  by_token_[task.token] = &task;
  ++ticking_;  // Phase::Seeking
  return &task;
}

/// The task with its folder open and watched; null where there is no folder, errno says why.
TaskLoop::Task* TaskLoop::open_task(const act::TaskKey& key) {
  const std::string path = path_of(key);
  auto folder = open_folder(path);
  if (!folder) return nullptr;
  const int watch = ::inotify_add_watch(inotify_.get(), path.c_str(), IN_MOVED_TO | IN_ONLYDIR);
  if (watch < 0) return nullptr;
  Task* task = enter(key);
  task->folder = std::move(*folder);
  task->watch = watch;
  by_watch_[watch] = task;
  return task;
}

/// Brings a task that is being sought, or whose supervisor has just ended, to what its folder says.
void TaskLoop::settle(Task& task) {
  auto state = inspect(task.folder);
  if (!state) return;  // out of descriptors, say: the next tick tries again
  if (state->running) tell_started(task);
  if (state->exit) return end(task, *state->exit);
  if (state->supervised) {
    if (state->supervisor) seek(task, *state->supervisor);
    return;
  }
  // It may have been killed before the command was marked as run: what it had made is left, too.
  if (state->started || !state->groups.folders.empty()) {
    task.groups = state->groups;
    task.phase = Phase::Fencing;
    return fence(task);
  }
  if (task.unborn && !task.launched) return launch(task, state->lock);
  if (task.refused) return record_and_end(task, start_failed(*task.refused));
  record_and_end(task, task.launched ? start_failed(gave_up(-1)) : never_ran());
}

/// Watches the supervisor, unless it is gone already; then the next tick sees what it left.
void TaskLoop::seek(Task& task, pid_t supervisor) {
  Fd process = open_process(supervisor);
  // Its pid may have been given to another since it was read; not while it still has the lock.
  const auto again = inspect(task.folder);
  if (!process || !again || !again->supervised) return;
  watch_process(task, std::move(process));
  if (exists(task.folder, kStopFile)) send_signal(task.process, SIGUSR1);
}

void TaskLoop::watch_process(Task& task, Fd process) {
  if (!wait_on(epoll_, process, task.token)) return;  // the next tick seeks it again
  task.process = std::move(process);
  task.phase = Phase::Watched;
  --ticking_;
}

void TaskLoop::launch(Task& task, const Fd& lock) {
  task.launched = true;
  if (auto done = try_launch(task, lock); !done) record_and_end(task, start_failed(done.error()));
}

Result<void> TaskLoop::try_launch(Task& task, const Fd& lock) {
  const Begin begin = std::move(*task.unborn);
  task.unborn.reset();
  task.contained = !begin.container.empty();
  task.shape = begin.shape;
  if (auto given = give_ports(task, begin.task); !given) return given;
  // Another supervisor's pid must not be taken for that of the one that holds the lock next.
  ::unlinkat(task.folder.get(), kSupervisorFile, 0);
  if (!begin.shape.empty() && launch_warm(task, begin, begin.shape, lock)) return {};
  if (task.contained && launch_warm(task, begin, WarmPool::kUnshaped, lock)) return {};
  TaskGroups groups =
      cgroups_.plan(act::to_string(task.key),
                    {begin.task.cpu, begin.task.memory, begin.pids_max, !begin.shape.empty()});
  const std::string spec = spec_of(task, begin, std::move(groups)).encode();
  if (auto done = replace_file(task.folder, kSpecFile, spec, Sync::No); !done) return done;
  auto process = spawn_supervisor(options_.supervisor, path_of(task.key), lock);
  if (!process) return tl::unexpected(process.error());
  watch_process(task, std::move(*process));
  return {};
}

/// Hands the task to a supervisor that was started beforehand, with a container of that shape.
/// False: there is none, nothing was done.
bool TaskLoop::launch_warm(Task& task, const Begin& begin, const std::string& shape,
                           const Fd& lock) {
  for (auto warm = warm_.take(shape); warm; warm = warm_.take(shape)) {
    TaskGroups groups =
        cgroups_.plan(warm->name, {begin.task.cpu, begin.task.memory, begin.pids_max, true});
    const std::string spec = spec_of(task, begin, std::move(groups)).encode();
    if (!replace_file(task.folder, kSpecFile, spec, Sync::No)) return false;
    if (!hand_over(warm->line, path_of(task.key), lock)) continue;
    watch_process(task, std::move(warm->process));
    return true;
  }
  return false;
}

void TaskLoop::on_process_end(Task& task) {
  if (task.phase != Phase::Watched) return;
  const int code = take_exit_code(task.process);
  task.process.reset();
  task.phase = Phase::Seeking;
  ++ticking_;
  const bool gave_up_early =
      code > 0 && !exists(task.folder, kStartedFile) && !exists(task.folder, kExitFile);
  if (gave_up_early) return record_and_end(task, start_failed(gave_up(code)));
  settle(task);
}

/// One round of ending what a killed supervisor left behind; over when nothing was found.
void TaskLoop::fence(Task& task) {
  const int round = task.rounds++;
  if (round > kEagerRounds && round % kLazyEvery != 0) return;
  const bool groups_empty = kill_all(task.groups);
  const std::vector<pid_t> left = marked(mark_of(task.key));
  for (const pid_t pid : left) ::kill(pid, SIGKILL);
  if (!groups_empty || !left.empty()) return;
  if (!remove(task.groups) && round < kRemoveRounds) return;  // a process is not quite gone yet
  if (exists(task.folder, kStartedFile)) return record_and_end(task, lost());
  ::unlinkat(task.folder.get(), kSupervisorFile, 0);
  task.phase = Phase::Seeking;
  settle(task);
}

void TaskLoop::tell_started(Task& task) {
  if (std::exchange(task.told_started, true)) return;
  const StartStages stages = read_stages(task.folder);
  task.port = stages.port;
  task.ports = stages.ports;
  listener_->started(task.key, stages);
  // Now, and not while this one was being started.
  if (!task.shape.empty()) warm_.stock(task.shape);
  if (task.contained) warm_.stock(WarmPool::kUnshaped);
}

/// Ends a task for which no supervisor has left a last word.
void TaskLoop::record_and_end(Task& task, TaskExit exit) {
  exit.ended_at = unix_now();
  // If this fails the task's end is the same after a restart, only found out anew.
  static_cast<void>(replace_file(task.folder, kExitFile, encode(exit), Sync::Yes));
  ::unlinkat(task.folder.get(), kSpecFile, 0);
  end(task, exit);
}

void TaskLoop::end(Task& task, const TaskExit& exit) {
  GYRE_ASSERT(task.phase != Phase::Ended);
  if (task.phase != Phase::Watched) --ticking_;
  task.phase = Phase::Ended;
  by_watch_.erase(task.watch);
  if (task.watch >= 0) ::inotify_rm_watch(inotify_.get(), task.watch);
  task.process.reset();
  task.folder.reset();
  task.unborn.reset();
  listener_->ended(task.key, exit);
}

void TaskLoop::on_files() {
  alignas(inotify_event) std::array<char, 16'384> buffer{};
  const ssize_t size = ::read(inotify_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < size;) {
    inotify_event event{};
    std::memcpy(&event, buffer.data() + at, sizeof event);
    const char* name = buffer.data() + at + sizeof event;
    at += static_cast<ssize_t>(sizeof event + event.len);
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      for (auto& [key, task] : tasks_) {
        if (task.phase != Phase::Ended && exists(task.folder, kRunningFile)) tell_started(task);
      }
    }
    const auto found = by_watch_.find(event.wd);
    if (found == by_watch_.end() || event.len == 0) continue;
    if (std::strcmp(name, kRunningFile) == 0) tell_started(*found->second);
  }
}

void TaskLoop::tick() {
  for (auto& [key, task] : tasks_) {
    if (task.phase == Phase::Seeking)
      settle(task);
    else if (task.phase == Phase::Fencing)
      fence(task);
  }
}

std::string TaskLoop::path_of(const act::TaskKey& key) const {
  return options_.folder + "/" + act::to_string(key);
}

std::string TaskLoop::mark_of(const act::TaskKey& key) const {
  return options_.instance + "/" + act::to_string(key);
}

/// Ports that no other task of this node has, whether it listens on them yet or not: a replica's,
/// and the named ones. Errors: Unavailable.
Result<void> TaskLoop::give_ports(Task& task, const act::TaskStart& start) const {
  const std::int32_t wished = wished_port(start.env);
  if (wished == 0 && start.ports.empty()) return {};
  std::set<std::int32_t> given;
  for (const auto& [key, other] : tasks_) {
    if (other.phase == Phase::Ended) continue;
    if (other.port > 0) given.insert(other.port);
    given.insert(other.ports.begin(), other.ports.end());
  }
  if (wished != 0) task.port = free_port(wished, given).value_or(wished);
  given.insert(task.port);
  std::int32_t next = first_port(start.key);
  for (std::size_t i = 0; i < start.ports.size(); ++i) {
    const auto port = free_port(next, given);
    if (!port) {
      return fail(ErrorKind::Unavailable, "the node has no free port for '{}' from {} on",
                  start.ports[i], next);
    }
    task.ports.push_back(*port);
    next = *port + 1;
  }
  return {};
}

SupervisorSpec TaskLoop::spec_of(const Task& task, const Begin& begin, TaskGroups groups) const {
  const act::TaskStart& start = begin.task;
  SupervisorSpec spec{.key = act::to_string(start.key),
                      .command = start.command,
                      .env = {},
                      .working_directory = start.working_directory,
                      .memory = start.memory,
                      .groups = std::move(groups),
                      .container = begin.container};
  // What this program has in its environment is of the node, and no container's.
  if (begin.container.empty()) spec.env = options_.base_env;
  spec.stages.received = begin.received;
  spec.stages.image = begin.image;
  spec.asked_at = begin.asked_at + begin.image;
  spec.lease = options_.lease;
  spec.log_max = options_.log_max;
  spec.artifacts = start.artifacts;
  const auto set = [&](const std::string& name, const std::string& value) {
    std::erase_if(spec.env, [&](const std::string& one) { return one.starts_with(name + "="); });
    spec.env.push_back(name + "=" + value);
  };
  for (const auto& [name, value] : start.env) set(name, value);
  set(kMarkName, mark_of(start.key));
  spec.stages.port = task.port;
  spec.stages.ports = task.ports;
  if (task.port > 0) set(act::kPortVariable, std::to_string(task.port));
  for (std::size_t i = 0; i < task.ports.size(); ++i) {
    set(act::port_variable(start.ports[i]), std::to_string(task.ports[i]));
  }
  return spec;
}

}  // namespace gyre::process
