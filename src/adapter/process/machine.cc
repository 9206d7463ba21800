#include "adapter/process/machine.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
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

/// Every address of an interface that is up, the loopback's left out.
std::vector<std::string> read_addresses() {
  std::vector<std::string> addresses;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return addresses;
  constexpr std::size_t kAddressesMax = 32;  // enough to reach it by
  for (const ifaddrs* at = list; at != nullptr && addresses.size() < kAddressesMax;
       at = at->ifa_next) {
    const bool shown = (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & IFF_LOOPBACK) == 0;
    if (!shown || at->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const void* bytes = nullptr;
    if (at->ifa_addr->sa_family == AF_INET) {
      bytes = &reinterpret_cast<const sockaddr_in*>(at->ifa_addr)->sin_addr;
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      bytes = &reinterpret_cast<const sockaddr_in6*>(at->ifa_addr)->sin6_addr;
    }
    if (bytes == nullptr) continue;
    if (::inet_ntop(at->ifa_addr->sa_family, bytes, text.data(), text.size()) != nullptr) {
      addresses.emplace_back(text.data());
    }
  }
  ::freeifaddrs(list);
  return addresses;
}

std::int32_t count_numa_nodes() {
  std::int32_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/devices/system/node", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("node") && name.size() > 4 && name[4] >= '0' && name[4] <= '9') ++count;
  }
  return count;
}

}  // namespace

std::string address_towards(const std::string& server) {
  constexpr const char* kNone = "127.0.0.1";
  const std::size_t colon = server.rfind(':');
  std::string host = server.substr(0, colon);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const std::string port = colon == std::string::npos ? "1" : server.substr(colon + 1);
  if (::getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return kNone;
  std::array<char, NI_MAXHOST> text{};
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  // Nothing is sent: connecting a datagram socket only asks for the route.
  const Fd socket(::socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const bool known = socket && ::connect(socket.get(), found->ai_addr, found->ai_addrlen) == 0 &&
                     ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
                     ::getnameinfo(reinterpret_cast<const sockaddr*>(&own), size, text.data(),
                                   text.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  ::freeaddrinfo(found);
  return known ? text.data() : kNone;
}

act::MachineFacts read_facts() {
  act::MachineFacts facts;
  utsname system{};
  if (::uname(&system) == 0) facts.kernel = system.release;
  facts.numa_nodes = count_numa_nodes();
  facts.addresses = read_addresses();
  facts.version = GYRE_VERSION;
  return facts;
}

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
