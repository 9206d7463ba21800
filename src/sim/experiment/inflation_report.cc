#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/experiment/inflation.h"
#include "sim/experiment/published.h"

namespace gyre::sim {
namespace {

constexpr std::array kLoads{100, 130};  // percent, that people are shown
constexpr int kPercentPerPoint = 5;     // that scripts are shown

std::string_view name_of(PolicySpec::Placement placement) {
  return placement_names()[static_cast<std::size_t>(placement)].name;
}

/// None for another fleet than the one that was measured.
std::optional<PublishedAllocation> published_for(const InflationReport& report,
                                                 const InflationResult& result) {
  if (report.nodes != kPublishedNodes || report.gpus != kPublishedGpus) return std::nullopt;
  return published_allocation(result.trace, result.placement);
}

std::optional<double> published_at(const InflationReport& report, const InflationResult& result,
                                   int load) {
  const auto published = published_for(report, result);
  if (!published) return std::nullopt;
  return load == 100 ? published->at_100 : published->at_130;
}

/// A figure of one result, in percent, and what was published for it.
struct Cell {
  double value = 0;
  std::optional<double> published;

  std::string text() const {
    return published ? fmt::format("{:.2f} ({:.2f})", value, *published)
                     : fmt::format("{:.2f}", value);
  }
};

/// A row a trace, a column a placement, and the mean over the traces.
template <class CellOf>
std::string matrix(const InflationReport& report, CellOf&& cell_of) {
  std::vector<std::string_view> columns;
  for (const InflationResult& result : report.results) {
    const std::string_view name = name_of(result.placement);
    if (std::find(columns.begin(), columns.end(), name) == columns.end()) columns.push_back(name);
  }
  std::size_t width = 5;
  for (const InflationResult& result : report.results) width = std::max(width, result.trace.size());
  std::string text = fmt::format("{:<{}}", "trace", width);
  for (const std::string_view column : columns) text += fmt::format("  {:>17}", column);
  std::vector<Cell> means(columns.size(), Cell{0, 0});
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const std::size_t column = i % columns.size();
    if (column == 0) text += fmt::format("\n{:<{}}", report.results[i].trace, width);
    const Cell cell = cell_of(report.results[i]);
    text += fmt::format("  {:>17}", cell.text());
    means[column].value += cell.value;
    if (!cell.published) means[column].published.reset();
    if (means[column].published) *means[column].published += *cell.published;
  }
  const std::size_t traces = report.results.size() / columns.size();
  if (traces < 2) return text + "\n";
  text += fmt::format("\n{:<{}}", "mean", width);
  for (Cell mean : means) {
    mean.value /= static_cast<double>(traces);
    if (mean.published) *mean.published /= static_cast<double>(traces);
    text += fmt::format("  {:>17}", mean.text());
  }
  return text + "\n";
}

std::string json_text(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    const bool plain = static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
    quoted += plain ? std::string(1, c) : fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
  }
  return quoted + '"';
}

std::string points_json(const InflationResult& result) {
  std::string json;
  for (int load = 0; load <= kLoadPercentMax; load += kPercentPerPoint) {
    const LoadPoint& point = result.by_load[static_cast<std::size_t>(load)];
    if (!point.measured) continue;
    json += fmt::format(R"({}{{"load":{},"gpu_allocation_ratio":{},"fragmented_gpu_share":{},)"
                        R"("fragmentation_ratio":{}}})",
                        json.empty() ? "" : ",", load / 100.0, point.allocation,
                        point.fragmentation, point.fragmentation_ratio);
  }
  return json;
}

std::string published_json(const InflationReport& report, const InflationResult& result) {
  const auto published = published_for(report, result);
  if (!published) return "null";
  return fmt::format(
      R"({{"gpu_allocation_ratio_at_100":{:.4f},"gpu_allocation_ratio_at_130":{:.4f}}})",
      published->at_100 / 100, published->at_130 / 100);
}

}  // namespace

std::string to_table(const InflationReport& report) {
  std::string text =
      fmt::format("{} nodes with {} GPUs, mean of seeds {} to {}\n", report.nodes, report.gpus,
                  report.first_seed, report.first_seed + report.seeds - 1);
  const bool is_published = std::any_of(
      report.results.begin(), report.results.end(),
      [&](const InflationResult& result) { return published_for(report, result).has_value(); });
  for (const int load : kLoads) {
    const auto at = static_cast<std::size_t>(load);
    text += fmt::format("\nGPU allocation at {} % arrived load, % of all GPUs{}\n", load,
                        is_published ? " (published)" : "");
    text += matrix(report, [&](const InflationResult& result) {
      return Cell{100 * result.by_load[at].allocation, published_at(report, result, load)};
    });
  }
  for (const int load : kLoads) {
    const auto at = static_cast<std::size_t>(load);
    text += fmt::format("\nfragmented GPUs at {} % arrived load, % of all GPUs\n", load);
    text += matrix(report, [&](const InflationResult& result) {
      return Cell{100 * result.by_load[at].fragmentation, std::nullopt};
    });
  }
  if (report.results.empty() || !report.results.front().cpu_s) return text;
  text += "\nCPU time of one run, s\n";
  return text + matrix(report, [&](const InflationResult& result) {
           return Cell{result.cpu_s.value_or(0), std::nullopt};
         });
}

std::string to_json(const InflationReport& report) {
  std::string json = fmt::format(
      R"({{"experiment":"fgd","nodes":{},"gpus":{},"first_seed":{},"seeds":{},"results":[)",
      report.nodes, report.gpus, report.first_seed, report.seeds);
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    const InflationResult& result = report.results[i];
    json += fmt::format(
        R"({}{{"trace":{},"placement":"{}","tasks":{},"gpu_allocation_deviation_at_100":{},)"
        R"("cpu_s":{},"published":{},"points":[{}]}})",
        i == 0 ? "" : ",", json_text(result.trace), name_of(result.placement), result.tasks,
        result.allocation_deviation, result.cpu_s ? fmt::format("{}", *result.cpu_s) : "null",
        published_json(report, result), points_json(result));
  }
  return json + "]}\n";
}

}  // namespace gyre::sim
