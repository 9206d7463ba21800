#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/outcome.h"

namespace gyre::cli {

/// Where a server answers. Of several that share a journal one leads, and another may in its place.
struct ServerAddress {
  std::string host = "127.0.0.1";
  std::string port = "8642";
  std::vector<ServerAddress> others;
  std::string text() const;       // "http://127.0.0.1:8642"
  std::string bare_host() const;  // without the brackets of an IPv6 address
};

/// "http://127.0.0.1:8642", "localhost:9000", "[::1]:8642"; several with commas between. Errors:
/// usage.
Outcome<ServerAddress> parse_server_address(const std::string& text);

struct HttpAnswer {
  int status = 0;
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string header(const std::string& lower_name) const;   // empty if absent
};

struct HttpCall {
  std::string method = "GET";
  std::string target;
  std::string body;
  std::string content_type = "application/json";
  std::string idempotency_key;
  std::string range;  // of bytes, as in "bytes=0-99"; empty: all
};

/// Speaks to one server over one connection at a time; of several, to the one that leads. Waits for
/// each answer, a minute at most. Used by one thread.
class HttpClient {
 public:
  explicit HttpClient(ServerAddress address);
  ~HttpClient();
  HttpClient(HttpClient&&) noexcept;

  /// Of several servers, turns to the one that leads; waits some seconds for one to take over.
  /// Errors: none does.
  Outcome<void> locate();

  /// The answer, whatever its status. What can be asked twice is asked again where another server
  /// took over meanwhile. Errors: nobody answers there.
  Outcome<HttpAnswer> send(const HttpCall& call);

  /// The body of a good answer. Errors: as send(), and the server's problem with its exit code.
  Outcome<std::string> call(const HttpCall& call);
  Outcome<std::string> get(const std::string& target);

  const ServerAddress& address() const { return address_; }

 private:
  struct Impl;
  Outcome<HttpAnswer> send_once(const HttpCall& call);
  void turn_to(std::size_t other);

  ServerAddress address_;
  std::unique_ptr<Impl> impl_;
};

/// Whether it is what a server says that does not lead.
bool is_from_standby(int status, const std::string& body);

/// The server's problem as what the program says and returns.
Failure failure_of(const HttpAnswer& answer);

/// One server-sent event.
struct StreamEvent {
  std::string id;
  std::string name;
  std::string data;
};

/// Follows several event streams at once until each has had its "end" event. A stream that breaks
/// off is resumed where it stopped, since jobs outlive a server's restart; that is given up after
/// `patience_s` without a server.
class StreamFollower {
 public:
  explicit StreamFollower(ServerAddress address, int patience_s = 30);
  ~StreamFollower();

  /// `resume` is the id after which to begin; may be empty.
  void add(std::string target, std::string resume,
           std::function<void(const StreamEvent&)> on_event);

  /// Called at SIGINT and SIGTERM; false stops following.
  void on_interrupt(std::function<bool()> handler);

  /// Makes run() return, as if all streams had ended. For use in the handlers.
  void finish();

  /// How run() came back.
  enum class End : unsigned char { Finished, Interrupted, TimedOut };

  /// Returns when all streams have ended, the interrupt handler says so, or `seconds_max` (0: none)
  /// are over. Errors: the server refuses, or is gone for good.
  Outcome<End> run(std::int64_t seconds_max = 0);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::cli
