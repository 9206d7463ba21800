#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "server/http/message.h"
#include "server/http/request_parser.h"

namespace gyre::server::http {

/// Bounds on what a client can hold on to.
struct Limits {
  ParserLimits parser;
  std::size_t connections_max = 1024;
  Duration idle_max = seconds(75);     // between two requests
  Duration request_max = seconds(10);  // from a request's first byte to its last
  Duration answer_max = seconds(30);   // from the whole request to the handler's Reply
  Duration write_max = seconds(30);    // for one response, or one piece of a stream
  Duration heartbeat = seconds(15);    // a comment on a silent stream, so that a dead client shows
  Duration poll_interval = milliseconds(100);  // of streams that must look for news themselves
  Duration drain_max = seconds(3);             // for answers in flight when the server stops
};

/// Where to listen. Loopback only: there is no login (docs/adr/0004-local-access.md).
struct Address {
  std::string host = "127.0.0.1";  // 127.0.0.1, ::1 or localhost
  std::uint16_t port = 8642;       // 0: any free one
};

/// "8642", "127.0.0.1:8642", "[::1]:0", "localhost". Errors: Invalid, also for an address beyond
/// this machine.
Result<Address> parse_address(const std::string& text);

/// An HTTP/1.1 server on loopback for the user who runs it, and root. Each connection belongs to
/// one I/O thread; the handler is called there and must not block.
class Server {
 public:
  /// Listens, and serves from then on. Errors: Conflict where the port is in use; Internal.
  static Result<std::unique_ptr<Server>> start(const Address& address, const Limits& limits,
                                               int threads, Handler handler);

  /// Requires: no Reply and no stream's wake() is called after this.
  ~Server();

  /// "127.0.0.1:8642", with the port that was chosen.
  std::string authority() const;

  /// Takes no more connections, ends streams, lets answers in flight out, and waits for the
  /// threads. Idempotent.
  void stop();

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::server::http
