#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sim/report/report.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

using Cell = std::function<std::string(const PolicyResult&)>;

struct Figure {
  std::string_view name;
  Cell cell;
  std::function<bool(const PolicyResult&)> says_something;  // empty: always
};

std::string percent(double ratio) { return fmt::format("{:.1f} %", 100 * ratio); }

std::string or_dash(const std::optional<double>& value, std::string_view unit) {
  return value ? fmt::format("{:.2f} {}", *value, unit) : "-";
}

Cell count_of(std::uint64_t PolicyResult::*member) {
  return [member](const PolicyResult& r) { return count_text(r.*member); };
}

Cell span_of(Spread PolicyResult::*spread, double Spread::*member) {
  return [=](const PolicyResult& r) {
    return (r.*spread).count == 0 ? std::string("-") : span_text(r.*spread.*member);
  };
}

std::function<bool(const PolicyResult&)> positive(std::uint64_t PolicyResult::*member) {
  return [member](const PolicyResult& r) { return r.*member > 0; };
}

bool any_fallback(const PolicyResult& r) {
  return r.fallbacks.absurd + r.fallbacks.overrun + r.fallbacks.unseen > 0;
}

std::string fallbacks_text(const PolicyResult& r) {
  return fmt::format("{} overrun, {} unseen, {} absurd", r.fallbacks.overrun, r.fallbacks.unseen,
                     r.fallbacks.absurd);
}

bool is_told(const PolicyResult& r) { return r.starts_told.has_value(); }

std::string share_of_told(const PolicyResult& r, std::uint64_t StartsTold::*member) {
  if (!r.starts_told || r.starts_told->known == 0) return "-";
  return percent(static_cast<double>((*r.starts_told).*member) /
                 static_cast<double>(r.starts_told->known));
}

bool is_shared(const PolicyResult& r) { return r.fairness.has_value(); }

const std::vector<Figure>& figures() {
  using R = PolicyResult;
  static const std::vector<Figure> kFigures{
      {"jobs", count_of(&R::jobs), {}},
      {"  finished", count_of(&R::finished), {}},
      {"  rejected (can never fit)", count_of(&R::rejected), positive(&R::rejected)},
      {"  failed", count_of(&R::failed), positive(&R::failed)},
      {"  waiting at the end", count_of(&R::waiting_at_end), positive(&R::waiting_at_end)},
      {"  placed at the end", count_of(&R::placed_at_end), positive(&R::placed_at_end)},
      {"makespan", [](const R& r) { return span_text(r.makespan_s); }, {}},
      {"wait, mean", span_of(&R::wait, &Spread::mean_s), {}},
      {"wait, median", span_of(&R::wait, &Spread::p50_s), {}},
      {"wait, p90", span_of(&R::wait, &Spread::p90_s), {}},
      {"wait, p99", span_of(&R::wait, &Spread::p99_s), {}},
      {"wait in all, longest", [](const R& r) { return span_text(r.longest_wait_s); }, {}},
      {"  waited beyond starve_after",
       [](const R& r) { return r.starved ? count_text(*r.starved) + " jobs" : "-"; },
       [](const R& r) { return r.starved.value_or(0) > 0; }},
      {"completion (JCT), mean", span_of(&R::jct, &Spread::mean_s), {}},
      {"completion (JCT), median", span_of(&R::jct, &Spread::p50_s), {}},
      {"completion (JCT), p90", span_of(&R::jct, &Spread::p90_s), {}},
      {"completion (JCT), p99", span_of(&R::jct, &Spread::p99_s), {}},
      {"GPU allocation, mean", [](const R& r) { return percent(r.gpu_allocation_mean); }, {}},
      {"GPU allocation, peak", [](const R& r) { return percent(r.gpu_allocation_peak); }, {}},
      {"bounded slowdown, mean",
       [](const R& r) { return fmt::format("{:.2f} x", r.bounded_slowdown_mean); },
       {}},
      {"fragmentation of free GPUs", [](const R& r) { return percent(r.fragmentation_mean); }, {}},
      {"fragmentation, amount",
       [](const R& r) { return fmt::format("{:.1f} GPU", r.fragmented_gpus_mean); },
       {}},
      {"finish-time fairness, max rho",
       [](const R& r) { return r.fairness ? fmt::format("{:.2f} x", r.fairness->rho_max) : "-"; },
       is_shared},
      {"  jobs that sharing made later",
       [](const R& r) { return r.fairness ? percent(r.fairness->share_above_one) : "-"; },
       is_shared},
      {"  Jain's index of queues",
       [](const R& r) { return r.fairness ? fmt::format("{:.3f} of 1", r.fairness->jain) : "-"; },
       is_shared},
      {"preemptions", count_of(&R::preemptions), positive(&R::preemptions)},
      {"starts in the interval told",
       [](const R& r) { return share_of_told(r, &StartsTold::inside); }, is_told},
      {"  earlier", [](const R& r) { return share_of_told(r, &StartsTold::early); }, is_told},
      {"  jobs told, of those asked",
       [](const R& r) {
         const auto& told = r.starts_told;
         return told ? fmt::format("{} / {}", told->known, told->asked) : std::string("-");
       },
       is_told},
      {"  interval's width, median",
       [](const R& r) { return r.starts_told ? span_text(r.starts_told->width_median_s) : "-"; },
       is_told},
      {"predictions not gone by", fallbacks_text, any_fallback},
      {"node failures", count_of(&R::node_failures), positive(&R::node_failures)},
      {"work lost", [](const R& r) { return fmt::format("{:.1f} GPU h", r.lost_gpu_hours); },
       [](const R& r) { return r.lost_gpu_hours > 0; }},
      {"events", count_of(&R::events), {}},
  };
  return kFigures;
}

}  // namespace

