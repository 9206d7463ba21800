#include "adapter/process/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace gyre::process {
namespace {

/// Retries what a signal interrupted.
template <class Call>
auto restarting(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = restarting([&] { return ::write(fd, content.data(), content.size()); });
    if (n < 0) return false;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

std::string proc_name(const Fd& folder, const char* name) {
  std::array<char, 4096> path{};
  const std::string link = fmt::format("/proc/self/fd/{}", folder.get());
  const ssize_t n = ::readlink(link.c_str(), path.data(), path.size());
  return fmt::format("{}/{}",
                     n > 0 ? std::string_view(path.data(), static_cast<std::size_t>(n)) : "", name);
}

/// Empty on an error; errno says which.
std::optional<std::string> read_up_to(int fd, std::size_t bytes_max) {
  std::string content;
  std::array<char, 4096> buffer{};
  while (content.size() <= bytes_max) {
    const ssize_t n = restarting([&] { return ::read(fd, buffer.data(), buffer.size()); });
    if (n < 0) return std::nullopt;
    if (n == 0) return content;
    content.append(buffer.data(), static_cast<std::size_t>(n));
  }
  errno = EFBIG;
  return std::nullopt;
}

}  // namespace

bool write_all(const Fd& file, std::string_view content) { return write_all(file.get(), content); }

Result<std::string> read_all(const Fd& file, std::size_t bytes_max) {
  auto content = read_up_to(file.get(), bytes_max);
  if (!content) return os_error("cannot read a file");
  return std::move(*content);
}

void Fd::reset() {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

std::string error_text(int number) { return std::generic_category().message(number); }

tl::unexpected<Error> os_error(std::string_view doing) {
  const int number = errno;
  return fail(ErrorKind::Internal, "{}: {}", doing, error_text(number));
}

Result<Fd> open_folder(const std::string& path) {
  Fd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return os_error(fmt::format("cannot open the folder {}", path));
  return folder;
}

bool exists(const Fd& folder, const char* name) {
  return ::faccessat(folder.get(), name, F_OK, 0) == 0;
}

Result<std::optional<std::string>> read_file(const Fd& folder, const char* name,
                                             std::size_t bytes_max) {
  const Fd file(::openat(folder.get(), name, O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  std::optional<std::string> content;
  if (file) content = read_up_to(file.get(), bytes_max);
  if (!content) return os_error(fmt::format("cannot read {}", proc_name(folder, name)));
  return content;
}

Result<void> replace_file(const Fd& folder, const char* name, std::string_view content, Sync sync) {
  const std::string draft = std::string(name) + ".tmp";
  const Fd file(::openat(folder.get(), draft.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  // Written over what space the draft already has, and cut afterwards: a draft made beforehand can
  // be filled on a full disk.
  const bool written = file && write_all(file.get(), content) &&
                       ::ftruncate(file.get(), static_cast<off_t>(content.size())) == 0 &&
                       (sync == Sync::No || ::fdatasync(file.get()) == 0) &&
                       ::renameat(folder.get(), draft.c_str(), folder.get(), name) == 0 &&
                       (sync == Sync::No || ::fsync(folder.get()) == 0);
  if (!written) return os_error(fmt::format("cannot write {}", proc_name(folder, name)));
  return {};
}

Result<void> recycle_file(const Fd& folder, const char* old, const char* name,
                          std::string_view content) {
  const Fd file(::openat(folder.get(), old, O_WRONLY | O_TRUNC | O_CLOEXEC));
  const bool written = file && write_all(file.get(), content) &&
                       ::renameat(folder.get(), old, folder.get(), name) == 0;
  if (!written) return os_error(fmt::format("cannot write {}", proc_name(folder, name)));
  return {};
}

Result<void> write_control(const std::string& path, std::string_view content) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file || !write_all(file.get(), content)) {
    return os_error(fmt::format("cannot write '{}' to {}", content, path));
  }
  return {};
}

std::string read_control(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  return file ? read_up_to(file.get(), 1'048'576).value_or("") : "";
}

std::string encode(const Records& records) {
  std::string text;
  for (const auto& [name, value] : records) {
    text.append(name).push_back('=');
    text.append(value).push_back('\0');
  }
  return text;
}

Result<Records> decode(std::string_view text) {
  Records records;
  while (!text.empty()) {
    const std::size_t end = text.find('\0');
    const std::size_t equals = text.find('=');
    if (end == std::string_view::npos || equals > end) {
      return fail(ErrorKind::Invalid, "a record of a task's folder is cut short or damaged");
    }
    records.emplace_back(text.substr(0, equals), text.substr(equals + 1, end - equals - 1));
    text.remove_prefix(end + 1);
  }
  return records;
}

std::string_view value_of(const Records& records, std::string_view name) {
  for (const auto& [key, value] : records) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace gyre::process
