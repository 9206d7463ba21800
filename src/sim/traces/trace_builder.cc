#include "sim/traces/trace_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace gyre::sim {
namespace {

constexpr std::size_t kJobsMax = 20'000'000;

std::uint32_t intern(std::map<std::string, std::uint32_t, std::less<>>& index,
                     std::vector<std::string>& all, std::string_view name) {
  const auto found = index.find(name);
  if (found != index.end()) return found->second;
  const auto id = static_cast<std::uint32_t>(all.size());
  index.emplace(name, id);
  all.emplace_back(name);
  return id;
}

Result<void> check(const Table& table, const Demand& demand) {
  if (demand.gpu_milli < kWholeGpu && demand.gpus > 1) {
    return table.fail_row("it asks for a share of {} GPUs; only one GPU can be shared",
                          demand.gpus);
  }
  if (demand.nodes > 0 && demand.gpus % demand.nodes != 0) {
    return table.fail_row("{} GPUs cannot be split evenly over {} nodes", demand.gpus,
                          demand.nodes);
  }
  return {};
}

}  // namespace

std::vector<std::string> split_models(std::string_view text) {
  std::vector<std::string> models;
  while (!text.empty()) {
    const std::size_t bar = std::min(text.find('|'), text.size());
    if (bar > 0) models.emplace_back(text.substr(0, bar));
    text.remove_prefix(std::min(bar + 1, text.size()));
  }
  std::sort(models.begin(), models.end());
  models.erase(std::unique(models.begin(), models.end()), models.end());
  return models;
}

Result<void> TraceBuilder::add(const Table& table, const JobRow& row) {
  if (trace_.jobs.size() == kJobsMax) {
    return table.fail_row("the trace has more than {} jobs; read a part of it with --limit",
                          kJobsMax);
  }
  if (auto done = check(table, row.demand); !done) return done;
  if (row.name.empty()) {
    trace_.names.push_back(fmt::format("job-{}", table.line()));
  } else {
    const auto [found, is_new] = line_of_name_.try_emplace(std::string(row.name), table.line());
    if (!is_new) {
      return table.fail_row("the job '{}' is already in line {}; ids must be unique", row.name,
                            found->second);
    }
    trace_.names.emplace_back(row.name);
  }
  const auto [demand, is_new] =
      demand_index_.try_emplace(row.demand, static_cast<std::uint32_t>(trace_.demands.size()));
  if (is_new) trace_.demands.push_back(row.demand);
  trace_.jobs.push_back({row.submit, row.duration, row.checkpoint_interval,
                         static_cast<std::uint32_t>(trace_.jobs.size()), demand->second,
                         intern(queue_index_, trace_.queues, row.queue),
                         intern(user_index_, trace_.users, row.user),
                         static_cast<std::int8_t>(row.priority), row.preemptible,
                         row.declared.value_or(row.duration)});
  return {};
}

Result<Trace> TraceBuilder::finish(std::string name, std::string format,
                                   std::vector<std::string> notes) {
  trace_.name = std::move(name);
  trace_.format = std::move(format);
  trace_.notes = std::move(notes);
  if (trace_.jobs.empty()) {
    if (trace_.skipped == 0) {
      return fail(ErrorKind::Invalid, "{}: there is a header but no job", trace_.name);
    }
    return fail(ErrorKind::Invalid,
                "{}: all {} rows are malformed; read it without "
                "--skip-bad-rows to see what is wrong",
                trace_.name, trace_.skipped);
  }
  std::stable_sort(trace_.jobs.begin(), trace_.jobs.end(),
                   [](const TraceJob& a, const TraceJob& b) { return a.submit < b.submit; });
  const Time first = trace_.jobs.front().submit;
  if (trace_.jobs.back().submit - first > kSpanMax) {
    return fail(ErrorKind::Invalid, "{}: the first and the last job are over 100 years apart",
                trace_.name);
  }
  for (TraceJob& job : trace_.jobs) job.submit = Time{(job.submit - first).ns};
  return std::move(trace_);
}

}  // namespace gyre::sim
