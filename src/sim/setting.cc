#include "sim/setting.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <utility>

#include "base/rng.h"
#include "base/units.h"
#include "sim/check/quota_books.h"
#include "sim/traces/byte_source.h"
#include "sim/traces/fault_trace.h"
#include "sim/traces/resample.h"
#include "sim/traces/table.h"

namespace gyre::sim {
namespace {

constexpr std::int64_t kPartsMax = 100'000;  // that a trace is drawn from

/// Of the fault trace, if there is one.
Result<FailureModel> read_failures(const std::string& path, std::uint32_t nodes,
                                   std::vector<std::string>& notes) {
  if (path.empty()) return FailureModel::none();
  auto source = open_source(path);
  if (!source) return tl::unexpected(source.error());
  auto trace = read_fault_trace(std::move(*source), display_name(path));
  if (!trace) return tl::unexpected(trace.error());
  if (trace->nodes > nodes) {
    notes.push_back(
        fmt::format("the fault trace names {} nodes, the fleet has {}: faults of the "
                    "others are left out",
                    trace->nodes, nodes));
  }
  if (trace->unmatched > 0) {
    notes.push_back(fmt::format("{} fault ends without a start were left out", trace->unmatched));
  }
  return FailureModel::by_trace(std::move(*trace), nodes);
}

std::uint32_t node_count(const Fleet& fleet) {
  return static_cast<std::uint32_t>(fleet.nodes.size());
}

void note_queues_without_nodes(const Setting& setting, std::vector<std::string>& notes) {
  if (!setting.fleet.partitioned) return;
  std::vector<std::string> lost;
  for (const QueueSpec& queue : setting.workload.queues) {
    const bool has_node =
        std::any_of(setting.fleet.nodes.begin(), setting.fleet.nodes.end(),
                    [&](const NodeSpec& node) { return node.partition == queue.partition; });
    if (!has_node) lost.push_back(queue.name);
  }
  if (lost.empty()) return;
  notes.push_back(fmt::format("no node is in the partition of {}: its jobs are rejected",
                              fmt::join(lost, ", ")));
}

/// Queues of a queue file that no job is in: most often a name that is misspelt.
void note_unused_queues(const Setting& setting, std::vector<std::string>& notes) {
  const auto& queues = setting.workload.all_queues;
  const auto& used = setting.trace.queues;
  std::vector<std::string> unused;
  for (const QueueSpec& queue : queues) {
    const bool leaf = std::none_of(queues.begin(), queues.end(), [&](const QueueSpec& other) {
      return other.parent == queue.name;
    });
    const bool named = std::find(used.begin(), used.end(), queue.name) != used.end();
    if (leaf && !named) unused.push_back(queue.name);
  }
  if (unused.empty()) return;
  notes.push_back(fmt::format("no job of the trace is in {} {} of the queue file",
                              unused.size() == 1 ? "queue" : "the queues",
                              fmt::join(unused, ", ")));
}

QuotaBooks books_of(const Setting& setting) {
  QuotaBooks books;
  for (const QueueSpec& queue : setting.workload.all_queues) books.set(queue);
  return books;
}

/// How many jobs of each queue never start: of those that are `asked` about, the ones of whose
/// queue and resources it is so `never`.
template <class Asked, class Never>
void note_stuck(const Setting& setting, Asked asked, Never never, std::string_view why,
                std::vector<std::string>& notes) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint64_t> kinds;  // by queue and gang
  for (std::size_t i = 0; i < setting.trace.jobs.size(); ++i) {
    const TraceJob& job = setting.trace.jobs[i];
    if (asked(job)) ++kinds[{job.queue, setting.workload.gang_of[i]}];
  }
  std::map<std::uint32_t, std::uint64_t> stuck;  // by queue
  for (const auto& [kind, jobs] : kinds) {
    const ResourceSum amount = resources_of(setting.workload.gangs[kind.second]);
    if (never(setting.workload.queues[kind.first], amount)) stuck[kind.first] += jobs;
  }
  for (const auto& [queue, jobs] : stuck) {
    notes.push_back(fmt::format("{} jobs of queue '{}' {}: they never start", jobs,
                                setting.workload.queues[queue].name, why));
  }
}

void note_jobs_that_quotas_keep_out(const Setting& setting, bool all_preemptible,
                                    std::vector<std::string>& notes) {
  const QuotaBooks books = books_of(setting);
  note_stuck(
      setting, [](const TraceJob&) { return true; },
      [&](const QueueSpec& queue, const ResourceSum& amount) {
        return !books.ever_allows(queue.name, amount);
      },
      "ask for more than its limits, or those of a queue above it, ever allow", notes);
  std::map<std::string, std::int64_t> gpu_milli;  // by partition
  for (const NodeSpec& node : setting.fleet.nodes) {
    gpu_milli[node.partition] += std::int64_t{node.gpus} * kWholeGpu.value;
  }
  note_stuck(
      setting, [&](const TraceJob& job) { return !job.preemptible && !all_preemptible; },
      [&](const QueueSpec& queue, const ResourceSum& amount) {
        return amount.gpu_milli > 0 &&
               !books.ever_leaves(queue.name, amount, gpu_milli[queue.partition]);
      },
      "may not be preempted, and ask for more than what is guaranteed to others leaves", notes);
}

}  // namespace

Result<SettingInputs> read_inputs(const SimulateOptions& options) {
  auto fleet = read_fleet(options.nodes);
  if (!fleet) return tl::unexpected(fleet.error());
  auto source = open_source(options.trace_path);
  if (!source) return tl::unexpected(source.error());
  auto trace = read_trace(std::move(*source), display_name(options.trace_path),
                          {options.format, options.limit, options.skip_bad_rows});
  if (!trace) return tl::unexpected(trace.error());
  std::vector<std::string> notes = trace->notes;
  notes.insert(notes.end(), fleet->notes.begin(), fleet->notes.end());
  auto failures = read_failures(options.faults.trace_path, node_count(*fleet), notes);
  if (!failures) return tl::unexpected(failures.error());
  return SettingInputs{std::move(*trace), std::move(*fleet), std::move(*failures),
                       std::move(notes)};
}

Result<Setting> make_setting(SettingInputs inputs, const SimulateOptions& options,
                             std::vector<std::string>& notes) {
  Trace& trace = inputs.trace;
  const Rng rng(options.seed);
  if (options.resample) {
    if ((trace.jobs.back().submit - Time{}).ns / options.resample->ns > kPartsMax) {
      return fail(ErrorKind::Invalid, "parts of {} are too many parts of this trace: {} at most",
                  format_duration(*options.resample), kPartsMax);
    }
    trace = resample(trace, *options.resample, rng.stream("resample"));
  }
  if (const FaultOptions& faults = options.faults; faults.mtbf) {
    inputs.failures = FailureModel::by_rate(*faults.mtbf, faults.mttr, node_count(inputs.fleet),
                                            rng.stream("faults"));
  }
  notes.insert(notes.end(), inputs.notes.begin(), inputs.notes.end());
  Workload workload = make_workload(trace, inputs.fleet);
  if (!options.queues.empty()) {
    if (auto given = give_quotas(workload, options.queues, inputs.fleet); !given) {
      return tl::unexpected(given.error());
    }
  }
  Setting setting{std::move(trace), std::move(inputs.fleet), std::move(workload),
                  std::move(inputs.failures)};
  note_queues_without_nodes(setting, notes);
  if (!options.queues.empty()) {
    note_unused_queues(setting, notes);
    note_jobs_that_quotas_keep_out(setting, options.execution.all_preemptible, notes);
  }
  return setting;
}

}  // namespace gyre::sim
