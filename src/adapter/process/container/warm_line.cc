#include "adapter/process/container/warm_line.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "adapter/process/folder.h"
#include "adapter/process/line.h"

namespace gyre::process {
namespace {

constexpr std::size_t kPathBytesMax = 8192;
constexpr char kReady = 'r';

}  // namespace

std::optional<std::string> wait_for_task(const Fd& line) {
  if (::send(line.get(), &kReady, 1, MSG_NOSIGNAL) != 1) return std::nullopt;
  std::string path(kPathBytesMax, '\0');
  const Received got = receive_word(line.get(), path.data(), path.size(), 0);
  if (got.size <= 0 || got.descriptors.size() != 1) {
    for (const int descriptor : got.descriptors) ::close(descriptor);
    return std::nullopt;
  }
  const int lock = got.descriptors.front();
  if (lock != kLockDescriptor) {
    ::dup3(lock, kLockDescriptor, O_CLOEXEC);
    ::close(lock);
  }
  path.resize(static_cast<std::size_t>(got.size));
  return path;
}

WarmState look_at(const Fd& line) {
  char word = 0;
  const ssize_t n = ::recv(line.get(), &word, 1, MSG_DONTWAIT);
  if (n == 1) return WarmState::Ready;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? WarmState::Making : WarmState::Gone;
}

bool hand_over(const Fd& line, const std::string& folder, const Fd& lock) {
  return send_word(line.get(), folder.data(), folder.size(), {lock.get()}, MSG_DONTWAIT);
}

}  // namespace gyre::process
