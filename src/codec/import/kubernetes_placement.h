#pragma once

#include <string>
#include <utility>
#include <vector>

#include "codec/import/draft.h"

namespace gyre::codec::import {

/// What a pod says of the pods beside it; the nodes outlive this.
struct PodPlacement {
  std::vector<std::pair<std::string, std::string>> labels;  // its own
  const SpecNode* affinity = nullptr;
  const SpecNode* spreads = nullptr;  // its topologySpreadConstraints
};

/// Gives the draft's job the placement rules that come nearest, and notes what they leave out.
/// Requires: the job has its name.
void read_placement(Draft& draft, const PodPlacement& pod);

}  // namespace gyre::codec::import
