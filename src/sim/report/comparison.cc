#include "sim/report/comparison.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "base/units.h"
#include "sim/report/comparison_text.h"
#include "sim/report/text.h"
#include "sim/setting.h"

namespace gyre::sim {
namespace {

/// Two-sided 95 % quantiles of Student's t by degrees of freedom, from 1.
constexpr std::array<double, 30> kStudent{12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306,
                                          2.262,  2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
                                          2.110,  2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064,
                                          2.060,  2.056, 2.052, 2.048, 2.045, 2.042};

double student(std::size_t freedom) {
  if (freedom == 0) return std::numeric_limits<double>::infinity();
  if (freedom <= kStudent.size()) return kStudent[freedom - 1];
  // The first term of Cornish and Fisher's expansion; off by less than 0.001 from here.
  constexpr double kNormal = 1.959964;
  return kNormal + (kNormal * kNormal * kNormal + kNormal) / (4.0 * static_cast<double>(freedom));
}

struct Source {
  std::string_view name;
  std::string_view unit;
  bool less_is_better;
  std::function<double(const PolicyResult&)> value;
};

const std::vector<Source>& sources() {
  using R = PolicyResult;
  static const std::vector<Source> kSources{
      {"completion time (JCT), mean", "s", true, [](const R& r) { return r.jct.mean_s; }},
      {"completion time (JCT), p99", "s", true, [](const R& r) { return r.jct.p99_s; }},
      {"wait, mean", "s", true, [](const R& r) { return r.wait.mean_s; }},
      {"wait, p99", "s", true, [](const R& r) { return r.wait.p99_s; }},
      {"wait in all, longest", "s", true, [](const R& r) { return r.longest_wait_s; }},
      {"bounded slowdown, mean", "x", true, [](const R& r) { return r.bounded_slowdown_mean; }},
      {"makespan", "s", true, [](const R& r) { return r.makespan_s; }},
      {"GPU allocation, mean", "%", false, [](const R& r) { return 100 * r.gpu_allocation_mean; }},
      {"fragmentation of free GPUs", "%", true,
       [](const R& r) { return 100 * r.fragmentation_mean; }},
      {"finish-time fairness, max rho", "x", true,
       [](const R& r) { return r.fairness ? r.fairness->rho_max : 0; }},
      {"jobs that sharing made later", "%", true,
       [](const R& r) { return r.fairness ? 100 * r.fairness->share_above_one : 0; }},
      {"Jain's index of queues", "of 1", false,
       [](const R& r) { return r.fairness ? r.fairness->jain : 0; }},
      {"preemptions", "times", true, [](const R& r) { return static_cast<double>(r.preemptions); }},
      {"work lost", "GPU h", true, [](const R& r) { return r.lost_gpu_hours; }},
  };
  return kSources;
}

std::string value_text(double value, const std::string& unit) {
  if (unit == "s") return span_text(value);
  return fmt::format("{:.{}f} {}", value, unit == "of 1" ? 3 : 2, unit);
}

/// "+3.1 h"; "+3.1" of percent, whose unit is said once.
std::string signed_text(double value, const std::string& unit) {
  if (unit == "%") return fmt::format("{:+.1f}", value);
  if (!std::isfinite(value)) return value < 0 ? "any less" : "any more";
  return (value < 0 ? "-" : "+") + value_text(std::abs(value), unit);
}

std::string estimate_text(const Estimate& estimate, const std::string& unit) {
  const std::string mean = value_text(estimate.mean, unit);
  if (!std::isfinite(estimate.half_width)) return mean;
  return fmt::format("{} +- {}", mean, value_text(estimate.half_width, unit));
}

std::string number(double value) {
  return std::isfinite(value) ? fmt::format("{}", value) : std::string("null");
}

std::string estimate_json(const Estimate& estimate) {
  return fmt::format(R"({{"mean":{},"half_width":{}}})", number(estimate.mean),
                     number(estimate.half_width));
}

/// A random placement draws by the job's id, whatever the seed is.
bool is_random(const SimulateOptions& options) { return options.faults.mtbf || options.resample; }

}  // namespace

Estimate estimate_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double sum = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double factor = student(values.size() - 1);
  if (!std::isfinite(factor)) return {mean, factor};
  return {mean, factor * std::sqrt(squares / (count - 1) / count)};
}

