#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "domain/chaos.h"
#include "domain/job.h"
#include "sim/chaos/task_key.h"
#include "sim/chaos/truth.h"

namespace gyre::sim {

/// What a machine says of one task.
struct Report {
  TaskKey key;
  bool started = false;
  std::optional<TaskExit> exit;
  Duration idle{0};                     // has done nothing for so long
  std::optional<CommandId> repaired{};  // then nothing but what came of that
  bool good = false;
};

/// One node as it really is: an agent, its tasks with a supervisor each, and devices that break. It
/// does as docs/guide/fleet.md says: an order is carried out once, an outcome is kept until the
/// server releases it, and tasks end when the lease is over, whether the agent lives or not.
class Machine {
 public:
  Machine(std::uint32_t id, Truth& truth, ChaosPlant plant, Rng rng)
      : id_(id), truth_(truth), plant_(plant), rng_(rng) {}

  void obey(const Order& order, Time now);

  /// Everything that happens by itself until now.
  void wake(Time now);
  /// When the next thing happens by itself.
  std::optional<Time> next() const;

  /// What became of tasks since the last call.
  std::vector<Report> take_news();
  /// All that it knows of, for a server that has not heard it for a while.
  std::vector<Report> hello() const;

  /// How a task that runs here is.
  struct Look {
    bool hangs = false;
    Time ready_at;  // of a replica
  };
  /// nullopt: it does not run here.
  std::optional<Look> look(const TaskKey& key) const;

  void grant_lease(Time until) { lease_until_ = until; }  // Time::max(): as long as it is heard
  void power_off(Time now);
  void kill_some_task(std::uint64_t which, Time now);
  void hang_some_task(std::uint64_t which, Time now);
  void break_gpu(std::uint64_t which, std::int64_t gpus, Time until, Time now);

  /// What its disk does with what is written. Full or Broken: nothing starts, half of what runs
  /// fails; Broken: how a task ended is not kept. Slow: start and stop take longer.
  enum class Disk : std::uint8_t { Sound, Full, Slow, Broken };
  void set_disk(Disk disk, SpanRange slower_by, Time now);

  /// Whether it has gone down, since the last call, to come up again.
  bool take_reboot() { return std::exchange(reboots_, false); }

  std::size_t running() const { return timers_.size(); }
  std::size_t known() const { return tasks_.size(); }

 private:
  enum class Phase : std::uint8_t { Starting, Running, Stopping, Ended };
  struct Task {
    Order order;
    Phase phase = Phase::Starting;
    bool ran = false;
    bool hangs = false;
    Time began;
    Time due;  // of the next phase; not once it has ended
    Truth::Plan plan;
    TaskExit exit;  // how it will end, or has
  };

  /// The latest repair, as its disk has it.
  struct RepairRecord {
    CommandId id;
    Repair repair = Repair::None;
    Time due;
    std::optional<bool> good;
  };

  void repair(const Order& order, Time now);
  void end_repair(bool good);
  void start(const Order& order, Time now);
  void stop(const TaskKey& key, Task& task, Time now);
  void advance(const TaskKey& key, Time now);
  void end(const TaskKey& key, Task& task, const TaskExit& exit, Time now);
  void set_due(const TaskKey& key, Task& task, Time due);
  Duration disk_takes();
  bool can_write() const { return disk_ == Disk::Sound || disk_ == Disk::Slow; }
  std::optional<TaskKey> some_running(std::uint64_t which) const;
  bool on_broken_gpu(const Task& task, Time now) const;

  std::uint32_t id_;
  Truth& truth_;
  ChaosPlant plant_;
  Rng rng_;
  Time lease_until_ = Time::max();
  std::map<TaskKey, Task> tasks_;
  std::set<std::pair<Time, TaskKey>> timers_;  // of tasks that have not ended
  std::vector<Report> news_;
  std::uint16_t broken_ = 0;  // devices
  Time broken_until_;
  std::optional<RepairRecord> repair_;
  bool reboots_ = false;
  Disk disk_ = Disk::Sound;
  SpanRange slower_by_;
};

}  // namespace gyre::sim
