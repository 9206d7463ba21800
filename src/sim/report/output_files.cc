#include <fmt/format.h>

#include <iterator>

#include "base/assert.h"
#include "sim/report/plot.h"
#include "sim/report/report.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

double to_seconds(Time time) { return static_cast<double>(time.ns) / 1e9; }

std::string seconds_or_empty(const std::optional<Time>& time) {
  return time ? fmt::format("{}", to_seconds(*time)) : std::string();
}

/// A CSV field, quoted where it must be. Text that a spreadsheet would run as a formula is
/// disarmed.
std::string field(std::string_view text) {
  std::string safe(text);
  if (!safe.empty() && std::string_view("=+-@").find(safe[0]) != std::string_view::npos) {
    safe.insert(0, "'");
  }
  if (safe.find_first_of(",\"\r\n") == std::string::npos) return safe;
  std::string quoted = "\"";
  for (const char c : safe) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

std::string jobs_csv(const SimulationReport& report, const PolicyResult& result) {
  std::string csv =
      "id,queue,gpus,submitted_s,started_s,ended_s,wait_s,jct_s,state,cause,attempts,"
      "preemptions\n";
  for (const JobOutcome& job : result.outcomes) {
    const double submitted = to_seconds(job.submitted_at);
    const std::string wait =
        job.started_at
            ? fmt::format("{}", to_seconds(Time{} + (*job.started_at - job.submitted_at)))
            : "";
    const bool finished = job.state == JobState::Succeeded;
    const std::string jct =
        finished ? fmt::format("{}", to_seconds(Time{} + (*job.ended_at - job.submitted_at))) : "";
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},{},{},{},{},{},{},{},{}\n",
                   field(report.job_names[job.job]),
                   field(report.queue_names[report.job_queues[job.job]]),
                   static_cast<double>(job.gpu.value) / 1000, submitted,
                   seconds_or_empty(job.started_at), seconds_or_empty(job.ended_at), wait, jct,
                   to_string(job.state), to_string(job.cause), job.attempts, job.preemptions);
  }
  return csv;
}

std::string series_csv(const PolicyResult& result) {
  std::string csv = "time_s,gpus_allocated,gpus_up,jobs_waiting,jobs_placed\n";
  for (const SeriesPoint& point : result.series) {
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},{}\n", to_seconds(point.at),
                   static_cast<double>(point.gpu_milli_allocated) / 1000,
                   static_cast<double>(point.gpu_milli_up) / 1000, point.jobs_waiting,
                   point.jobs_placed);
  }
  return csv;
}

std::string starts_csv(const SimulationReport& report, const StartsTold& told) {
  std::string csv = "id,submitted_s,earliest_s,median_s,latest_s,started_s\n";
  for (const ToldStart& start : told.starts) {
    fmt::format_to(std::back_inserter(csv), "{},{},{},{},{},{}\n",
                   field(report.job_names[start.job]), to_seconds(start.told_at),
                   to_seconds(start.earliest), to_seconds(start.median), to_seconds(start.latest),
                   to_seconds(start.started_at));
  }
  return csv;
}

}  // namespace

std::vector<OutputFile> output_files(const SimulationReport& report) {
  GYRE_ASSERT(report.job_names.size() == report.trace.jobs);
  std::vector<OutputFile> files;
  for (const PolicyResult& result : report.results) {
    files.push_back({fmt::format("jobs-{}.csv", result.policy), jobs_csv(report, result)});
    files.push_back({fmt::format("timeseries-{}.csv", result.policy), series_csv(result)});
    if (!result.starts_told) continue;
    files.push_back({fmt::format("starts-told-{}.csv", result.policy),
                     starts_csv(report, *result.starts_told)});
  }
  files.push_back({"summary.json", render_json(report, false)});
  for (const Plot& plot : plots_of(report)) files.push_back({plot.file, to_svg(plot, true)});
  files.push_back({"report.html", to_html(report)});
  return files;
}

}  // namespace gyre::sim
