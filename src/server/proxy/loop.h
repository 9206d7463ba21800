#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "server/http/tls_identities.h"
#include "server/proxy/backend.h"
#include "server/proxy/proxy.h"

namespace gyre::server::proxy {

class Session;

/// A connection to a replica. Shared with the operations that are under way on it, which may
/// outlast the request (docs/adr/0024-services-in-the-core.md).
struct Upstream {
  explicit Upstream(boost::asio::io_context& context) : socket(context) {}
  boost::asio::ip::tcp::socket socket;
  std::string input;   // read, not yet parsed
  std::string output;  // being written
  bool reused = false;
};

inline Duration steady_now() {
  return Duration{std::chrono::duration_cast<std::chrono::nanoseconds>(
                      std::chrono::steady_clock::now().time_since_epoch())
                      .count()};
}

/// What the sessions, the probes and the reporter of one proxy share. All is touched on the loop's
/// thread only. The context is the last member: what still waits in it when it goes refers to the
/// rest. `idle` must be empty by then.
struct Loop {
  explicit Loop(Proxy::Ports outside, const Proxy::Limits& bounds)
      : ports(std::move(outside)), limits(bounds) {}

  const Proxy::Ports ports;
  const Proxy::Limits limits;
  std::map<std::string, std::shared_ptr<Backend>> backends;  // shared with their requests
  std::map<EndpointKey, std::vector<std::shared_ptr<Upstream>>> idle;
  std::unordered_set<Session*> sessions;
  std::size_t strangers = 0;  // of the sessions
  bool stopping = false;
  std::function<void()> wake_reporter;       // somebody waits
  std::unique_ptr<http::TlsIdentities> tls;  // null: clients speak HTTP as it is

  /// Null: there is no such service.
  std::shared_ptr<Backend> backend(const std::string& name) const {
    const auto found = backends.find(name);
    return found == backends.end() ? nullptr : found->second;
  }
  std::optional<boost::asio::ip::tcp::endpoint> address(const Endpoint& endpoint) const;
  /// A connection that was used before and that the replica has not closed; null: none.
  std::shared_ptr<Upstream> reuse(const EndpointKey& key);
  /// For the next request; until the replica closes it.
  void keep(const EndpointKey& key, const std::shared_ptr<Upstream>& upstream);
  /// Tells the core of draining replicas whose last request is over.
  void tell_drained(const Backend& backend) const;

  boost::asio::io_context context{1};
};

}  // namespace gyre::server::proxy
