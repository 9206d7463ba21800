#include "apps/node_lease.h"

#include <cstdint>
#include <fstream>

#include "base/units.h"

namespace gyre::apps {

using cli::give_up;

cli::Outcome<live::FleetOptions> read_lease(const std::string& text) {
  const auto lease = parse_duration(text);
  if (!lease || *lease < seconds(1)) {
    return give_up(cli::kUsage, "--node-lease: '{}' is no duration of a second or more", text);
  }
  live::FleetOptions fleet;
  fleet.lease = *lease;
  fleet.margin = milliseconds(1500) + *lease / 50;
  return fleet;
}

live::FleetOptions remember_lease(const std::string& folder, live::FleetOptions fleet) {
  const std::string path = folder + "/lease_s";
  std::int64_t before = 0;
  std::ifstream(path) >> before;
  fleet.lease_before = seconds(before);
  const std::int64_t now = (fleet.lease.ns + 999'999'999) / 1'000'000'000;
  if (now > before) std::ofstream(path, std::ios::trunc) << now << "\n";
  return fleet;
}

}  // namespace gyre::apps
