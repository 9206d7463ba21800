#include "adapter/process/free_port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "adapter/process/files.h"

namespace gyre::process {
namespace {

constexpr std::int32_t kTries = 1000;
constexpr std::int32_t kPortMax = 65'535;

bool is_free(std::int32_t port) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return true;
  const int yes = 1;  // connections that are over do not keep a port
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  return ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

std::optional<std::int32_t> free_port(std::int32_t wished, const std::set<std::int32_t>& given) {
  for (std::int32_t port = wished; port < wished + kTries && port <= kPortMax; ++port) {
    if (!given.contains(port) && is_free(port)) return port;
  }
  return std::nullopt;
}

}  // namespace gyre::process
