#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace gyre::server::http {

/// The two ends of an established loopback TCP connection as the server sees it. Ports in host
/// order; addresses as the 16 bytes of IPv6, or the first 4 for IPv4.
struct LoopbackPair {
  bool ipv6 = false;
  unsigned char client_address[16] = {};
  unsigned char server_address[16] = {};
  std::uint16_t client_port = 0;
  std::uint16_t server_port = 0;
};

/// Who owns the client's socket, asked of the kernel: by sock_diag, which looks one connection up,
/// or, where that is missing, by reading /proc/net/tcp. Only an established socket counts: one that
/// its owner has closed is shown as root's. Errors: NotFound where no such socket is established.
Result<uid_t> owner_of_client(const LoopbackPair& pair);

/// The same, read from the text of /proc/net/tcp or tcp6. nullopt if it has no such line.
std::optional<uid_t> owner_in_table(const LoopbackPair& pair, const std::string& table);

}  // namespace gyre::server::http
