#include <fmt/format.h>

#include <cmath>
#include <string>

#include "sim/report/report.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

/// A double with as many digits as it needs to be read back exactly, and no more.
std::string number(double value) { return fmt::format("{}", value); }

std::string spread(const Spread& spread) {
  return fmt::format(R"({{"mean":{},"p50":{},"p90":{},"p99":{}}})", number(spread.mean_s),
                     number(spread.p50_s), number(spread.p90_s), number(spread.p99_s));
}

std::string measured(std::string_view name, const std::optional<double>& value) {
  return fmt::format(R"(,"{}":{})", name, value ? number(*value) : "null");
}

std::string fairness(const std::optional<Fairness>& fairness) {
  if (!fairness) return "null";
  return fmt::format(R"({{"rho_max":{},"share_above_one":{},"jain":{}}})",
                     number(fairness->rho_max), number(fairness->share_above_one),
                     number(fairness->jain));
}

std::string starts_told(const std::optional<StartsTold>& told) {
  if (!told) return "";
  return fmt::format(
      R"(,"starts_told":{{"asked":{},"known":{},"inside":{},"early":{},"width_median_s":{}}})",
      told->asked, told->known, told->inside, told->early, number(told->width_median_s));
}

std::string result(const PolicyResult& r, bool with_measured) {
  std::string json = fmt::format(
      R"({{"policy":{},"jobs":{},"finished":{},"rejected":{},"makespan_s":{},"wait_s":{},)"
      R"("jct_s":{},"gpu_allocation_ratio":{{"mean":{},"peak":{}}},)"
      R"("fragmentation_ratio":{{"mean":{}}},"preemptions":{},"lost_gpu_hours":{},"events":{})",
      json_text(r.policy), r.jobs, r.finished, r.rejected, number(r.makespan_s), spread(r.wait),
      spread(r.jct), number(r.gpu_allocation_mean), number(r.gpu_allocation_peak),
      number(r.fragmentation_mean), r.preemptions, number(r.lost_gpu_hours), r.events);
  if (with_measured) {
    json += measured("wall_s", r.wall_s);
    json += measured("peak_rss_mib", r.peak_rss_mib);
  }
  return json + fmt::format(R"(,"failed":{},"waiting_at_end":{},"placed_at_end":{},)"
                            R"("node_failures":{},"fragmented_gpus":{{"mean":{}}},)"
                            R"("bounded_slowdown":{{"mean":{}}},"fairness":{},)"
                            R"("longest_wait_s":{},"starved":{},)"
                            R"("prediction_fallbacks":{{"absurd":{},"overrun":{},)"
                            R"("unseen":{}}},"cut_short_at_s":{}{}}})",
                            r.failed, r.waiting_at_end, r.placed_at_end, r.node_failures,
                            number(r.fragmented_gpus_mean), number(r.bounded_slowdown_mean),
                            fairness(r.fairness), number(r.longest_wait_s),
                            r.starved ? fmt::format("{}", *r.starved) : "null", r.fallbacks.absurd,
                            r.fallbacks.overrun, r.fallbacks.unseen,
                            r.cut_short_at_s ? number(*r.cut_short_at_s) : "null",
                            starts_told(r.starts_told));
}

}  // namespace

std::string json_text(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::string json_list(const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ",") + json_text(value);
  return '[' + list + ']';
}

std::string render_json(const SimulationReport& report, bool with_measured) {
  std::string json =
      fmt::format(R"({{"trace":{{"jobs":{},"skipped":{},"name":{},"format":{}}},"results":[)",
                  report.trace.jobs, report.trace.skipped, json_text(report.trace.name),
                  json_text(report.trace.format));
  for (std::size_t i = 0; i < report.results.size(); ++i) {
    json += (i == 0 ? "" : ",") + result(report.results[i], with_measured);
  }
  json += fmt::format(R"(],"fleet":{{"nodes":{},"gpus":{},"partitions":{}}},"seed":{},"notes":{})",
                      report.fleet.nodes, report.fleet.gpus, report.fleet.partitions, report.seed,
                      json_list(report.notes));
  if (const auto& calibration = report.calibration) {
    json += fmt::format(R"(,"calibration":{{"jobs":{},"on_time":{},"difference_mean_s":{}}})",
                        calibration->jobs, calibration->on_time,
                        number(calibration->difference_mean_s));
  }
  return json + "}\n";
}

std::string to_json(const SimulationReport& report) { return render_json(report, true); }

}  // namespace gyre::sim