std::string aligned(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    text += fmt::format("{:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) text += fmt::format("  {:>{}}", row[i], widths[i]);
    text += '\n';
  }
  return text;
}

std::string count_text(std::uint64_t value) {
  std::string digits = fmt::format("{}", value);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string span_text(double seconds) {
  if (seconds == 0) return "0 s";
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.1f} min", seconds / 60);
  if (seconds < 172'800) return fmt::format("{:.1f} h", seconds / 3600);
  return fmt::format("{:.1f} d", seconds / 86'400);
}

std::string headline(const SimulationReport& report) {
  const std::string skipped =
      report.trace.skipped > 0
          ? fmt::format(" ({} malformed rows skipped)", count_text(report.trace.skipped))
          : "";
  const std::string partitions =
      report.fleet.partitions > 1 ? fmt::format(" in {} partitions", report.fleet.partitions) : "";
  const std::string seed =
      report.trace.format == "journal" ? "" : fmt::format(", seed {}", report.seed);
  return fmt::format("{} jobs of {}{} on {} nodes with {} GPUs{}{}", count_text(report.trace.jobs),
                     report.trace.name, skipped, count_text(report.fleet.nodes),
                     count_text(report.fleet.gpus), partitions, seed);
}

std::vector<std::vector<std::string>> figure_rows(const SimulationReport& report,
                                                  bool with_measured) {
  std::vector<Figure> shown = figures();
  if (with_measured) {
    shown.push_back({"time to simulate",
                     [](const PolicyResult& r) { return or_dash(r.wall_s, "s"); },
                     [](const PolicyResult& r) { return r.wall_s.has_value(); }});
    shown.push_back({"memory, peak",
                     [](const PolicyResult& r) { return or_dash(r.peak_rss_mib, "MiB"); },
                     [](const PolicyResult& r) { return r.peak_rss_mib.has_value(); }});
  }
  std::vector<std::vector<std::string>> rows{{"policy"}};
  for (const PolicyResult& result : report.results) rows[0].push_back(result.policy);
  for (const Figure& figure : shown) {
    const auto& results = report.results;
    if (figure.says_something &&
        std::none_of(results.begin(), results.end(), figure.says_something)) {
      continue;
    }
    rows.push_back({std::string(figure.name)});
    for (const PolicyResult& result : results) rows.back().push_back(figure.cell(result));
  }
  return rows;
}

std::string to_table(const SimulationReport& report) {
  std::string text = headline(report) + "\n\n" + aligned(figure_rows(report, true));
  if (!report.notes.empty()) text += '\n';
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace gyre::sim
