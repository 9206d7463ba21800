#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapter/grpc/server.h"
#include "agent/link.h"
#include "base/result.h"

namespace gyre::adapter::rpc {

/// Asks for a node's first certificate with a token; `authority_pem` is already known to be the
/// fleet's. Waits some seconds at most. Errors: as live::Gatekeeper::admit(); Unavailable.
Result<std::string> join_fleet(const std::string& server, const std::string& authority_pem,
                               const live::Gatekeeper::Application& application);

/// Asks for a certificate in the place of the one shown. Errors: Conflict, Unavailable.
Result<std::string> renew_certificate(const std::string& server, const Identity& identity,
                                      const std::string& request_pem);

/// Dials the servers by turns, with the identity as it is at that time: one of them leads.
class GrpcDialer final : public agent::Dialer {
 public:
  /// Requires: there is one.
  GrpcDialer(std::vector<std::string> servers, std::function<Identity()> identity);
  std::unique_ptr<agent::Link> dial(const act::Hello& hello,
                                    agent::LinkListener& listener) override;

 private:
  const std::vector<std::string> servers_;
  std::size_t next_ = 0;
  const std::function<Identity()> identity_;
};

}  // namespace gyre::adapter::rpc
