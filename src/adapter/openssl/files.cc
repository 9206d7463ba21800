#include "adapter/openssl/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace gyre::adapter::openssl {
namespace {

constexpr std::size_t kBytesMax = 16 << 20;

tl::unexpected<Error> os_error(const std::string& doing) {
  return fail(ErrorKind::Internal, "{}: {}", doing,
              std::error_code(errno, std::generic_category()).message());
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

}  // namespace

Result<void> write_secret(const std::string& path, std::string_view content) {
  const std::string draft = path + ".tmp";
  const int file = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return os_error("cannot write " + draft);
  const bool written = ::fchmod(file, 0600) == 0 && write_whole(file, content);
  ::close(file);
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0)
    return os_error("cannot write " + path);
  const int folder =
      ::open(path.substr(0, path.rfind('/')).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

Result<std::string> read_secret(const std::string& path) {
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

}  // namespace gyre::adapter::openssl
