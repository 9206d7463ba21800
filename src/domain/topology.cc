#include "domain/topology.h"

#include <fmt/ranges.h>

#include <utility>

namespace gyre {
namespace {

constexpr std::array<std::string_view, kTopologyLevels + 1> kNames{"region", "zone", "rack",
                                                                   "nvlink", "node"};

}  // namespace

std::string_view to_string(TopologyLevel level) { return kNames[static_cast<std::size_t>(level)]; }

const std::string& Location::at(TopologyLevel level) const {
  switch (level) {
    case TopologyLevel::Region:
      return region;
    case TopologyLevel::Zone:
      return zone;
    case TopologyLevel::Rack:
      return rack;
    case TopologyLevel::Nvlink:
    case TopologyLevel::Node:
      break;
  }
  return nvlink;
}

std::string& Location::at(TopologyLevel level) {
  return const_cast<std::string&>(std::as_const(*this).at(level));
}

std::string to_string(const Topology& topology) {
  return fmt::format("{}:{}", topology.required ? "required" : "preferred",
                     to_string(topology.level));
}

Result<Topology> parse_topology(std::string_view text) {
  const std::size_t colon = text.find(':');
  const std::string_view how = text.substr(0, colon);
  const std::string_view level = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  for (std::size_t i = 0; i < kTopologyLevels; ++i) {
    if (level != kNames[i] || (how != "required" && how != "preferred")) continue;
    return Topology{static_cast<TopologyLevel>(i), how == "required"};
  }
  return fail(ErrorKind::Invalid,
              "is no topology: write required or preferred, ':' and one of {}, as in required:rack",
              fmt::join(kNames.begin(), kNames.begin() + kTopologyLevels, ", "));
}

}  // namespace gyre
