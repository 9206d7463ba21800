#include "sim/experiment/published.h"

#include <algorithm>
#include <array>

namespace gyre::sim {
namespace {

using Placement = PolicySpec::Placement;

constexpr std::array kPlacements{Placement::Random,          Placement::DotProduct,
                                 Placement::GpuClustering,   Placement::GpuPacking,
                                 Placement::WeightedBestFit, Placement::Fgd};

struct Variant {
  std::string_view name;
  std::array<PublishedAllocation, kPlacements.size()> by_placement;
};
constexpr std::array<Variant, 17> kVariants{{
    {"cpu050",
     {{{89.02, 91.24},
       {93.03, 93.27},
       {93.52, 93.79},
       {93.46, 93.72},
       {93.56, 93.79},
       {95.00, 95.21}}}},
    {"cpu100",
     {{{87.44, 89.11},
       {91.73, 91.96},
       {92.42, 92.64},
       {92.50, 92.72},
       {93.26, 93.44},
       {95.21, 95.35}}}},
    {"cpu200",
     {{{83.03, 83.77},
       {87.46, 87.70},
       {89.67, 89.92},
       {89.98, 90.22},
       {92.15, 92.40},
       {94.82, 95.04}}}},
    {"cpu250",
     {{{80.00, 80.41},
       {83.57, 83.80},
       {87.75, 87.99},
       {88.05, 88.28},
       {91.21, 91.45},
       {93.20, 93.41}}}},
    {"default",
     {{{86.30, 87.47},
       {90.62, 90.85},
       {91.65, 91.88},
       {91.78, 92.00},
       {92.86, 93.08},
       {95.23, 95.39}}}},
    {"gpushare100",
     {{{78.90, 79.44},
       {81.98, 82.42},
       {82.22, 82.65},
       {82.13, 82.57},
       {84.62, 85.01},
       {86.64, 86.90}}}},
    {"gpushare40",
     {{{84.86, 86.00},
       {89.30, 89.56},
       {89.76, 90.02},
       {89.77, 90.03},
       {91.44, 91.69},
       {93.96, 94.15}}}},
    {"gpushare60",
     {{{82.81, 83.65},
       {86.82, 87.12},
       {86.90, 87.20},
       {87.15, 87.45},
       {89.06, 89.36},
       {91.26, 91.40}}}},
    {"gpushare80",
     {{{80.62, 81.22},
       {84.14, 84.49},
       {84.50, 84.85},
       {84.65, 85.00},
       {86.66, 87.01},
       {89.08, 89.30}}}},
    {"gpuspec10",
     {{{86.26, 87.43},
       {90.17, 90.39},
       {91.96, 92.18},
       {92.24, 92.46},
       {93.10, 93.30},
       {94.66, 94.95}}}},
    {"gpuspec20",
     {{{85.90, 87.24},
       {88.29, 89.97},
       {89.11, 92.24},
       {89.28, 92.94},
       {88.46, 93.30},
       {94.66, 94.84}}}},
    {"gpuspec25",
     {{{85.42, 86.94},
       {85.44, 89.63},
       {86.41, 92.08},
       {86.77, 92.98},
       {85.67, 93.23},
       {93.91, 94.74}}}},
    {"gpuspec33",
     {{{83.87, 86.46},
       {79.82, 89.14},
       {81.09, 92.12},
       {82.22, 93.22},
       {80.40, 93.09},
       {87.84, 94.55}}}},
    {"multigpu20",
     {{{86.92, 88.69},
       {91.85, 92.06},
       {93.34, 93.56},
       {93.50, 93.71},
       {93.73, 93.93},
       {95.53, 95.65}}}},
    {"multigpu30",
     {{{86.63, 89.27},
       {93.11, 93.28},
       {94.55, 94.72},
       {94.70, 94.87},
       {94.57, 94.72},
       {96.36, 96.46}}}},
    {"multigpu40",
     {{{85.38, 90.09},
       {94.04, 94.19},
       {95.35, 95.50},
       {95.59, 95.74},
       {95.10, 95.24},
       {96.91, 96.99}}}},
    {"multigpu50",
     {{{81.28, 90.28},
       {94.73, 94.85},
       {95.69, 95.81},
       {96.06, 96.18},
       {95.62, 95.74},
       {97.09, 97.18}}}},
}};

std::string_view variant_of(std::string_view trace) {
  constexpr std::string_view kPrefix = "openb_pod_list_";
  if (trace.substr(0, kPrefix.size()) != kPrefix) return {};
  trace.remove_prefix(kPrefix.size());
  return trace.substr(0, trace.find('.'));
}

}  // namespace

std::optional<PublishedAllocation> published_allocation(std::string_view trace,
                                                        PolicySpec::Placement placement) {
  const auto column = std::find(kPlacements.begin(), kPlacements.end(), placement);
  const auto row = std::find_if(kVariants.begin(), kVariants.end(), [&](const Variant& variant) {
    return variant.name == variant_of(trace);
  });
  if (column == kPlacements.end() || row == kVariants.end()) return std::nullopt;
  return row->by_placement[static_cast<std::size_t>(column - kPlacements.begin())];
}

}  // namespace gyre::sim
