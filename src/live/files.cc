#include "live/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace gyre::live {
namespace {

constexpr std::size_t kBytesMax = 16 << 20;

tl::unexpected<Error> os_error(const std::string& doing) {
  const int why = errno;
  const bool full = why == ENOSPC || why == EDQUOT;
  return fail(full ? ErrorKind::NoRoom : ErrorKind::Internal, "{}: {}", doing,
              std::generic_category().message(why));
}

/// Closes it, and leaves errno as it is.
void close_quietly(int file) {
  const int why = errno;
  ::close(file);
  errno = why;
}

bool write_whole(int file, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(file, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return ::fsync(file) == 0;
}

Result<void> put(const std::string& path, std::string_view content, bool is_private) {
  const std::string draft = path + ".tmp";
  const mode_t mode = is_private ? 0600 : 0666;
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (file < 0) return os_error("cannot write '" + path + "'");
  const bool written = (!is_private || ::fchmod(file, mode) == 0) && write_whole(file, content);
  close_quietly(file);
  if (written && ::rename(draft.c_str(), path.c_str()) == 0) return make_durable(path);
  auto failed = os_error("cannot write '" + path + "'");
  ::unlink(draft.c_str());
  return failed;
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view content) {
  return put(path, content, false);
}

Result<void> write_private_file(const std::string& path, std::string_view content) {
  return put(path, content, true);
}

Result<void> make_durable(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
  for (const std::string& one : {path, folder}) {
    const int file = ::open(one.c_str(), O_RDONLY | O_CLOEXEC);
    const bool done = file >= 0 && ::fsync(file) == 0;
    if (file >= 0) close_quietly(file);
    if (!done) return os_error("cannot make '" + path + "' durable");
  }
  return {};
}

Result<std::string> read_private_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return fail(ErrorKind::NotFound, "there is no file {}", path);
  if (file < 0) return os_error("cannot read " + path);
  std::string content;
  std::array<char, 4096> part{};
  ssize_t n = 0;
  while ((n = ::read(file, part.data(), part.size())) > 0 && content.size() <= kBytesMax) {
    content.append(part.data(), static_cast<std::size_t>(n));
  }
  ::close(file);
  if (n < 0) return os_error("cannot read " + path);
  if (content.size() > kBytesMax) return fail(ErrorKind::Invalid, "{} is too large", path);
  return content;
}

Result<void> make_private_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return os_error("cannot make the folder " + path);
}

}  // namespace gyre::live
