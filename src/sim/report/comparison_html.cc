#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/report/comparison_text.h"
#include "sim/report/plot.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

constexpr double kWidth = 760;
constexpr double kLeft = 170;  // names of policies stand before it
constexpr double kRight = 730;
constexpr double kTop = 44;
constexpr double kRow = 34;
constexpr int kStyles = 6;
/// What an interval's plot needs beside plot_style().
constexpr std::string_view kIntervalStyle =
    ".plot .interval { fill: none; stroke-width: 2.5; stroke-dasharray: none; }\n";

struct Scale {
  std::string_view name;
  double factor = 1;
};

/// Of seconds: the largest unit in which the highest value is above 2.
Scale scale_of(const ComparedFigure& figure, double high) {
  if (figure.unit != "s") return {figure.unit, 1};
  if (high > 2 * 86'400) return {"d", 86'400};
  if (high > 2 * 3600) return {"h", 3600};
  if (high > 120) return {"min", 60};
  return {"s", 1};
}

double highest(const ComparedFigure& figure) {
  double high = 0;
  for (const auto& values : figure.values) {
    for (const double value : values) high = std::max(high, value);
    const Estimate estimate = estimate_of(values);
    high = std::max(high, estimate.mean + estimate.half_width);
  }
  return high;
}

/// A row a policy: a dot a seed, and the mean with its interval as a bar with ends.
std::string interval_plot(const Comparison& comparison, const ComparedFigure& figure,
                          bool standalone) {
  const double high = highest(figure);
  const Scale scale = scale_of(figure, high);
  const Axis axis = linear_axis("", high / scale.factor);
  const double bottom = kTop + kRow * static_cast<double>(comparison.policies.size());
  const double height = bottom + 44;
  const auto x_of = [&](double value) {
    return kLeft + (kRight - kLeft) * value / scale.factor / axis.high;
  };
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" viewBox=\"0 0 {0} "
      "{1}\" width=\"{0}\" height=\"{1}\" aria-label=\"{2}: mean and 95 % interval by policy\">\n",
      kWidth, height, escape_markup(figure.name));
  if (standalone) svg += fmt::format("<style>\n{}{}</style>\n", plot_style(), kIntervalStyle);
  svg += fmt::format("<rect class=\"back\" width=\"{}\" height=\"{}\"/>\n", kWidth, height);
  svg +=
      fmt::format("<text class=\"title\" x=\"16\" y=\"24\">{} ({}; {} is better)</text>\n",
                  escape_markup(figure.name), scale.name, figure.less_is_better ? "less" : "more");
  for (const Tick& tick : axis.ticks) {
    const double x = x_of(tick.at * scale.factor);
    svg += fmt::format(
        "<line class=\"grid\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
        "\n<text class=\"mark\" x=\"{0:.1f}\" y=\"{3}\" text-anchor=\"middle\">{4}"
        "</text>\n",
        x, kTop, bottom, bottom + 19, escape_markup(tick.label));
  }
  for (std::size_t p = 0; p < comparison.policies.size(); ++p) {
    const double y = kTop + kRow * (static_cast<double>(p) + 0.5);
    const Estimate estimate = estimate_of(figure.values[p]);
    svg +=
        fmt::format("<text class=\"label\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>\n",
                    kLeft - 12, y + 4, escape_markup(comparison.policies[p]));
    for (const double value : figure.values[p]) {
      svg += fmt::format(
          "<circle class=\"interval s{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"1.5\" "
          "opacity=\"0.5\"/>\n",
          p % kStyles, x_of(value), y);
    }
    const double low = std::max(0.0, estimate.mean - estimate.half_width);
    const double end = estimate.mean + estimate.half_width;
    svg += fmt::format(
        "<path class=\"interval s{0}\" d=\"M{1:.1f} {2:.1f}H{3:.1f}M{1:.1f} {4:.1f}V{5:.1f}"
        "M{3:.1f} {4:.1f}V{5:.1f}M{6:.1f} {7:.1f}V{8:.1f}\"/>\n",
        p % kStyles, x_of(low), y, x_of(end), y - 5, y + 5, x_of(estimate.mean), y - 9, y + 9);
  }
  return svg + "</svg>\n";
}

/// What the figures come to, for who reads no tables.
std::string findings(const Comparison& comparison) {
  std::string html;
  for (std::size_t p = 1; p < comparison.policies.size(); ++p) {
    std::vector<std::string> better;
    std::vector<std::string> worse;
    for (const ComparedFigure& figure : comparison.figures) {
      const Difference difference = comparison.difference(figure, p);
      const std::string_view said = verdict(difference, figure.less_is_better);
      if (said.empty()) continue;
      (said == "better" ? better : worse)
          .push_back(difference.unit == "%"
                         ? fmt::format("{} {:.1f} % {} ({:+.1f} to {:+.1f} %)", figure.name,
                                       std::abs(difference.mean),
                                       difference.mean < 0 ? "less" : "more", difference.low,
                                       difference.high)
                         : fmt::format("{} {}", figure.name, interval_text(difference)));
    }
    html +=
        fmt::format("<li><strong>{}</strong> against {}: ", escape_markup(comparison.policies[p]),
                    escape_markup(comparison.policies.front()));
    if (better.empty() && worse.empty()) html += "nothing that chance may not have made.";
    if (!better.empty()) {
      html +=
          fmt::format("better: {}. ", escape_markup(fmt::format("{}", fmt::join(better, "; "))));
    }
    if (!worse.empty()) {
      html += fmt::format("worse: {}.", escape_markup(fmt::format("{}", fmt::join(worse, "; "))));
    }
    html += "</li>\n";
  }
  return html.empty() ? html : "<h2>What is different</h2>\n<ul>\n" + html + "</ul>\n";
}

std::string to_html(const Comparison& comparison) {
  std::string content = findings(comparison);
  content += "<h2>Figures</h2>\n" + html_table(comparison_rows(comparison));
  if (comparison.policies.size() > 1) {
    content += "<h2>Differences</h2>\n" + html_table(difference_rows(comparison));
  }
  content +=
      "<p>Means over the seeds with their 95 % confidence intervals by Student's t. A seed is the "
      "same world for every policy, so differences are ratios taken seed by seed, and their "
      "geometric mean; where somebody has nothing of a figure in some seed, the mean of what is "
      "more or less of it, in its unit. In the plots a dot is a "
      "seed, the bar the interval of the mean.</p>\n";
  for (const ComparedFigure& figure : comparison.figures) {
    content += fmt::format("<figure>\n{}</figure>\n", interval_plot(comparison, figure, false));
  }
  const std::string& trace = comparison.trace.name;
  return html_page({trace + ": policies compared", "Policies compared on " + trace,
                    headline(comparison), kIntervalStyle, std::move(content), comparison.notes});
}

/// "completion time (JCT), mean" as "completion-time-jct-mean".
std::string slug(const std::string& name) {
  std::string text;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    const bool capital = c >= 'A' && c <= 'Z';
    if (letter || capital) {
      text += static_cast<char>(capital ? c - 'A' + 'a' : c);
    } else if (!text.empty() && text.back() != '-') {
      text += '-';
    }
  }
  return text;
}

}  // namespace

std::vector<OutputFile> output_files(const Comparison& comparison) {
  std::vector<OutputFile> files{{"comparison.html", to_html(comparison)},
                                {"comparison.json", to_json(comparison)}};
  for (const ComparedFigure& figure : comparison.figures) {
    files.push_back({fmt::format("comparison-{}.svg", slug(figure.name)),
                     interval_plot(comparison, figure, true)});
  }
  return files;
}

}  // namespace gyre::sim
