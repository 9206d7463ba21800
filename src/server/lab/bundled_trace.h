#pragma once

#include <string_view>
#include <vector>

#include "server/embedded.h"

namespace gyre::server {

/// A trace of data/ that the program carries.
struct BundledTrace {
  std::string_view name;         // of its file, without the suffix
  std::string_view description;  // for a person
  std::string_view nodes;        // on which its jobs wait, and come to an end
  const EmbeddedFile* file = nullptr;
};

/// By name.
const std::vector<BundledTrace>& bundled_traces();

}  // namespace gyre::server