Difference difference_of(const std::vector<double>& logarithms) {
  const Estimate estimate = estimate_of(logarithms);
  const auto percent = [](double logarithm) { return 100 * std::expm1(logarithm); };
  return {percent(estimate.mean), percent(estimate.mean - estimate.half_width),
          percent(estimate.mean + estimate.half_width)};
}

Difference Comparison::difference(const ComparedFigure& figure, std::size_t policy) const {
  std::vector<double> logarithms;
  std::vector<double> more;
  for (std::size_t seed = 0; seed < seeds.size(); ++seed) {
    const double base = figure.values[0][seed];
    const double value = figure.values[policy][seed];
    more.push_back(value - base);
    if (base > 0 && value > 0) logarithms.push_back(std::log(value / base));
  }
  if (logarithms.size() == seeds.size()) return difference_of(logarithms);
  const Estimate estimate = estimate_of(more);
  return {estimate.mean, estimate.mean - estimate.half_width, estimate.mean + estimate.half_width,
          figure.unit == "%" ? "points" : figure.unit};
}

Result<void> check_seeds(const SimulateOptions& options, std::uint32_t seeds) {
  if (seeds < 2 || seeds > 1000) {
    return fail(ErrorKind::Invalid, "{} seeds: 2 to 1000 can be compared", seeds);
  }
  if (!is_random(options)) {
    return fail(ErrorKind::Invalid,
                "nothing is random here, so that all seeds would give the same: let nodes fail "
                "(--mtbf 30d), or draw the trace anew from its parts (--resample 1d)");
  }
  return {};
}

Result<Comparison> compare(const SimulateOptions& options, std::uint32_t seeds) {
  if (auto fine = check_seeds(options, seeds); !fine) return tl::unexpected(fine.error());
  if (auto valid = validate(options); !valid) return tl::unexpected(valid.error());
  const auto inputs = read_inputs(options);
  if (!inputs) return tl::unexpected(inputs.error());
  Comparison comparison;
  for (const PolicySpec& policy : options.policies) comparison.policies.push_back(policy.name);
  for (const Source& source : sources()) {
    comparison.figures.push_back({std::string(source.name), std::string(source.unit),
                                  source.less_is_better,
                                  std::vector<std::vector<double>>(options.policies.size())});
  }
  SimulateOptions one = options;
  one.keep_jobs = false;
  std::size_t cut = 0;
  for (std::uint32_t i = 0; i < seeds; ++i) {
    one.seed = options.seed + i;
    auto report = simulate(*inputs, one);
    if (!report) return tl::unexpected(report.error());
    comparison.seeds.push_back(one.seed);
    for (std::size_t f = 0; f < comparison.figures.size(); ++f) {
      for (std::size_t p = 0; p < report->results.size(); ++p) {
        comparison.figures[f].values[p].push_back(sources()[f].value(report->results[p]));
      }
    }
    cut += static_cast<std::size_t>(std::count_if(
        report->results.begin(), report->results.end(),
        [](const PolicyResult& result) { return result.cut_short_at_s.has_value(); }));
    if (i > 0) continue;
    comparison.trace = report->trace;
    comparison.fleet = report->fleet;
    comparison.notes = std::move(report->notes);
  }
  // What is nothing everywhere says nothing.
  std::erase_if(comparison.figures, [](const ComparedFigure& figure) {
    return std::all_of(figure.values.begin(), figure.values.end(), [](const auto& values) {
      return std::all_of(values.begin(), values.end(), [](double value) { return value == 0; });
    });
  });
  if (cut > 0) {
    comparison.notes.push_back(fmt::format(
        "{} of {} runs were ended before their jobs were, for nodes failed too often: figures are "
        "of what had happened by then",
        cut, seeds * options.policies.size()));
  }
  if (options.resample) {
    comparison.notes.push_back(fmt::format(
        "each seed draws the trace anew from its parts of {}, with replacement, so that intervals "
        "say what another time like this one might bring",
        format_duration(*options.resample)));
  }
  return comparison;
}

