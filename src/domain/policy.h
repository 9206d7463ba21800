#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gyre {

/// How a partition's line is worked off. Which job is next, what may overtake it, and what may be
/// stopped for it.
struct PolicySpec {
  /// Which job is next; one file of reason/queueing/ each.
  enum class Order : std::uint8_t { Fifo, Priority, Sjf, Srtf, Qssf, Tiresias, Gyre };
  /// What may overtake a job that does not fit: nothing, what does not delay it, whatever fits, or
  /// what delays nobody before it.
  enum class Backfill : std::uint8_t { None, Easy, Greedy, Conservative };
  /// Whose word on run times is taken: the submitter's, or what past runs taught.
  enum class Durations : std::uint8_t { Declared, Learned };
  /// Which of the node states with room a task takes; one file pair each in src/reason/placement.
  enum class Placement : std::uint8_t {
    BestFit,
    Random,
    DotProduct,
    GpuClustering,
    GpuPacking,
    WeightedBestFit,
    Fgd,
    Lookahead
  };

  std::string name;
  Order order = Order::Fifo;
  Backfill backfill = Backfill::None;
  bool preemption = false;  // a running job may be stopped for one that is before it in the order
  Placement placement = Placement::BestFit;
  Durations durations = Durations::Declared;

  // What preemption must respect.
  Duration run_min{0};                       // an attempt is left alone before it has run so long
  std::int32_t preemptions_max = 1'000'000;  // of one job
  Duration restart_cost{0};                  // run time that being stopped costs a job
  std::int32_t gain_min_percent = 100;  // Gyre: what is stopped is worth so much of what starts

  Duration starve_after{0};  // a job that has waited so long goes before all others; 0: never
  std::int64_t level_gpu_seconds = 18'000;  // Tiresias: GPU time in the first of its two queues

  bool operator==(const PolicySpec&) const = default;
};

/// Whether it goes by what being stopped costs a job.
bool weighs_restarts(const PolicySpec& policy);

/// Errors: settings out of their range, or that contradict one another; says which, and what to do.
Result<void> validate(const PolicySpec& policy);

/// Every policy that has a name; the last one is the default.
const std::vector<PolicySpec>& named_policies();
std::string_view describe(const PolicySpec& policy);  // one line for a person, placement aside
/// "NAME" or "NAME+PLACEMENT", such as "easy+lookahead". Errors: no such name; the nearest is told.
Result<PolicySpec> policy_by_name(std::string_view name);

struct PlacementName {
  PolicySpec::Placement placement;
  std::string_view name;
  std::string_view description;  // one line for a person
};
const std::vector<PlacementName>& placement_names();  // by value, without gaps

}  // namespace gyre
