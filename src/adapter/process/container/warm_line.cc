#include "adapter/process/container/warm_line.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

constexpr std::size_t kPathBytesMax = 8192;
constexpr char kReady = 'r';

}  // namespace

std::optional<std::string> wait_for_task(const Fd& line) {
  if (::send(line.get(), &kReady, 1, MSG_NOSIGNAL) != 1) return std::nullopt;
  std::string path(kPathBytesMax, '\0');
  iovec part{path.data(), path.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  ssize_t n = 0;
  do {
    n = ::recvmsg(line.get(), &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  const cmsghdr* control = n > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (control == nullptr || control->cmsg_len != CMSG_LEN(sizeof(int))) return std::nullopt;
  int lock = -1;
  std::memcpy(&lock, CMSG_DATA(control), sizeof lock);
  if (lock != kLockDescriptor) {
    ::dup3(lock, kLockDescriptor, O_CLOEXEC);
    ::close(lock);
  }
  path.resize(static_cast<std::size_t>(n));
  return path;
}

WarmState look_at(const Fd& line) {
  char word = 0;
  const ssize_t n = ::recv(line.get(), &word, 1, MSG_DONTWAIT);
  if (n == 1) return WarmState::Ready;
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? WarmState::Making : WarmState::Gone;
}

bool hand_over(const Fd& line, const std::string& folder, const Fd& lock) {
  std::string text = folder;
  const int descriptor = lock.get();
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof descriptor)> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof descriptor);
  std::memcpy(CMSG_DATA(control), &descriptor, sizeof descriptor);
  return ::sendmsg(line.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) ==
         static_cast<ssize_t>(text.size());
}

}  // namespace gyre::process
