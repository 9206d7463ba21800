#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/report/report.h"

namespace gyre::sim {

/// Where an axis has a mark, and what stands there.
struct Tick {
  double at = 0;
  std::string label;
};

/// One axis; `log` puts equal ratios at equal distances (then `low` > 0).
struct Axis {
  std::string label;  // with the unit
  double low = 0;
  double high = 1;
  bool log = false;
  std::vector<Tick> ticks;
};

/// A line of steps by growing x: a value holds until the next point.
struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string file;  // name of its .svg
  std::string title;
  std::string summary;  // one sentence, for who cannot see it
  Axis x;
  Axis y;
  std::vector<Line> lines;
};

/// An axis from 0 to a round number at or above `high`.
Axis linear_axis(std::string label, double high);

/// Allocation and queue length over time, and the share of jobs that waited at most so long.
std::vector<Plot> plots_of(const SimulationReport& report);

/// The plot as an <svg> element, 760 x 340, that follows the reader's choice of light or dark.
/// `standalone`: with its own style sheet, for a file.
std::string to_svg(const Plot& plot, bool standalone);

/// The style sheet that the element needs.
std::string_view plot_style();

/// `text` for the inside of an XML or HTML element or attribute.
std::string escape_markup(std::string_view text);

/// The whole report as one page that needs nothing else.
std::string to_html(const SimulationReport& report);

}  // namespace gyre::sim
