#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "control/controller.h"
#include "domain/chaos.h"
#include "domain/event.h"
#include "sim/chaos/machine.h"
#include "sim/chaos/task_key.h"

namespace gyre::sim {

/// What the server remembers of its nodes beside the core, and what it makes of what they say; gone
/// when the server is killed. It follows docs/guide/fleet.md: what a node has is adopted, ended or
/// discarded when it says hello; what it should have and has not is lost, or told to it again.
class Dispatcher {
 public:
  /// `core` outlives it; between the calls it may change.
  Dispatcher(const control::Controller& core, ChaosPlant plant) : core_(core), plant_(plant) {}

  /// Begins anew with what the core knows.
  void recover();

  void submit(const Command& command);
  void hello(std::uint32_t node, const std::vector<Report>& tasks);
  void report(std::uint32_t node, const Report& report);
  void silent(std::uint32_t node);
  void lost(std::uint32_t node);
  void joined() { nodes_.emplace_back(); }
  /// The end of this task is durable.
  void committed(const TaskKey& key);

  /// What came of the calls since the last take.
  struct Sent {
    std::uint32_t node = 0;
    Order order;
  };
  std::vector<Sent> take_orders() { return std::exchange(orders_, {}); }
  std::vector<Event::Body> take_events() { return std::exchange(events_, {}); }

 private:
  struct Task {
    std::uint32_t node = 0;
    Order order;
    bool stopped = false;  // it was told to
    bool started = false;  // the core was told
    bool ended = false;    // the core was told
  };
  struct NodeView {
    bool up = true;
    bool silent = false;
  };

  void start(const StartGang& command);
  void remember(const Job& job);
  Task& add(const Job& job, const TaskPlacement& placed);
  void replace(const ReplaceTask& command);
  void start_task(const Job& job, const TaskPlacement& placed);
  void stop(const StopGang& command);
  void repair(NodeId node);
  void tell(const TaskKey& key, Task& task, const Report& report);
  void miss(const TaskKey& key, Task& task);
  void order(std::uint32_t node, Order::Kind kind, const TaskKey& key);

  const control::Controller& core_;
  ChaosPlant plant_;
  std::map<TaskKey, Task> tasks_;
  std::vector<NodeView> nodes_;
  std::vector<Sent> orders_;
  std::vector<Event::Body> events_;
};

}  // namespace gyre::sim
