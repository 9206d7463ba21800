#include "server/proxy/loop.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace gyre::server::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

std::optional<tcp::endpoint> Loop::address(const Endpoint& endpoint) const {
  const auto text = ports.address(endpoint.node);
  if (!text) return std::nullopt;
  error_code error;
  const auto ip = asio::ip::make_address(*text, error);
  if (error) return std::nullopt;
  return tcp::endpoint(ip, endpoint.port);
}

std::shared_ptr<Upstream> Loop::reuse(const EndpointKey& key) {
  const auto found = idle.find(key);
  if (found == idle.end()) return nullptr;
  while (!found->second.empty()) {
    std::shared_ptr<Upstream> upstream = std::move(found->second.back());
    found->second.pop_back();
    error_code ignored;
    upstream->socket.cancel(ignored);  // the look-out of keep()
    char byte = 0;
    const auto seen = recv(upstream->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (seen < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      upstream->reused = true;
      return upstream;
    }
  }
  return nullptr;
}

void Loop::keep(const EndpointKey& key, const std::shared_ptr<Upstream>& upstream) {
  auto& kept = idle[key];
  if (kept.size() >= limits.idle_per_replica_max) return;
  kept.push_back(upstream);
  // What comes on an idle one is its end, or what nobody has asked for.
  upstream->socket.async_wait(tcp::socket::wait_read,
                              [this, key, weak = std::weak_ptr(upstream)](error_code error) {
                                const auto found = idle.find(key);
                                if (!error && found != idle.end())
                                  std::erase(found->second, weak.lock());
                              });
}

void Loop::tell_drained(const Backend& backend) const {
  for (const EndpointKey& key : backend.drained()) {
    ports.tell(ReplicaProbed{key.job, key.attempt, ReplicaHealth::Drained, ""});
  }
}

}  // namespace gyre::server::proxy
