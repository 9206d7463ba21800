#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "live/fault_desk.h"
#include "live/fleet.h"
#include "live/gatekeeper.h"

namespace gyre::adapter::rpc {

/// What one side shows the other.
struct Identity {
  std::string certificate_pem;
  std::string key_pem;
  std::string authority_pem;  // whose certificates are believed
};

struct AgentServerOptions {
  std::string address;  // "0.0.0.0:8643"; port 0: any free one
  Identity identity;
  /// Whether a node of that name may be joined anew: not while its tasks may still run.
  std::function<bool(const std::string&)> is_held;
  live::FaultDesk* faults = nullptr;  // outlives the server; null: nobody breaks nodes on purpose
};

/// Where agents come in: gRPC over TLS 1.3, both sides with certificates of the fleet's authority.
/// A connection without one may do nothing but Join. What is too large, too slow, or no protocol of
/// ours ends its own connection and nothing else.
class AgentServer {
 public:
  /// The others outlive it. Errors: Internal, the address cannot be listened on.
  static Result<std::unique_ptr<AgentServer>> start(const AgentServerOptions& options,
                                                    live::Fleet& fleet, live::Gatekeeper& keeper);
  /// Ends all connections; tasks go on.
  ~AgentServer();
  AgentServer(const AgentServer&) = delete;
  AgentServer& operator=(const AgentServer&) = delete;

  int port() const;

 private:
  struct Impl;
  explicit AgentServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// The name that the server's certificate bears, whatever its address is.
inline constexpr const char* kServerName = "gyre-server";

/// Has both ends speak TLS 1.3 only. Requires: called before the first use of gRPC in this process.
void require_tls13();

}  // namespace gyre::adapter::rpc
