#include <fmt/format.h>

#include <cmath>

#include "sim/report/plot.h"

namespace gyre::sim {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 340;
constexpr double kLeft = 64;
constexpr double kRight = 744;
constexpr double kTop = 64;
constexpr double kBottom = 288;
constexpr int kStyles = 6;

double scaled(const Axis& axis, double value, double from, double to) {
  const double part = axis.log ? std::log(value / axis.low) / std::log(axis.high / axis.low)
                               : (value - axis.low) / (axis.high - axis.low);
  return from + part * (to - from);
}

double x_of(const Plot& plot, double value) { return scaled(plot.x, value, kLeft, kRight); }
double y_of(const Plot& plot, double value) { return scaled(plot.y, value, kBottom, kTop); }

/// A step a point, but nothing where the value stays the same.
std::string path_of(const Plot& plot, const Line& line) {
  std::string path;
  std::string last;
  for (const auto& [x, y] : line.points) {
    const std::string height = fmt::format("{:.1f}", y_of(plot, y));
    if (path.empty()) {
      path = fmt::format("M{:.1f} {}", x_of(plot, x), height);
    } else if (height != last) {
      path += fmt::format("H{:.1f}V{}", x_of(plot, x), height);
    }
    last = height;
  }
  return path + fmt::format("H{:.1f}", x_of(plot, line.points.back().first));
}

std::string axes(const Plot& plot) {
  std::string svg;
  for (const Tick& tick : plot.y.ticks) {
    const double y = y_of(plot, tick.at);
    svg += fmt::format("<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/>\n",
                       kLeft, kRight, y, y);
    svg += fmt::format("<text class=\"mark\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                       kLeft - 8, y + 4, escape_markup(tick.label));
  }
  for (const Tick& tick : plot.x.ticks) {
    const double x = x_of(plot, tick.at);
    svg += fmt::format("<line class=\"axis\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"{}\" y2=\"{}\"/>\n",
                       x, x, kBottom, kBottom + 5);
    svg +=
        fmt::format("<text class=\"mark\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                    x, kBottom + 19, escape_markup(tick.label));
  }
  svg += fmt::format("<line class=\"axis\" x1=\"{}\" x2=\"{}\" y1=\"{}\" y2=\"{}\"/>\n", kLeft,
                     kRight, kBottom, kBottom);
  svg += fmt::format("<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                     (kLeft + kRight) / 2, kHeight - 12, escape_markup(plot.x.label));
  svg += fmt::format(
      "<text class=\"label\" transform=\"translate(16 {}) rotate(-90)\" "
      "text-anchor=\"middle\">{}</text>\n",
      (kTop + kBottom) / 2, escape_markup(plot.y.label));
  return svg;
}

std::string legend(const Plot& plot) {
  std::string svg;
  double x = kLeft;
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    const std::string& name = plot.lines[i].name;
    svg += fmt::format("<line class=\"line s{}\" x1=\"{}\" x2=\"{}\" y1=\"44\" y2=\"44\"/>\n",
                       i % kStyles, x, x + 26);
    svg += fmt::format("<text class=\"label\" x=\"{}\" y=\"48\">{}</text>\n", x + 32,
                       escape_markup(name));
    x += 56 + 7.4 * static_cast<double>(name.size());
  }
  return svg;
}

}  // namespace

std::string_view plot_style() {
  // Okabe and Ito's palette, told apart by colour-blind readers too; dashes help in print.
  return R"(.plot { --ink: #1f2328; --soft: #59636e; --grid: #e3e7eb; --back: #ffffff;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #aa4499; --c4: #8a6d00; --c5: #555555;
  background: var(--back); font-family: system-ui, sans-serif; }
@media (prefers-color-scheme: dark) {
  .plot { --ink: #e6edf3; --soft: #9da7b1; --grid: #2d333b; --back: #15191e;
    --c0: #56b4e9; --c1: #ff8c42; --c2: #3ecf9f; --c3: #e39bd0; --c4: #f0e442; --c5: #bbbbbb; } }
.plot .back { fill: var(--back); }
.plot .title { fill: var(--ink); font-size: 16px; font-weight: 600; }
.plot .label { fill: var(--ink); font-size: 13px; }
.plot .mark { fill: var(--soft); font-size: 12px; }
.plot .grid { stroke: var(--grid); }
.plot .axis { stroke: var(--soft); }
.plot .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.plot .s0 { stroke: var(--c0); }
.plot .s1 { stroke: var(--c1); stroke-dasharray: 9 3; }
.plot .s2 { stroke: var(--c2); stroke-dasharray: 3 2; }
.plot .s3 { stroke: var(--c3); stroke-dasharray: 12 3 2 3; }
.plot .s4 { stroke: var(--c4); stroke-dasharray: 6 6; }
.plot .s5 { stroke: var(--c5); stroke-dasharray: 1 3; }
)";
}

std::string escape_markup(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return safe;
}

std::string to_svg(const Plot& plot, bool standalone) {
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" viewBox=\"0 0 {} {}\" "
      "width=\"{}\" height=\"{}\" aria-label=\"{}\">\n",
      kWidth, kHeight, kWidth, kHeight, escape_markup(plot.summary));
  if (standalone) svg += fmt::format("<style>\n{}</style>\n", plot_style());
  svg += fmt::format("<rect class=\"back\" width=\"{}\" height=\"{}\"/>\n", kWidth, kHeight);
  svg += fmt::format("<text class=\"title\" x=\"{}\" y=\"24\">{}</text>\n", kLeft,
                     escape_markup(plot.title));
  svg += legend(plot) + axes(plot);
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    if (plot.lines[i].points.empty()) continue;
    svg += fmt::format("<path class=\"line s{}\" d=\"{}\"/>\n", i % kStyles,
                       path_of(plot, plot.lines[i]));
  }
  return svg + "</svg>\n";
}

}  // namespace gyre::sim
