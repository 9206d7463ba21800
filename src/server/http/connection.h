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

class Client;

/// What the connections of one server share.
struct Shared {
  Limits limits;
  Handler handler;
  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> strangers{0};  // not among the connections
};

/// One I/O thread with the connections that live on it. All is touched on that thread only. The
/// context goes first: what still waits in it refers to the rest.
struct Loop {
  std::unordered_set<Client*> clients;
  std::uint64_t waits = 0;  // begun by its clients, of which each has the number of its last
  bool stopping = false;    // the context stops with the last client
  boost::asio::io_context context{1};
};

/// One connection of a loop's, among `counted` while it lives. All calls on the loop's thread; kept
/// alive by the operations it waits for.
class Client {
 public:
  Client(Loop& loop, Shared& shared, std::atomic<std::size_t>& counted);
  virtual ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// The server ends: so does this, soon.
  virtual void finish() = 0;
  virtual void close() = 0;

  /// Which of the loop's waits it is in: for the rest of a request, or for the client to go. None
  /// while an answer is under way, and of a stranger, who takes up no room.
  virtual std::optional<std::uint64_t> waits() const { return std::nullopt; }

 protected:
  Loop& loop_;
  Shared& shared_;

 private:
  std::atomic<std::size_t>& counted_;
};

/// A client that speaks HTTP: reads a request, hands it to the handler, writes the answer, and so
/// on.
class Connection final : public Client, public std::enable_shared_from_this<Connection> {
 public:
  /// `stranger`: why this client may do nothing, if so.
  Connection(boost::asio::ip::tcp::socket socket, Loop& loop, Shared& shared,
             std::optional<Problem> stranger);

  void start();

  /// Closes at once if nothing is under way, else after the answer; a stream ends.
  void finish() override;
  void close() override;
  std::optional<std::uint64_t> waits() const override;

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
  void become_web_socket(Response response);
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
  RequestParser parser_;
  std::optional<Problem> stranger_;
  std::uint64_t wait_ = 0;
  std::array<char, 8192> chunk_;
  std::optional<Request> upgrade_;  // the request, where it asks for a WebSocket
  std::string input_;               // read, not yet parsed
  std::string output_;              // being written
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
  bool heartbeat_ = true;  // of the stream
  bool head_only_ = false;
};

}  // namespace gyre::server::http
