#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre {

/// How near machines are to each other, the widest first. A domain of one level lies in one of each
/// wider level. Node: a domain of one machine, nothing that a gang could be in.
enum class TopologyLevel : std::uint8_t { Region, Zone, Rack, Nvlink, Node };
inline constexpr std::size_t kTopologyLevels = 4;  // that have names: all but Node

std::string_view to_string(TopologyLevel level);  // "region", ...

/// Where a machine is: the name of its domain on each level; empty: unknown, so that it is alone
/// there. A name is told apart by those of the wider levels: rack r1 of two zones is two racks.
struct Location {
  std::string region;
  std::string zone;
  std::string rack;
  std::string nvlink;  // machines whose GPUs one NVLink fabric joins

  bool operator==(const Location&) const = default;

  const std::string& at(TopologyLevel level) const;
  std::string& at(TopologyLevel level);
};

/// That the tasks of a gang are to be in one domain.
struct Topology {
  TopologyLevel level = TopologyLevel::Rack;
  /// Else the nearest that there is room in now: such a domain, one of a wider level, or any nodes.
  bool required = false;

  auto operator<=>(const Topology&) const = default;
};

/// "required:rack". Errors: Invalid.
std::string to_string(const Topology& topology);
Result<Topology> parse_topology(std::string_view text);

}  // namespace gyre
