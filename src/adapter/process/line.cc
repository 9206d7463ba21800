#include "adapter/process/line.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace gyre::process {
namespace {

constexpr std::size_t kSpace = CMSG_SPACE(kDescriptorsMax * sizeof(int));
// What pads the space would hold one descriptor more.
constexpr std::size_t kTaken = CMSG_LEN(kDescriptorsMax * sizeof(int));

}  // namespace

bool send_word(int socket, const void* data, std::size_t size, const std::vector<int>& descriptors,
               int flags) {
  iovec part{const_cast<void*>(data), size};
  alignas(cmsghdr) std::array<char, kSpace> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t bytes = descriptors.size() * sizeof(int);
    message.msg_control = space.data();
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(control), descriptors.data(), bytes);
  }
  ssize_t n = 0;
  do {
    n = ::sendmsg(socket, &message, flags | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n == static_cast<ssize_t>(size);
}

Received receive_word(int socket, void* data, std::size_t size, int flags) {
  iovec part{data, size};
  alignas(cmsghdr) std::array<char, kSpace> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = kTaken;
  Received received;
  do {
    received.size = ::recvmsg(socket, &message, flags | MSG_CMSG_CLOEXEC);
  } while (received.size < 0 && errno == EINTR);
  if (received.size < 0) return received;
  for (cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr;
       control = CMSG_NXTHDR(&message, control)) {
    if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    const std::size_t before = received.descriptors.size();
    received.descriptors.resize(before + count);
    std::memcpy(&received.descriptors[before], CMSG_DATA(control), count * sizeof(int));
  }
  return received;
}

std::vector<char*> split_words(char* text, std::size_t size) {
  std::vector<char*> words;
  for (std::size_t at = 0; at < size;) {
    words.push_back(text + at);
    const void* end = std::memchr(text + at, '\0', size - at);
    if (end == nullptr) break;
    at = static_cast<std::size_t>(static_cast<const char*>(end) - text) + 1;
  }
  return words;
}

}  // namespace gyre::process
