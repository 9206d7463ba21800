#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "sim/report/comparison_text.h"
#include "sim/report/text.h"
#include "sim/tune/tune.h"

namespace gyre::sim {
namespace {

std::string setting_text(const Tunable& setting, const PolicySpec& policy) {
  const std::int64_t value = setting.get(policy);
  if (!setting.is_span) return count_text(static_cast<std::uint64_t>(value));
  return value == 0 ? "0 s" : format_duration(seconds(value));
}

std::string settings_json(const TuneReport& report, const PolicySpec& policy) {
  std::string json;
  for (const Tunable& setting : report.settings) {
    json += fmt::format(R"({}"{}{}":{})", json.empty() ? "" : ",", setting.name,
                        setting.is_span ? "_s" : "", setting.get(policy));
  }
  return "{" + json + "}";
}

}  // namespace

std::string to_json(const TuneReport& report) {
  return fmt::format(
      R"({{"traces":{},"jobs":{},"nodes":{},"gpus":{},"objective":{},"windows":{},"kept":{},)"
      R"("tried":{},"policy":{},"base":{},"found":{},"searched_percent":{},"kept_percent":{},)"
      R"("holds":{},"notes":{}}})"
      "\n",
      json_list(report.traces), report.jobs, report.fleet.nodes, report.fleet.gpus,
      json_text(report.objective), report.windows, report.kept, report.tried,
      json_text(report.base.name), settings_json(report, report.base),
      settings_json(report, report.found), difference_json(report.searched),
      difference_json(report.held), report.holds(), json_list(report.notes));
}

std::string to_table(const TuneReport& report) {
  std::string text = fmt::format(
      "{} of {}, the less the better: {} jobs of {} on {} nodes with {} GPUs\n"
      "{} policies tried on {} windows, {} kept apart\n\n",
      report.objective, report.base.name, count_text(report.jobs), fmt::join(report.traces, ", "),
      count_text(report.fleet.nodes), count_text(report.fleet.gpus), count_text(report.tried),
      report.windows - report.kept, report.kept);
  std::vector<std::vector<std::string>> rows{{"setting", report.base.name, "found"}};
  for (const Tunable& setting : report.settings) {
    rows.push_back({std::string(setting.name), setting_text(setting, report.base),
                    setting_text(setting, report.found)});
  }
  text += aligned(rows) + "\n";
  text += aligned({{"found against " + report.base.name, "difference (95 %)"},
                   {"windows that were searched", difference_text(report.searched, true)},
                   {"windows that were kept apart", difference_text(report.held, true)}});
  const bool other =
      std::any_of(report.settings.begin(), report.settings.end(), [&](const Tunable& setting) {
        return setting.get(report.found) != setting.get(report.base);
      });
  text += !other ? fmt::format("\nnothing better was found: {} stays as it is\n", report.base.name)
          : report.holds()
              ? fmt::format("\nit holds on what no search has seen: use {}\n", report.chosen().name)
              : fmt::format(
                    "\nit does not hold on what no search has seen, or chance may have made "
                    "it: {} stays as it is\n",
                    report.base.name);
  for (const std::string& note : report.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace gyre::sim
