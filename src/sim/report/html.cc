#include <fmt/format.h>

#include <utility>

#include "sim/report/plot.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

constexpr std::string_view kPageStyle = R"(:root { color-scheme: light dark; }
body { margin: 2rem auto; max-width: 800px; padding: 0 1rem; font: 15px/1.5 system-ui, sans-serif;
  color: #1f2328; background: #ffffff; }
h1 { font-size: 1.5rem; margin-bottom: 0.2rem; }
p { margin: 0.2rem 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0; }
th, td { text-align: right; padding: 0.25rem 0.9rem; border-bottom: 1px solid #e3e7eb;
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td:first-child { white-space: pre; }
figure { margin: 1.5rem 0; }
svg { max-width: 100%; height: auto; }
.scroll { overflow-x: auto; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #15191e; }
  th, td { border-color: #2d333b; } }
)";

}  // namespace

std::string html_page(const Page& page) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n"
      "<style>\n{}{}{}</style>\n</head>\n<body>\n<h1>{}</h1>\n<p>{}</p>\n{}",
      escape_markup(page.title), kPageStyle, plot_style(), page.style, escape_markup(page.heading),
      escape_markup(page.lead), page.content);
  if (!page.notes.empty()) html += "<h2>Notes</h2>\n<ul>\n";
  for (const std::string& note : page.notes) {
    html += fmt::format("<li>{}</li>\n", escape_markup(note));
  }
  if (!page.notes.empty()) html += "</ul>\n";
  return html + "</body>\n</html>\n";
}

std::string html_table(const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"scroll\"><table>\n";
  bool header = true;
  for (const auto& row : rows) {
    html += header ? "<thead><tr>" : "<tr>";
    for (const std::string& cell : row) {
      const std::string_view tag = header ? "th" : "td";
      html += fmt::format("<{0}>{1}</{0}>", tag, escape_markup(cell));
    }
    html += header ? "</tr></thead>\n<tbody>\n" : "</tr>\n";
    header = false;
  }
  return html + "</tbody></table></div>\n";
}

std::string to_html(const SimulationReport& report) {
  std::string content = html_table(figure_rows(report, false));
  for (const Plot& plot : plots_of(report)) {
    content += fmt::format("<figure>\n{}</figure>\n", to_svg(plot, false));
  }
  const std::string& trace = report.trace.name;
  return html_page({trace + ": simulation", "Simulation of " + trace, headline(report), "",
                    std::move(content), report.notes});
}

}  // namespace gyre::sim
