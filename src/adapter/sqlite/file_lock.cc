#include "adapter/sqlite/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

namespace gyre::adapter::sqlite {
namespace {

constexpr int kTries = 200;
constexpr std::chrono::milliseconds kPause{10};

/// A writer that was killed leaves its lock, for a moment, to the processes that it was starting.
bool lock_exclusively(int file) {
  for (int tries = 1;; ++tries) {
    if (::flock(file, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK || tries == kTries) return false;
    std::this_thread::sleep_for(kPause);
  }
}

std::string holder(int file) {
  std::array<char, 32> text{};
  const ssize_t length = ::pread(file, text.data(), text.size() - 1, 0);
  const std::string_view id(text.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  const auto digits = id.substr(0, id.find_first_not_of("0123456789"));
  return digits.empty() ? "another process" : fmt::format("process {}", digits);
}

}  // namespace

Result<FileLock> FileLock::take(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) {
    return fail(ErrorKind::Internal,
                "cannot create '{}': {}; its folder must exist and be writable", path,
                std::strerror(errno));
  }
  FileLock lock(file);
  if (!lock_exclusively(file)) {
    if (errno != EWOULDBLOCK) {
      return fail(ErrorKind::Internal, "cannot lock '{}': {}", path, std::strerror(errno));
    }
    return fail(ErrorKind::Conflict, "'{}' is held by {}: a journal has one writer; stop that one",
                path, holder(file));
  }
  // The id is only for the message above; without room for it the lock holds as well.
  const std::string id = fmt::format("{}\n", ::getpid());
  if (::ftruncate(file, 0) == 0) {
    [[maybe_unused]] const ssize_t written = ::pwrite(file, id.data(), id.size(), 0);
  }
  return lock;
}

FileLock::FileLock(FileLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace gyre::adapter::sqlite
