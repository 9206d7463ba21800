#include "server/proxy/peer_watch.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace gyre::server::proxy {
namespace {

constexpr int kIdleS = 5;
constexpr int kPauseS = 2;
constexpr int kProbes = 3;
constexpr int kRepetitions = 5;  // they begin 0.2 s after the first time, and double

}  // namespace

void watch_peer(boost::asio::ip::tcp::socket& socket) {
  const int handle = socket.native_handle();
  const int yes = 1;
  ::setsockopt(handle, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof yes);
  ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleS, sizeof kIdleS);
  ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPINTVL, &kPauseS, sizeof kPauseS);
  ::setsockopt(handle, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

bool is_cut(boost::asio::ip::tcp::socket& socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return false;
  return info.tcpi_unacked > 0 && info.tcpi_retransmits >= kRepetitions;
}

}  // namespace gyre::server::proxy
