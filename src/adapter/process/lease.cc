#include "adapter/process/lease.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>

#include "adapter/process/files.h"

namespace gyre::process {

Time boot_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

Result<void> write_lease(const std::string& path, Time until) {
  const std::size_t slash = path.rfind('/') + 1;
  const auto folder = open_folder(path.substr(0, slash));
  if (!folder) return tl::unexpected(folder.error());
  return replace_file(*folder, path.c_str() + slash, fmt::format("{}\n", until.ns), Sync::No);
}

Time read_lease(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 32> text{};
  const ssize_t size = file ? ::read(file.get(), text.data(), text.size()) : -1;
  Time until;
  if (size > 0) std::from_chars(text.data(), text.data() + size, until.ns);
  return until;
}

}  // namespace gyre::process
