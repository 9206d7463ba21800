#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "act/task_exec.h"
#include "act/task_logs.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/event.h"
#include "server/http/server.h"
#include "server/http/tls.h"
#include "server/proxy/backend.h"
#include "server/proxy/routes.h"

namespace gyre::server::proxy {

/// The endpoint of all services: http://HOST:PORT/services/NAME/..., or https, on one thread of its
/// own.
/// Requests go to the ready replica with the fewest, bodies pass both ways as they come, and
/// without a ready replica requests wait. It also probes the replicas, and tells the core what
/// probes and load come to. Thread-safe.
class Proxy {
 public:
  struct Limits {
    std::size_t head_bytes_max = 64 * 1024;
    std::size_t replay_bytes_max = 64 * 1024;  // of a request's body that are kept for a retry
    std::size_t connections_max = 10'000;
    std::size_t idle_per_replica_max = 256;  // connections
    std::int32_t tries_max = 16;             // of one request
    std::int32_t resends_max = 2;            // of one that a replica had and did not answer
    Duration head_max = seconds(10);         // from a request's first byte to the end of its head
    Duration idle_max = seconds(75);         // between two requests
    Duration connect_max = seconds(2);
    Duration write_max = seconds(60);  // for a client that takes nothing
  };
  struct Ports {
    /// Tells the core; may be refused, and is then told again.
    std::function<void(Event::Body)> tell;
    /// Where a node's tasks can be reached, as its agent said last; none where that is not known.
    std::function<std::optional<std::string>(NodeId)> address;
    /// Reads a replica's log; `done` is called once, on any thread.
    std::function<void(const act::LogQuery&, std::function<void(Result<act::LogChunk>)> done)>
        read_log;
    /// As live::Fleet has them.
    std::function<Result<std::uint64_t>(NodeId, act::ExecStart,
                                        std::function<void(act::ExecReport)>)>
        start_exec;
    std::function<void(const act::ExecOrder&)> tell_exec;
    std::function<void(const std::string&)> notice;  // one line for a person
    /// How busy the GPUs of a service's ready replicas are, in millionths; none where that is not
    /// known. Empty: it never is.
    std::function<std::optional<std::int64_t>(const std::string&)> gpu_activity;
  };

  /// With certificates in `tls` clients speak HTTPS alone; the files are looked at once a second.
  /// Errors: Conflict where the port is in use; Invalid, a file of `tls`; Internal.
  static Result<std::unique_ptr<Proxy>> start(const http::Address& address, const Limits& limits,
                                              Ports ports,
                                              const std::vector<http::TlsFiles>& tls = {});
  ~Proxy();

  std::string authority() const;
  /// "http://HOST:PORT", or https.
  std::string url() const;
  void update(Routes routes);
  /// `done` is called on the proxy's thread, or not at all once it has stopped.
  void ask(std::function<void(std::vector<ServiceStats>)> done);
  /// Ends all connections. Idempotent.
  void stop();

 private:
  struct Impl;
  explicit Proxy(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::server::proxy
