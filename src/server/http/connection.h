#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "server/http/message.h"
#include "server/http/problem.h"
#include "server/http/request_parser.h"
#include "server/http/server.h"

namespace gyre::server::http {

class Connection;

/// What the connections of one server share.
struct Shared {
  Limits limits;
  Handler handler;
  std::atomic<std::size_t> connections{0};
};

/// One I/O thread with the connections that live on it. All is touched on that thread only. The
/// context goes first: what still waits in it refers to the rest.
struct Loop {
  std::unordered_set<Connection*> connections;
  bool stopping = false;  // the context stops with the last connection
  boost::asio::io_context context{1};
};

/// One client: reads a request, hands it to the handler, writes the answer, and so on. All calls on
/// its loop's thread; kept alive by the operations it waits for.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Loop& loop, Shared& shared);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void start();

  /// Closes at once if nothing is under way, else after the answer; a stream ends.
  void finish();
  void close();

 private:
  enum class Phase : std::uint8_t { Reading, Answering, Writing, Streaming, Lingering, Closed };

  void read_some();
  void on_read(std::size_t size);
  void advance();
  void send_continue();
  void handle(Request request);
  void refuse(const Problem& problem);
  Reply make_reply();
  void respond(Response response);
  void open_stream();
  void write();
  void on_written();
  void pump();
  void wake();
  void look_again();
  void linger();
  void arm(Duration wait);
  void on_deadline();

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  Loop& loop_;
  Shared& shared_;
  RequestParser parser_;
  std::optional<Problem> stranger_;  // why this client may do nothing
  std::array<char, 8192> chunk_;
  std::string input_;   // read, not yet parsed
  std::string output_;  // being written
  std::unique_ptr<Stream> stream_;
  Stream::State stream_state_ = Stream::State::Idle;
  boost::asio::steady_timer::time_point last_piece_;
  Phase phase_ = Phase::Reading;
  std::uint64_t number_ = 0;  // of the request; a late reply to an older one is dropped
  bool reading_ = false;      // a read is pending
  bool timed_ = false;        // the request's own deadline runs
  bool woken_ = false;
  bool keep_alive_ = true;
  bool chunked_ = false;
  bool head_only_ = false;
};

}  // namespace gyre::server::http
