#pragma once

#include "base/time.h"

namespace gyre::agent {

/// Since the machine was started; it goes on while the machine sleeps, and nobody can set it.
/// Thread-safe.
Time boot_clock();

}  // namespace gyre::agent
