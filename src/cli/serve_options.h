#pragma once

#include <string>

#include "sim/simulate.h"

namespace gyre::cli {

/// The inputs of `gyre simulate --serve`.
struct ServeOptions {
  sim::SimulateOptions simulation;  // under its one policy
  std::string listen;
  double speed = 60;  // simulated seconds per second
};

}  // namespace gyre::cli
