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

Result<void> replace_file(const std::string& path, std::string_view text) {
  const std::string draft = path + ".tmp";
  const Fd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const auto size = static_cast<ssize_t>(text.size());
  if (!file || ::write(file.get(), text.data(), text.size()) != size ||
      ::rename(draft.c_str(), path.c_str()) != 0) {
    return os_error(fmt::format("cannot write {}", path));
  }
  return {};
}

Result<void> write_lease(const std::string& path, Time until) {
  return replace_file(path, fmt::format("{}\n", until.ns));
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
