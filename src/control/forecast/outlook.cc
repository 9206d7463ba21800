#include "control/forecast/outlook.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <utility>

namespace gyre::control {
namespace {

constexpr std::size_t kModelsMax = 3;

bool asks_for_gpus(const JobSpec& spec) {
  return std::any_of(spec.tasks.begin(), spec.tasks.end(),
                     [](const TaskGroup& group) { return group.request.gpus > 0; });
}

/// Models of nodes, those with the most devices first.
std::vector<std::string> models_of(const Cluster& cluster) {
  std::map<std::string, std::int64_t> devices;
  for (const Node& node : cluster.nodes()) {
    if (node.spec.gpus > 0) devices[node.spec.gpu_model] += node.spec.gpus;
  }
  std::vector<std::pair<std::int64_t, std::string>> ranked;
  for (const auto& [model, count] : devices) ranked.emplace_back(-count, model);
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> models;
  for (const auto& [count, model] : ranked) models.push_back(model);
  return models;
}

void vary_models(const JobSpec& spec, const Cluster& cluster, std::vector<Variation>& all) {
  const std::vector<std::string>& asked = spec.tasks.front().request.gpu_models;
  if (asked.empty()) return;
  std::size_t tried = 0;
  for (const std::string& model : models_of(cluster)) {
    if (std::find(asked.begin(), asked.end(), model) != asked.end()) continue;
    if (++tried > kModelsMax) return;
    JobSpec other = spec;
    for (TaskGroup& group : other.tasks) {
      if (group.request.gpus > 0) group.request.gpu_models = {model};
    }
    all.push_back(
        {fmt::format("on {} instead of {}", model, fmt::join(asked, " or ")), std::move(other)});
  }
}

/// Of jobs whose tasks are all alike.
void vary_size(const JobSpec& spec, std::vector<Variation>& all) {
  if (spec.tasks.size() != 1) return;
  const TaskGroup& group = spec.tasks.front();
  const std::int32_t gpus = group.request.gpus;
  if (group.count > 1) {
    JobSpec fewer = spec;
    fewer.tasks.front().count = group.count / 2;
    all.push_back({fmt::format("{} node{} instead of {}", group.count / 2,
                               group.count / 2 == 1 ? "" : "s", group.count),
                   std::move(fewer)});
  }
  if (group.count % 2 == 0 && gpus > 0 && gpus <= kGpusPerNodeMax / 2 &&
      group.request.gpu_milli == kWholeGpu) {
    JobSpec dense = spec;
    TaskGroup& pairs = dense.tasks.front();
    pairs.count /= 2;
    pairs.request.gpus *= 2;
    pairs.request.cpu = CpuMilli{pairs.request.cpu.value * 2};
    pairs.request.memory = MemoryMib{pairs.request.memory.value * 2};
    all.push_back({fmt::format("{} node{} with {} GPUs each instead of {} with {}", pairs.count,
                               pairs.count == 1 ? "" : "s", gpus * 2, group.count, gpus),
                   std::move(dense)});
  }
  if (gpus < 2) return;
  if (gpus % 2 == 0 && group.count <= kTasksPerJobMax / 2) {
    JobSpec spread = spec;
    TaskGroup& halves = spread.tasks.front();
    halves.count *= 2;
    halves.request.gpus /= 2;
    halves.request.cpu = CpuMilli{(halves.request.cpu.value + 1) / 2};
    halves.request.memory = MemoryMib{(halves.request.memory.value + 1) / 2};
    all.push_back({fmt::format("{} nodes with {} GPU{} each instead of {} with {}", halves.count,
                               gpus / 2, gpus == 2 ? "" : "s", group.count, gpus),
                   std::move(spread)});
  }
  JobSpec less = spec;
  less.tasks.front().request.gpus = gpus / 2;
  all.push_back({fmt::format("{} GPU{}{} instead of {}", gpus / 2, gpus / 2 == 1 ? "" : "s",
                             group.count > 1 ? " a node" : "", gpus),
                 std::move(less)});
}

void vary_topology(const JobSpec& spec, std::vector<Variation>& all) {
  if (!spec.topology || !spec.topology->required || task_count(spec.tasks) == 1) return;
  JobSpec anywhere = spec;
  anywhere.topology->required = false;
  all.push_back({fmt::format("topology: {{preferred: {0}}} instead of {{required: {0}}}",
                             to_string(spec.topology->level)),
                 std::move(anywhere)});
}

void vary_placement(const JobSpec& spec, std::vector<Variation>& all) {
  if (!spec.placement) return;
  const PlacementRules& rules = *spec.placement;
  if (rules.max_per_node > 0 && rules.max_per_node < kTasksPerJobMax) {
    JobSpec more = spec;
    ++more.placement->max_per_node;
    all.push_back(
        {fmt::format("max_per_node: {} instead of {}", rules.max_per_node + 1, rules.max_per_node),
         std::move(more)});
  }
  if (rules.apart.empty()) return;
  JobSpec beside = spec;
  beside.placement->apart.clear();
  all.push_back({fmt::format("on nodes that run '{}' too", rules.apart), std::move(beside)});
}

/// `waiting`: the job whose place it takes.
std::optional<Alternative> try_out(const Controller& core, const Variation& variation, Time now,
                                   std::optional<JobId> waiting) {
  if (!core.check(variation.spec)) return std::nullopt;
  Controller fork = core;
  if (waiting) {
    fork.step({now, EventSeq{fork.last_event().value + 1}, JobStopRequested{*waiting}});
  }
  const JobId id{fork.jobs().last().value + 1};
  const Decisions& decisions =
      fork.step({now, EventSeq{fork.last_event().value + 1}, JobSubmitted{id, variation.spec, {}}});
  Alternative alternative;
  alternative.change = variation.change;
  for (const Command& command : decisions.commands) {
    const auto* start = std::get_if<StartGang>(&command.body);
    const auto* stop = std::get_if<StopGang>(&command.body);
    if (start != nullptr && start->job == id) alternative.starts_now = true;
    if (stop != nullptr && stop->beneficiary == id) alternative.preempts.push_back(stop->job);
  }
  return alternative;
}

/// The latest start that is much sooner.
Time much_sooner(const StartForecast& than, Time now) {
  const auto start = than.median ? than.median : than.latest;
  if (!start) return Time::max();
  const Duration wait = *start - now;
  return *start - std::max(seconds(60), Duration{(wait.ns + 3) / 4});
}

/// What would be instead of a job that waits.
struct Instead {
  const Forecaster& forecaster;  // of a core where it waits
  JobId job;
  const StartForecast& start;
  bool makes_room = false;  // jobs are stopped for it
  std::int64_t work = 0;    // to look ahead with
};

/// `core` has forgotten what has ended; `waiting`: the job, if it waits there too.
std::vector<Alternative> try_all(const Controller& core, const JobSpec& spec, Time now,
                                 std::optional<JobId> waiting, Instead instead) {
  const Time limit = much_sooner(instead.start, now);
  std::vector<Alternative> alternatives;
  for (const Variation& variation : variations_of(spec, core.cluster(), core.policy())) {
    if (alternatives.size() == kAlternativesMax) break;
    auto tried = try_out(core, variation, now, waiting);
    if (!tried) continue;
    if (instead.makes_room && !tried->starts_now && !tried->preempts.empty()) continue;
    if (!tried->starts_now && tried->preempts.empty()) {
      const auto sooner =
          instead.forecaster.sooner_instead_of(instead.job, variation.spec, limit, instead.work);
      tried->sooner = sooner.at;
      tried->at_latest = sooner.at_latest && sooner.at;
      tried->looked_ahead = sooner.looked_at;
    }
    alternatives.push_back(std::move(*tried));
  }
  return alternatives;
}

Controller lean_copy(const Controller& core) {
  Controller copy = core;
  copy.forget_ended();
  return copy;
}

}  // namespace

std::vector<Variation> variations_of(const JobSpec& spec, const Cluster& cluster,
                                     const PolicySpec& policy) {
  std::vector<Variation> all;
  if (!spec.preemptible) {
    JobSpec other = spec;
    other.preemptible = true;
    all.push_back({"preemptible", std::move(other)});
  }
  using Backfill = PolicySpec::Backfill;
  const bool plans = policy.backfill == Backfill::Easy || policy.backfill == Backfill::Conservative;
  if (plans && !spec.expected_duration) {
    JobSpec other = spec;
    other.expected_duration = seconds(3600);
    all.push_back({"expected to end within an hour (expected_duration: 1h)", std::move(other)});
  }
  vary_placement(spec, all);
  if (!asks_for_gpus(spec)) return all;
  vary_models(spec, cluster, all);
  vary_topology(spec, all);
  vary_size(spec, all);
  return all;
}

Outlook outlook(const Controller& core, JobId job, Time now, const ForecastOptions& options) {
  now = std::max(now, core.now());
  const Forecaster forecaster(core, now, options);
  Outlook outlook{forecaster.start(job), {}};
  const Job& waits = *core.jobs().find(job);
  if (!waits.service.empty()) return outlook;
  const bool makes_room = core.explain(waits).reason == WaitReason::WaitingForPreemption;
  outlook.alternatives = try_all(lean_copy(core), waits.spec, now, job,
                                 {forecaster, job, outlook.start, makes_room, options.work_max});
  return outlook;
}

Result<PlannedJob> plan_job(const Controller& core, const JobSpec& spec, Time now,
                            const ForecastOptions& options) {
  auto plan = core.plan(spec);
  if (!plan) return tl::unexpected(plan.error());
  PlannedJob planned{std::move(*plan), std::nullopt};
  if (planned.plan.starts_now) return planned;
  now = std::max(now, core.now());
  Controller fork = core;
  const JobId id{fork.jobs().last().value + 1};
  fork.step({now, EventSeq{fork.last_event().value + 1}, JobSubmitted{id, spec, {}}});
  const Job* job = fork.jobs().find(id);
  if (job == nullptr || job->state != JobState::Queued) return planned;
  const Forecaster forecaster(fork, now, options);
  planned.outlook = Outlook{forecaster.start(id), {}};
  planned.outlook->alternatives = try_all(
      lean_copy(core), spec, now, std::nullopt,
      {forecaster, id, planned.outlook->start, !planned.plan.preempts.empty(), options.work_max});
  return planned;
}

}  // namespace gyre::control
