#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "act/executor.h"
#include "adapter/process/cgroups.h"
#include "adapter/process/container/warm_pool.h"
#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "adapter/process/janitor.h"
#include "base/result.h"

namespace gyre::process {

struct LoopOptions {
  std::string folder;                   // of all tasks' folders; absolute
  std::vector<std::string> supervisor;  // program and arguments; the task's folder is appended
  std::vector<std::string> base_env;    // "NAME=value" for every task
  std::string instance;                 // no other executor of this machine has it
  std::size_t warm = 0;                 // see ContainerOptions
  std::string lease;                    // the file of the node's; empty: tasks need none
  MemoryMib log_max{0};                 // see ExecutorOptions
};

/// Looks after all tasks of this machine on one thread: run() is that thread, post() may be called
/// on any. A task's truth is in its folder; what is kept here only says what has been told.
class TaskLoop {
 public:
  /// A task to run, and what has been done for it so far.
  struct Begin {
    act::TaskStart task;
    std::string container;  // a ContainerPlan as text; empty: a process of the node
    std::string shape;      // see warm_shape()
    std::int64_t pids_max = 0;
    Time received;  // Unix
    Time asked_at;  // monotonic; the image was ready `image` after this
    Duration image;
  };
  /// A task that cannot run.
  struct Refuse {
    act::TaskKey key;
    Error error;
  };
  struct Adopt {
    act::TaskKey key;
  };
  struct Stop {
    act::TaskKey key;
    act::StopOptions options;
  };
  struct Freeze {
    act::TaskKey key;
    bool frozen = false;
  };
  struct Release {
    act::TaskKey key;
  };
  struct Quit {};
  using Order = std::variant<Begin, Refuse, Adopt, Stop, Freeze, Release, Quit>;

  TaskLoop(LoopOptions options, const CgroupHost& cgroups, Janitor& janitor);

  /// Opens what it waits on. Errors: the operating system's.
  Result<void> open();

  void post(Order order);

  /// Until Quit; tasks go on without it.
  void run(act::TaskListener& listener);

 private:
  enum class Phase {
    Seeking,  // a supervisor lives, but who it is has not been seen yet
    Watched,  // `process` is the supervisor
    Fencing,  // the supervisor is gone without a word: what is left is being killed
    Ended,
  };
  struct Task {
    act::TaskKey key;
    std::uint64_t token = 0;
    Phase phase = Phase::Seeking;
    Fd folder;
    Fd process;
    int watch = -1;
    bool told_started = false;
    bool launched = false;            // in this life
    std::optional<Begin> unborn;      // to be launched if it never ran
    std::optional<Error> refused;     // why it is not
    bool contained = false;           // in a container
    std::string shape;                // of that
    std::int32_t port = 0;            // of a replica: that it was given; 0: none
    std::vector<std::int32_t> ports;  // that it was given, by TaskStart::ports
    TaskGroups groups;
    int rounds = 0;  // of fencing
  };

  bool carry_out_orders();
  void carry_out(const Begin& begin);
  void carry_out(const Refuse& order);
  void carry_out(const Adopt& order);
  void carry_out(const Stop& order);
  void carry_out(const Freeze& order);
  void carry_out(const Release& order);

  Task* found_task(const act::TaskKey& key);
  Task* open_task(const act::TaskKey& key);
  Task* enter(const act::TaskKey& key);
  void settle(Task& task);
  void launch(Task& task, const Fd& lock);
  Result<void> try_launch(Task& task, const Fd& lock);
  void watch_process(Task& task, Fd process);
  void seek(Task& task, pid_t supervisor);
  void fence(Task& task);
  void tell_started(Task& task);
  void record_and_end(Task& task, TaskExit exit);
  void end(Task& task, const TaskExit& exit);
  void on_process_end(Task& task);
  void on_files();
  void tick();
  void wake(std::uint64_t token);

  std::string path_of(const act::TaskKey& key) const;
  std::string mark_of(const act::TaskKey& key) const;
  Result<void> give_ports(Task& task, const act::TaskStart& start) const;
  SupervisorSpec spec_of(const Task& task, const Begin& begin, TaskGroups groups) const;
  bool launch_warm(Task& task, const Begin& begin, const std::string& shape, const Fd& lock);

  LoopOptions options_;
  const CgroupHost& cgroups_;
  Janitor& janitor_;
  act::TaskListener* listener_ = nullptr;  // while it runs

  WarmPool warm_;

  std::mutex mutex_;
  std::deque<Order> orders_;
  Fd epoll_;
  Fd wakeup_;
  Fd inotify_;

  std::map<act::TaskKey, Task> tasks_;  // references stay valid
  std::unordered_map<std::uint64_t, Task*> by_token_;
  std::unordered_map<int, Task*> by_watch_;
  std::uint64_t last_token_ = 1;
  std::size_t ticking_ = 0;  // tasks that are sought or fenced
};

}  // namespace gyre::process
