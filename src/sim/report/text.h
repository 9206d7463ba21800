#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/report.h"

namespace gyre::sim {

/// to_json(), without what was measured on the machine unless `with_measured`.
std::string render_json(const SimulationReport& report, bool with_measured);

/// The figures of a report as text, a row a figure: its name with the unit, then a cell a policy.
/// Rows that say nothing of any policy (no preemption, no failure) are left out.
std::vector<std::vector<std::string>> figure_rows(const SimulationReport& report,
                                                  bool with_measured);

/// The sentence above the figures: what ran on what.
std::string headline(const SimulationReport& report);

/// `rows` as columns as wide as their widest cell, each but the first to the right. In bytes: for
/// ASCII.
std::string aligned(const std::vector<std::vector<std::string>>& rows);

/// `value` as a JSON string.
std::string json_text(std::string_view value);

/// `values` as a JSON array of strings.
std::string json_list(const std::vector<std::string>& values);

/// A page that needs nothing else.
struct Page {
  std::string title;
  std::string heading;
  std::string lead;        // the sentence under it
  std::string_view style;  // CSS, beside that of tables and plots
  std::string content;     // HTML
  std::vector<std::string> notes;
};
std::string html_page(const Page& page);

/// `rows` as an HTML table; the first row is its heading.
std::string html_table(const std::vector<std::vector<std::string>>& rows);

/// A number of seconds for a person: "12.3 s", "4.5 min", "6.7 h", "8.9 d".
std::string span_text(double seconds);

/// `value` with thousands set apart: "28,032".
std::string count_text(std::uint64_t value);

}  // namespace gyre::sim
