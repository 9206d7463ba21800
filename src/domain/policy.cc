#include "domain/policy.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "domain/policy_contradictions.h"

namespace gyre {
namespace {

/// Long enough to change nothing in a cluster that keeps up with its work: shorter, and a cluster
/// that does not works off who has waited longest, one by one, and nothing else any more.
constexpr Duration kStarveAfter = seconds(std::int64_t{30} * 86'400);
/// Of orders without backfill and preemption, behind whose first job all wait.
constexpr Duration kStarveAfterStrict = kStarveAfter * 2;

}  // namespace

const std::vector<PolicySpec>& named_policies() {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  constexpr auto kLearned = PolicySpec::Durations::Learned;
  static const std::vector<PolicySpec> kPolicies{
      {.name = "fifo", .order = Order::Fifo, .backfill = Backfill::None},
      {.name = "easy", .order = Order::Fifo, .backfill = Backfill::Easy},
      {.name = "conservative", .order = Order::Fifo, .backfill = Backfill::Conservative},
      {.name = "priority",
       .order = Order::Priority,
       .backfill = Backfill::None,
       .starve_after = kStarveAfter},
      {.name = "priority-easy",
       .order = Order::Priority,
       .backfill = Backfill::Easy,
       .starve_after = kStarveAfter},
      {.name = "sjf",
       .order = Order::Sjf,
       .backfill = Backfill::None,
       .starve_after = kStarveAfterStrict},
      {.name = "sjf-easy",
       .order = Order::Sjf,
       .backfill = Backfill::Easy,
       .starve_after = kStarveAfter},
      {.name = "srtf",
       .order = Order::Srtf,
       .backfill = Backfill::Greedy,
       .preemption = true,
       .starve_after = kStarveAfter},
      {.name = "qssf",
       .order = Order::Qssf,
       .backfill = Backfill::None,
       .durations = kLearned,
       .starve_after = kStarveAfterStrict},
      {.name = "tiresias",
       .order = Order::Tiresias,
       .backfill = Backfill::Greedy,
       .preemption = true,
       .starve_after = kStarveAfter},
      {.name = "gyre",
       .order = Order::Gyre,
       .backfill = Backfill::Greedy,
       .preemption = true,
       .durations = kLearned,
       .run_min = seconds(60),
       .preemptions_max = 100,
       .restart_cost = seconds(30),
       .gain_min_percent = 200,
       .starve_after = kStarveAfter},
      {.name = "preemptive",
       .order = Order::Priority,
       .backfill = Backfill::Easy,
       .preemption = true,
       .preemptions_max = 100,
       .starve_after = kStarveAfter},
  };
  return kPolicies;
}

bool weighs_restarts(const PolicySpec& policy) {
  const bool by_gain =
      policy.order == PolicySpec::Order::Gyre || policy.order == PolicySpec::Order::Srtf;
  return policy.preemption && by_gain;
}

std::string_view describe(const PolicySpec& policy) {
  if (policy.name == "fifo") return "strict first come, first served";
  if (policy.name == "easy") return "first come, first served, with EASY backfill";
  if (policy.name == "priority") return "strict priority order";
  if (policy.name == "priority-easy") return "priority order with EASY backfill";
  if (policy.name == "conservative") {
    return "first come, first served; what delays nobody before it may overtake";
  }
  if (policy.name == "sjf") return "shortest job first by declared run time";
  if (policy.name == "sjf-easy") return "shortest job first, with EASY backfill";
  if (policy.name == "srtf") return "shortest remaining time first, preempting what is longer";
  if (policy.name == "qssf") return "least GPU time first, by run times learned from past jobs";
  if (policy.name == "tiresias") return "two queues by GPU time had so far (Tiresias' 2D-LAS)";
  if (policy.name == "gyre") {
    return "least GPU time per expected end first, learned from past jobs; preempts for gain";
  }
  return "priority order, EASY backfill, preemption of preemptible jobs of lower priority";
}

namespace {

Error unknown(std::string_view what, std::string_view name, const std::vector<std::string>& names) {
  const std::string near = nearest(name, names);
  return {ErrorKind::Invalid,
          fmt::format("no {} is named '{}'{}; there are {}", what, name,
                      near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near),
                      fmt::join(names, ", "))};
}

}  // namespace

const std::vector<PlacementName>& placement_names() {
  using enum PolicySpec::Placement;
  static const std::vector<PlacementName> kNames{
      {BestFit, "best-fit", "the node and device left with the least (the default)"},
      {Random, "random", "any node and device with room, all alike"},
      {DotProduct, "dot-product", "least product of what is asked and what is free (Tetris)"},
      {GpuClustering, "gpu-clustering", "nodes that run tasks of the same size (Gandiva)"},
      {GpuPacking, "gpu-packing", "shared GPUs first, then used nodes, then idle ones"},
      {WeightedBestFit, "weighted-best-fit", "least sum of CPU and GPU left, as openb measures it"},
      {Fgd, "fgd", "least growth of fragmentation (ATC 2023)"},
      {Lookahead, "lookahead", "least share lost once the usual tasks have come (Gyre's own)"},
  };
  return kNames;
}

Result<PolicySpec> policy_by_name(std::string_view name) {
  const std::size_t plus = std::min(name.find('+'), name.size());
  std::vector<std::string> names;
  for (const PolicySpec& known : named_policies()) names.push_back(known.name);
  const auto base = std::find(names.begin(), names.end(), name.substr(0, plus));
  if (base == names.end()) return tl::unexpected(unknown("policy", name.substr(0, plus), names));
  PolicySpec policy = named_policies()[static_cast<std::size_t>(base - names.begin())];
  if (plus == name.size()) return policy;
  const std::string_view wanted = name.substr(plus + 1);
  names.clear();
  for (const PlacementName& known : placement_names()) {
    if (known.name == wanted) {
      policy.name = name;
      policy.placement = known.placement;
      return policy;
    }
    names.emplace_back(known.name);
  }
  return tl::unexpected(unknown("placement", wanted, names));
}

std::vector<PolicyContradiction> contradictions(const PolicySpec& policy) {
  using Order = PolicySpec::Order;
  using Backfill = PolicySpec::Backfill;
  const bool learned = policy.durations == PolicySpec::Durations::Learned;
  const bool learns = policy.order == Order::Gyre || policy.order == Order::Qssf;
  const bool declared = policy.order == Order::Sjf || policy.order == Order::Srtf;
  const bool plans = policy.backfill == Backfill::Easy || policy.backfill == Backfill::Conservative;
  const bool stands_still =
      policy.order == Order::Fifo || policy.order == Order::Sjf || policy.order == Order::Qssf;
  const bool patient = policy.preemption || policy.starve_after.ns > 0;
  std::vector<PolicyContradiction> found;
  const auto refuse_if = [&](bool wrong, std::string_view setting, std::string_view why) {
    if (wrong) found.push_back({setting, why});
  };
  refuse_if(learns && !learned, "order", "this order needs 'durations: learned'");
  refuse_if(declared && learned, "order", "this order needs 'durations: declared'");
  refuse_if(plans && learns, "backfill",
            "this backfill plans with declared run times, and this order with learned ones: say "
            "'backfill: none' or 'greedy', or take another order");
  refuse_if(plans && learned && !learns, "backfill",
            "this backfill plans with declared run times: say 'durations: declared'");
  refuse_if(policy.preemption && stands_still, "preemption",
            "this order never preempts: say 'preemption: false', or take another order");
  refuse_if(policy.backfill == Backfill::Greedy && !patient, "backfill",
            "greedy backfill lets large jobs starve: give 'starve_after' a time, as in 30d");
  refuse_if(policy.run_min.ns < 0, "run_min", "cannot be negative");
  refuse_if(policy.restart_cost.ns < 0, "restart_cost", "cannot be negative");
  refuse_if(policy.starve_after.ns < 0, "starve_after", "cannot be negative");
  refuse_if(policy.preemptions_max < 0, "preemptions_max", "must be 0 or more");
  refuse_if(policy.gain_min_percent < 100 || policy.gain_min_percent > 100'000, "gain_min_percent",
            "must be 100 to 100000");
  refuse_if(policy.level_gpu_seconds < 1 || policy.level_gpu_seconds > 1'000'000'000,
            "level_gpu_seconds", "must be 1 to 1000000000");
  return found;
}

Result<void> validate(const PolicySpec& policy) {
  std::vector<std::string> all;
  for (const PolicyContradiction& one : contradictions(policy)) {
    all.push_back(fmt::format("{}: {}", one.setting, one.message));
  }
  if (all.empty()) return {};
  return fail(ErrorKind::Invalid, "{}", fmt::join(all, "; "));
}

}  // namespace gyre
