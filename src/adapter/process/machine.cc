#include "adapter/process/machine.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <sstream>

#include "adapter/process/files.h"
#include "adapter/process/own_group.h"

namespace gyre::process {
namespace {

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

/// The least that `limit` finds in the own group's folder and those above it.
std::int64_t least_above(const OwnGroup& group,
                         const std::function<std::int64_t(const std::string&)>& limit) {
  std::int64_t least = kNoLimit;
  std::string folder = group.folder;
  while (!folder.empty() && folder.size() >= group.mount_point.size()) {
    least = std::min(least, limit(folder));
    folder.erase(folder.rfind('/'));
  }
  return least;
}

/// The number at a file's beginning; no limit where there is none ("max").
std::int64_t number_in(const std::string& file) {
  std::istringstream text(read_control(file));
  std::int64_t value = 0;
  return text >> value && value >= 0 ? value : kNoLimit;
}

std::int64_t cpu_milli_of(std::int64_t quota_us, std::int64_t period_us) {
  return quota_us == kNoLimit || period_us <= 0 ? kNoLimit : quota_us * 1000 / period_us;
}

std::int64_t cpu_limit() {
  const std::int64_t v2 = least_above(own_group("cgroup2", ""), [](const std::string& folder) {
    std::istringstream text(read_control(folder + "/cpu.max"));
    std::int64_t quota = 0;
    std::int64_t period = 0;
    return text >> quota >> period ? cpu_milli_of(quota, period) : kNoLimit;
  });
  const std::int64_t v1 = least_above(own_group("cgroup", "cpu"), [](const std::string& folder) {
    return cpu_milli_of(number_in(folder + "/cpu.cfs_quota_us"),
                        number_in(folder + "/cpu.cfs_period_us"));
  });
  return std::min(v1, v2);
}

std::int64_t memory_limit_bytes() {
  const std::int64_t v2 = least_above(own_group("cgroup2", ""), [](const std::string& folder) {
    return number_in(folder + "/memory.max");
  });
  const std::int64_t v1 = least_above(own_group("cgroup", "memory"), [](const std::string& folder) {
    return number_in(folder + "/memory.limit_in_bytes");
  });
  return std::min(v1, v2);
}

}  // namespace

act::Machine read_machine() {
  act::Machine machine;
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) == 0) machine.name = name.data();
  cpu_set_t cpus;
  const bool known = ::sched_getaffinity(0, sizeof cpus, &cpus) == 0;
  const std::int64_t cores = known ? CPU_COUNT(&cpus) : ::sysconf(_SC_NPROCESSORS_ONLN);
  machine.cpu = {std::min<std::int64_t>(cores * 1000, cpu_limit())};
  const std::int64_t bytes =
      static_cast<std::int64_t>(::sysconf(_SC_PHYS_PAGES)) * ::sysconf(_SC_PAGESIZE);
  machine.memory = {std::min(bytes, memory_limit_bytes()) / 1'048'576};
  return machine;
}

}  // namespace gyre::process
