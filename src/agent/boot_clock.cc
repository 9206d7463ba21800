#include "agent/boot_clock.h"

#include <ctime>

namespace gyre::agent {

Time boot_clock() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

}  // namespace gyre::agent
