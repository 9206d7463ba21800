#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/driver.h"
#include "domain/job.h"
#include "reason/queueing/estimate.h"
#include "server/api/histogram.h"

namespace gyre::server {

/// The stages of a start on a node, in their order.
std::array<std::pair<std::string_view, Duration>, 5> stages_of(const StartStages& took);
/// Upper bounds of how long they take, in seconds.
std::span<const double> stage_bounds();

/// What the core has done since the server began. Told by the driver's thread, read by any.
class CoreCounts final : public control::Observer {
 public:
  /// Jobs wait in classes, by queue and by size; later queues than these share the name "other".
  static constexpr std::size_t kQueuesMax = 64;

  explicit CoreCounts(const control::Controller& core);

  void before(const Event& event) override;
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;
  void committed(EventSeq seq) override;

  struct WaitClass {
    std::string queue;
    std::string_view gpus;  // of the whole gang: "0", "<1", "1", "2-8", "9-64", "65+"
    auto operator<=>(const WaitClass&) const = default;
  };
  struct StartStage {
    std::string_view stage;  // "image", "root", "create", "init", "ready"
    bool warm = false;
    auto operator<=>(const StartStage&) const = default;
  };
  struct GpuSeconds {
    double allocated = 0;  // held by jobs
    double idle = 0;       // of nodes that are up, held by none
    double broken = 0;     // of nodes that are lost
  };
  struct Read {
    std::uint64_t events = 0;
    std::uint64_t starts = 0;                                               // StartGang commands
    std::uint64_t stops = 0;                                                // StopGang commands
    std::uint64_t replacements = 0;                                         // ReplaceTask commands
    std::map<std::pair<JobState, Termination>, std::uint64_t> transitions;  // to a state, by cause
    std::int64_t gpu_milli = 0;                                             // held by jobs now
    std::int64_t gpu_milli_up = 0;                                          // of nodes that are up
    std::int64_t gpu_milli_down = 0;
    GpuSeconds gpu_seconds;         // up to `now`
    std::uint64_t budget_hits = 0;  // cycles that ran out of work and went on later
    reason::PredictionFallbacks fallbacks;
    Duration restart_cost;
    std::int64_t work_max = 0;             // node states that a cycle may look at
    std::uint64_t events_not_durable = 0;  // answered, and not in the journal yet
    std::map<WaitClass, Histogram> waits;  // from submission to the first start
    std::map<StartStage, Histogram> start_stages;
    Histogram decisions;    // from an event's arrival to the core's answer
    Histogram journal_lag;  // from an event's arrival to its being durable

    Read();
  };
  Read read(Time now) const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Undurable {
    EventSeq seq;
    Clock::time_point began;
  };

  static void pass(Read& read, Duration time);
  // These require the mutex.
  void note_nodes(const Event& event, const control::Controller& core);
  void note_start(const TaskStarted& event, const control::Controller& core);
  void note_transition(const Transition& change, const control::Controller& core);
  std::string class_name(const std::string& queue);

  mutable std::mutex mutex_;
  Read read_;
  Time last_;
  const Time begun_at_;
  std::vector<bool> node_up_;  // as counted, by id
  std::vector<std::string> queues_;
  std::vector<Undurable> undurable_;
  std::optional<Clock::time_point> began_;
};

}  // namespace gyre::server
