#include "adapter/process/lease.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <iterator>

#include "adapter/process/files.h"

namespace gyre::process {

Time boot_now() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return {now.tv_sec * 1'000'000'000 + now.tv_nsec};
}

Result<void> write_lease(const std::string& path, Time until) {
  const std::string draft = path + ".tmp";
  const std::string text = fmt::format("{:019}\n", until.ns);  // always as long
  const auto write_draft = [&] {
    const Fd file(::open(draft.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return file && ::pwrite(file.get(), text.data(), text.size(), 0) == std::ssize(text);
  };
  const auto rename_as = [&](unsigned flags) {
    return ::renameat2(AT_FDCWD, draft.c_str(), AT_FDCWD, path.c_str(), flags) == 0;
  };
  // The former one is the next draft, so that no room is needed once the disk is full.
  if (write_draft() && rename_as(RENAME_EXCHANGE)) return {};
  if (!write_draft() || !rename_as(0)) return os_error(fmt::format("cannot write {}", path));
  static_cast<void>(write_draft());
  return {};
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