std::string to_json(const Comparison& comparison) {
  std::string json = fmt::format(R"({{"trace":{{"jobs":{},"name":{}}},"seeds":[{}],"policies":{},)"
                                 R"("confidence":0.95,"figures":[)",
                                 comparison.trace.jobs, json_text(comparison.trace.name),
                                 fmt::join(comparison.seeds, ","), json_list(comparison.policies));
  bool first = true;
  for (const ComparedFigure& figure : comparison.figures) {
    json +=
        fmt::format(R"({}{{"name":{},"unit":{},"less_is_better":{},"results":[)", first ? "" : ",",
                    json_text(figure.name), json_text(figure.unit), figure.less_is_better);
    first = false;
    for (std::size_t p = 0; p < comparison.policies.size(); ++p) {
      const auto difference = comparison.difference(figure, p);
      const std::string told = difference_json(difference);
      const bool relative = difference.unit == "%";
      json += fmt::format(
          R"({}{{"policy":{},"estimate":{},"difference_percent":{},"difference":{},)"
          R"("by_seed":[{}]}})",
          p == 0 ? "" : ",", json_text(comparison.policies[p]),
          estimate_json(estimate_of(figure.values[p])), p > 0 && relative ? told : "null",
          p > 0 && !relative ? told : "null", fmt::join(figure.values[p], ","));
    }
    json += "]}";
  }
  return json + R"(],"notes":)" + json_list(comparison.notes) + "}\n";
}

std::string headline(const Comparison& comparison) {
  return fmt::format("{} jobs of {} on {} nodes with {} GPUs, {} seeds ({} to {})",
                     count_text(comparison.trace.jobs), comparison.trace.name,
                     count_text(comparison.fleet.nodes), count_text(comparison.fleet.gpus),
                     comparison.seeds.size(), comparison.seeds.front(), comparison.seeds.back());
}

std::vector<std::vector<std::string>> comparison_rows(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows{{"mean of seeds +- 95 %"}};
  for (const std::string& policy : comparison.policies) rows[0].push_back(policy);
  for (const ComparedFigure& figure : comparison.figures) {
    rows.push_back({figure.name});
    for (const auto& values : figure.values) {
      rows.back().push_back(estimate_text(estimate_of(values), figure.unit));
    }
  }
  return rows;
}

std::vector<std::vector<std::string>> difference_rows(const Comparison& comparison) {
  std::vector<std::vector<std::string>> rows{
      {fmt::format("against {}, seed by seed", comparison.policies.front())}};
  for (std::size_t p = 1; p < comparison.policies.size(); ++p) {
    rows[0].push_back(comparison.policies[p]);
  }
  for (const ComparedFigure& figure : comparison.figures) {
    rows.push_back({figure.name});
    for (std::size_t p = 1; p < comparison.policies.size(); ++p) {
      rows.back().push_back(
          difference_text(comparison.difference(figure, p), figure.less_is_better));
    }
  }
  return rows;
}

std::string_view verdict(const Difference& difference, bool less_is_better) {
  if (difference.low <= 0 && difference.high >= 0) return "";
  return (difference.mean < 0) == less_is_better ? "better" : "worse";
}

std::string difference_text(const Difference& difference, bool less_is_better) {
  const std::string_view said = verdict(difference, less_is_better);
  return fmt::format("{}, {}", interval_text(difference), said.empty() ? "open" : said);
}

std::string interval_text(const Difference& difference) {
  const std::string& unit = difference.unit;
  return fmt::format("{}{} ({} to {})", signed_text(difference.mean, unit), unit == "%" ? " %" : "",
                     signed_text(difference.low, unit), signed_text(difference.high, unit));
}

std::string difference_json(const Difference& difference) {
  return fmt::format(R"({{"mean":{},"low":{},"high":{},"unit":{}}})", number(difference.mean),
                     number(difference.low), number(difference.high), json_text(difference.unit));
}

std::string to_table(const Comparison& comparison) {
  std::string text = headline(comparison) + "\n\n" + aligned(comparison_rows(comparison));
  if (comparison.policies.size() > 1) text += "\n" + aligned(difference_rows(comparison));
  if (!comparison.notes.empty()) text += '\n';
  for (const std::string& note : comparison.notes) text += fmt::format("note: {}\n", note);
  return text;
}

}  // namespace gyre::sim
