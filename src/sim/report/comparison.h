#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sim/report/report.h"
#include "sim/simulate.h"

namespace gyre::sim {

/// A mean over seeds with its 95 % confidence interval by Student's t: mean +- half_width.
struct Estimate {
  double mean = 0;
  double half_width = 0;  // infinite for one seed
};

/// Of values that are independent and roughly normal. Requires: at least one.
Estimate estimate_of(const std::vector<double>& values);

/// A mean of paired differences with its 95 % confidence interval. Relative: the geometric mean of
/// ratios as percent above 100 %, never below -100, by Student's t on the logarithms. Absolute: the
/// mean of differences by Student's t, where a ratio would say nothing, for somebody has none.
struct Difference {
  double mean = 0;
  double low = 0;
  double high = 0;
  std::string unit = "%";  // of the three; "%" is relative, and only that
};

/// Of the ratios' logarithms. Requires: at least one.
Difference difference_of(const std::vector<double>& logarithms);

/// What one figure came to under every policy, with every seed.
struct ComparedFigure {
  std::string name;
  std::string unit;  // "s", "%", "x", "GPU h", "of 1", "times" or "jobs"
  bool less_is_better = true;
  std::vector<std::vector<double>> values;  // by policy, by seed
};

/// Policies over several seeds. Seed i is one and the same world for all policies, so differences
/// are taken seed by seed (a paired comparison).
struct Comparison {
  TraceSummary trace;
  FleetSummary fleet;
  std::vector<std::uint64_t> seeds;
  std::vector<std::string> policies;
  std::vector<ComparedFigure> figures;
  std::vector<std::string> notes;

  /// How much more `policy` has of the figure than the first policy, over all seeds: relative, or
  /// absolute where one of the two has nothing of it in some seed.
  Difference difference(const ComparedFigure& figure, std::size_t policy) const;
};

/// Whether a comparison of so many seeds would say anything, as far as the options say it: no file
/// is opened. Errors: Invalid, a number out of bounds, or nothing is random.
Result<void> check_seeds(const SimulateOptions& options, std::uint32_t seeds);

/// The same simulation with `seeds` seeds, from options.seed on. What it reads it reads once.
/// Errors: as check_seeds() and simulate().
Result<Comparison> compare(const SimulateOptions& options, std::uint32_t seeds);

std::string to_json(const Comparison& comparison);
std::string to_table(const Comparison& comparison);

/// comparison.html (one page that needs nothing else), its plots as .svg, and comparison.json.
std::vector<OutputFile> output_files(const Comparison& comparison);

}  // namespace gyre::sim
