#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "act/executor.h"
#include "control/controller.h"
#include "control/world.h"
#include "live/clock.h"
#include "live/inbox.h"

namespace gyre::live {

struct WorldOptions {
  control::Config core;              // jobs_waiting_max is kept here: the core itself never refuses
  std::vector<std::string> devices;  // what CUDA calls each GPU of this machine; empty: its index
  ClockSource clock = system_clock_source();
  std::function<void(const std::string&)> notice = [](const std::string&) {};  // for a person
};

/// The world of real time and real processes. Driven by one thread; others use the inbox, and the
/// executor tells of its tasks on its own thread.
///
/// Time is the machine's; when that steps back the world's goes on at half speed until they meet,
/// so it never stands still (see Clock).
class World final : public control::World, private act::TaskListener {
 public:
  /// Requires: `core` is the controller that will be driven with this world, restored where there
  /// was one; all three outlive the world. Listens to the executor.
  World(const control::Controller& core, Inbox& inbox, act::Executor& executor,
        WorldOptions options = {});

  /// Refuses what still waits to become durable.
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Takes up where an earlier life stopped: adopts tasks that run, reports those that ended
  /// meanwhile, starts those that never did, and ends those the core knows nothing of. Requires:
  /// called once, before the first next().
  void recover();

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override;
  void committed(EventSeq seq) override;
  void submit(const Command& command) override;

  std::uint64_t clock_steps_back() const { return clock_.steps_back(); }

 private:
  struct Ready {  // an event that has been admitted and waits to be stamped
    Event::Body body;
    std::function<void(Result<EventSeq>)> done;
  };
  struct Waiting {  // told when `seq` is durable
    EventSeq seq;
    std::function<void(Result<EventSeq>)> done;
  };

  // TaskListener, on the executor's thread.
  void started(const act::TaskKey& key) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;

  const control::Controller& core_;
  Inbox& inbox_;
  act::Executor& executor_;
  WorldOptions options_;
  Clock clock_;
};

}  // namespace gyre::live
