#include "sim/report/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "sim/report/text.h"

namespace gyre::sim {
namespace {

constexpr std::size_t kBuckets = 240;  // of a line over time
constexpr std::size_t kCdfPoints = 400;

double to_seconds(Time time) { return static_cast<double>(time.ns) / 1e9; }

/// Steps of 1, 2 or 5 times a power of ten, about `count` of them up to `high`.
double nice_step(double high, int count) {
  const double rough = high / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (rough <= factor * power) return factor * power;
  }
  return 10 * power;
}

struct TimeUnit {
  std::string_view name;
  double seconds;
};

TimeUnit unit_for(double seconds) {
  constexpr std::array<TimeUnit, 3> kUnits{{{"days", 86'400}, {"hours", 3'600}, {"minutes", 60}}};
  for (const TimeUnit& unit : kUnits) {
    if (seconds >= 3 * unit.seconds) return unit;
  }
  return {"seconds", 1};
}

double value_of(const SeriesPoint& point, const SimulationReport& report, bool allocation) {
  if (!allocation) return point.jobs_waiting;
  const double all = 1000.0 * static_cast<double>(std::max<std::uint64_t>(report.fleet.gpus, 1));
  return 100 * static_cast<double>(point.gpu_milli_allocated) / all;
}

/// Mean values over equal spans of time; a sample holds until the next.
std::vector<std::pair<double, double>> over_time(const SimulationReport& report,
                                                 const PolicyResult& result, bool allocation,
                                                 double unit_s) {
  const double end = std::max(result.makespan_s, 1e-9);
  const double width = end / static_cast<double>(kBuckets);
  std::vector<double> area(kBuckets, 0);
  for (std::size_t i = 0; i < result.series.size(); ++i) {
    const double from = to_seconds(result.series[i].at);
    const bool last = i + 1 == result.series.size();
    const double to = std::min(last ? end : to_seconds(result.series[i + 1].at), end);
    const double value = value_of(result.series[i], report, allocation);
    for (auto bucket = static_cast<std::size_t>(from / width);
         bucket < kBuckets && static_cast<double>(bucket) * width < to; ++bucket) {
      const double left = static_cast<double>(bucket) * width;
      area[bucket] += value * std::max(0.0, std::min(to, left + width) - std::max(from, left));
    }
  }
  std::vector<std::pair<double, double>> points;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    points.emplace_back(static_cast<double>(i) * width / unit_s, area[i] / width);
  }
  points.emplace_back(end / unit_s, points.back().second);
  return points;
}

Plot time_plot(const SimulationReport& report, bool allocation) {
  double end = 0;
  for (const PolicyResult& result : report.results) end = std::max(end, result.makespan_s);
  const TimeUnit unit = unit_for(end);
  Plot plot;
  plot.x =
      linear_axis(fmt::format("time since the first arrival ({})", unit.name), end / unit.seconds);
  plot.x.high = std::max(end, 1e-9) / unit.seconds;  // time ends with the run, not at a round mark
  std::erase_if(plot.x.ticks, [&](const Tick& tick) { return tick.at > plot.x.high; });
  double high = 0;
  for (const PolicyResult& result : report.results) {
    plot.lines.push_back({result.policy, over_time(report, result, allocation, unit.seconds)});
    for (const auto& [x, y] : plot.lines.back().points) high = std::max(high, y);
  }
  if (allocation) {
    plot.file = "allocation.svg";
    plot.title = "GPU allocation over time";
    plot.summary = "Share of all GPUs that jobs hold, by policy, over the run.";
    plot.y = linear_axis("GPUs allocated (%)", 100);
  } else {
    plot.file = "queue.svg";
    plot.title = "Queue length over time";
    plot.summary = "Number of jobs that wait, by policy, over the run.";
    plot.y = linear_axis("jobs waiting", std::max(high, 1.0));
  }
  return plot;
}

Line wait_line(const PolicyResult& result) {
  std::vector<double> waits;
  for (const JobOutcome& job : result.outcomes) {
    if (!job.started_at) continue;
    waits.push_back(std::max(1.0, to_seconds(*job.started_at) - to_seconds(job.submitted_at)));
  }
  std::sort(waits.begin(), waits.end());
  Line line{result.policy, {}};
  const std::size_t all = std::max<std::size_t>(result.outcomes.size(), 1);
  for (std::size_t i = 0; i < waits.size(); ++i) {
    const bool kept = i + 1 == waits.size() ||
                      i * kCdfPoints / waits.size() != (i + 1) * kCdfPoints / waits.size();
    if (!kept) continue;
    line.points.emplace_back(waits[i], 100 * static_cast<double>(i + 1) / static_cast<double>(all));
  }
  if (!line.points.empty() && line.points.front().first > 1) {
    line.points.insert(line.points.begin(), {1.0, 0.0});
  }
  return line;
}

Plot wait_plot(const SimulationReport& report) {
  static const std::vector<Tick> kMarks{{1, "1 s"},      {10, "10 s"},      {60, "1 min"},
                                        {600, "10 min"}, {3'600, "1 h"},    {36'000, "10 h"},
                                        {86'400, "1 d"}, {864'000, "10 d"}, {8'640'000, "100 d"}};
  Plot plot;
  plot.file = "wait.svg";
  plot.title = "Wait until the first start";
  plot.summary = "Share of jobs that started within a time of their submission, by policy.";
  plot.y = linear_axis("jobs started (%)", 100);
  plot.x = {"wait (logarithmic; 1 s stands for less too)", 1, 10, true, {}};
  for (const PolicyResult& result : report.results) {
    plot.lines.push_back(wait_line(result));
    if (plot.lines.back().points.empty()) continue;
    plot.x.high = std::max(plot.x.high, plot.lines.back().points.back().first);
  }
  for (Line& line : plot.lines) {
    if (!line.points.empty()) line.points.emplace_back(plot.x.high, line.points.back().second);
  }
  for (const Tick& mark : kMarks) {
    if (mark.at <= plot.x.high) plot.x.ticks.push_back(mark);
  }
  return plot;
}

}  // namespace

Axis linear_axis(std::string label, double high) {
  const double step = nice_step(std::max(high, 1e-9), 5);
  Axis axis{std::move(label), 0, step * std::ceil(high / step - 1e-9), false, {}};
  axis.high = std::max(axis.high, step);
  const auto marks = static_cast<int>(std::llround(axis.high / step));
  for (int i = 0; i <= marks; ++i) axis.ticks.push_back({i * step, fmt::format("{:g}", i * step)});
  return axis;
}

std::vector<Plot> plots_of(const SimulationReport& report) {
  return {time_plot(report, true), time_plot(report, false), wait_plot(report)};
}

}  // namespace gyre::sim
