#include "adapter/process/exec/door.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "adapter/process/exec/exec_protocol.h"

namespace gyre::process {
namespace {

constexpr int kWaiting = 16;  // connections

/// By the folder's descriptor: a task's path may be longer than an address can be, and need not be
/// the same where a container's supervisor is.
sockaddr_un address_in(const Fd& folder) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const auto end = fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1,
                                    "/proc/self/fd/{}/{}", folder.get(), kExecSocket);
  *end.out = '\0';
  return address;
}

Fd make_socket() { return Fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); }

}  // namespace

Fd open_exec_door(const Fd& folder) {
  ::unlinkat(folder.get(), kExecSocket, 0);
  Fd door = make_socket();
  const sockaddr_un address = address_in(folder);
  const bool made =
      door &&
      ::bind(door.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::listen(door.get(), kWaiting) == 0;
  return made ? std::move(door) : Fd();
}

Result<Fd> knock(const Fd& folder) {
  Fd line = make_socket();
  if (!line) return os_error("cannot make a socket");
  const sockaddr_un address = address_in(folder);
  if (::connect(line.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    return line;
  }
  if (errno == EAGAIN) {
    return fail(ErrorKind::Unavailable,
                "too many commands are being started in this task; try again");
  }
  return fail(ErrorKind::Conflict,
              "the task does not run, or was started by an older release of Gyre ({})",
              error_text(errno));
}

}  // namespace gyre::process
