#include "cli/outlook.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "cli/print.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

void print_start(const Json& start) {
  if (start.at("median").is_null() && start.at("earliest").is_string()) {
    const Json& latest = start.at("latest");
    fmt::print("expected start: {}; {} at the earliest; {}\n",
               latest.is_string()
                   ? latest.get<std::string>() + " at the latest, if all else goes as expected"
                   : "maybe later than can be looked ahead",
               start.value("earliest", ""), terminal_safe(start.value("unknown", "")));
    return;
  }
  if (!start.at("median").is_string()) {
    fmt::print("expected start: unknown; {}\n", terminal_safe(start.value("unknown", "")));
    return;
  }
  if (start.at("earliest") == start.at("latest")) {
    fmt::print("expected start: {}; no spread known\n", start.value("median", ""));
    return;
  }
  const std::string latest = start.at("latest").is_string() ? "and " + start.value("latest", "")
                                                            : "and later than can be looked ahead";
  fmt::print("expected start: {}; between {} {}, aimed at {} %\n", start.value("median", ""),
             start.value("earliest", ""), latest, start.value("scenarios_percent", 0));
}

/// "sooner, at TIME", or as much of it as is known; empty: it would wait too.
std::string when(const Json& alternative, const Json& start) {
  const std::string sooner = start.at("median").is_string() ? "sooner, " : "";
  const Json& expected = alternative.at("expected_start");
  if (expected.is_string()) return sooner + "at " + expected.get<std::string>();
  const Json latest = alternative.value("latest_start", Json());
  return latest.is_string() ? sooner + "at " + latest.get<std::string>() + " at the latest" : "";
}

std::string describe(const Json& alternative) {
  std::string text = terminal_safe(alternative.value("change", ""));
  for (const Json& job : alternative.at("preempts")) {
    text += fmt::format(", stopping job {}", job.dump());
  }
  return text;
}

}  // namespace

void print_outlook(const Json& waiting) {
  const auto outlook = waiting.find("outlook");
  if (outlook == waiting.end() || !outlook->is_object()) {
    const std::string why = waiting.value("no_outlook", "");
    if (!why.empty()) fmt::print("expected start: not looked for; {}\n", terminal_safe(why));
    return;
  }
  print_start(outlook->at("start"));
  std::string still_waits;
  std::string not_looked_at;
  for (const Json& alternative : outlook->at("alternatives")) {
    const bool makes_room = !alternative.at("preempts").empty();
    const std::string sooner = when(alternative, outlook->at("start"));
    if (!sooner.empty()) {
      fmt::print("it would start {}, if it were: {}\n", sooner, describe(alternative));
    } else if (alternative.value("starts_now", false) || makes_room) {
      fmt::print("it would start {} if it were: {}\n",
                 alternative.value("starts_now", false) ? "now" : "soon", describe(alternative));
    } else {
      std::string& all = alternative.value("looked_ahead", true) ? still_waits : not_looked_at;
      all += (all.empty() ? "" : "; ") + describe(alternative);
    }
  }
  if (!still_waits.empty()) fmt::print("it would wait too if it were: {}\n", still_waits);
  if (!not_looked_at.empty()) {
    fmt::print("not looked ahead for, since it would take too long: {}\n", not_looked_at);
  }
}

}  // namespace gyre::cli
