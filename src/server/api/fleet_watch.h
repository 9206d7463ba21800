#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "control/driver.h"
#include "observe/gauge_history.h"

namespace gyre::server {

/// Counts of the fleet and its jobs, now and over time, kept up from event to event so that nobody
/// has to walk over all jobs. Lives on the driver's thread: read it inside a query of the inbox.
class FleetWatch final : public control::Observer {
 public:
  static constexpr std::size_t kQueuesMax = 64;  // watched over time; the first ones

  enum class Window : std::uint8_t { Hour, Day, Month };

  /// With a resolution for each Window.
  static observe::GaugeHistory new_history(Time start);

  /// Takes up with `core` as it is at `now`. O(jobs + nodes).
  FleetWatch(const control::Controller& core, Time now);

  /// O(changes); O(nodes) where the event was about the fleet.
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  struct Counts {
    std::array<std::int64_t, kJobStateCount> jobs{};  // by state; ended ones since the start
    std::int64_t nodes_up = 0;
    std::int64_t nodes_closed = 0;  // of those up: cordoned, draining or silent
    std::int64_t nodes_down = 0;
    std::int64_t gpu_milli_up = 0;  // of nodes that are up
    std::int64_t gpu_milli_down = 0;
    std::int64_t virtual_gpus = 0;    // of those that are up
    std::int64_t gpu_milli_used = 0;  // given out, on nodes that are up

    std::int64_t of(JobState state) const { return jobs[static_cast<std::size_t>(state)]; }
    std::int64_t placed() const;
  };
  const Counts& counts() const { return counts_; }

  struct Lines {
    observe::GaugeHistory gpu_milli_used;
    observe::GaugeHistory jobs_queued;
    observe::GaugeHistory jobs_placed;
  };
  struct QueueLines {
    std::string name;
    Lines lines;
  };
  const observe::GaugeHistory& gpu_milli_up() const { return gpu_milli_up_; }
  const Lines& fleet() const { return fleet_; }
  const std::vector<QueueLines>& queues() const { return queues_; }

 private:
  void count_fleet(const control::Controller& core);
  void count_used(const control::Controller& core);
  void record(Time at);
  void note_queues(const control::Controller& core, Time at);
  QueueLines* queue_of(const Job& job);
  void enter(const Job& job, JobState state, Time at);
  void leave(const Job& job, JobState state, Time at);

  Counts counts_;
  std::int64_t gpu_milli_open_ = 0;  // of nodes that take new tasks
  std::vector<NodeId> closed_;       // up, but closed to new tasks
  observe::GaugeHistory gpu_milli_up_;
  Lines fleet_;
  std::vector<QueueLines> queues_;
};

}  // namespace gyre::server
