#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/problem.h"
#include "server/proxy/client_stream.h"
#include "server/proxy/heads.h"
#include "server/proxy/loop.h"
#include "server/proxy/message_reader.h"

namespace gyre::server::proxy {

/// One client: its requests, one after the other, each with the replica that answers it. All calls
/// on the loop's thread; kept alive by the operations it waits for.
class Session final : public Backend::Waiter, public std::enable_shared_from_this<Session> {
 public:
  /// `stranger`: why this client may do nothing, if so.
  Session(std::shared_ptr<ClientStream> client, Loop& loop, std::optional<http::Problem> stranger);
  ~Session() override;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void start();
  void close();
  void wake() override;
  /// Gives up a replica whose machine answers no more: another may do.
  void look_at_peer();
  bool waits() const override { return phase_ == Phase::Waiting; }

 private:
  enum class Phase : std::uint8_t {
    Head,        // of a request is read
    Waiting,     // for a replica
    Connecting,  // to it
    Relaying,    // request and answer
    Tunnel,      // another protocol
    Lingering,   // the last words are on their way
    Closed,
  };

  // The client's side.
  void read_client();
  void on_client_bytes();
  void next_request();
  void on_head();
  void refuse(const http::Problem& problem);
  void refuse_plain_http();
  std::optional<http::Problem> check_page() const;
  void write_client(std::string bytes);
  void on_client_written();
  void linger();

  // The way to a replica.
  void acquire();
  void connect(const Endpoint& endpoint);
  void on_connected();
  bool say_continue();
  void release(Outcome outcome);
  void try_again(bool unsent, const std::string& why);

  // The replica's side.
  void forward_body();
  void write_upstream(std::string bytes);
  void read_upstream();
  void on_upstream_bytes(bool end);
  void on_answer_head();
  void forward_answer();
  void finish();
  void pass_input();
  void tunnel_read(bool from_client);
  void tunnel_pass(bool from_client, boost::system::error_code error, std::string_view bytes);
  void tunnel_written(bool from_client, boost::system::error_code error);

  Duration silence_max() const;
  void arm(Duration wait);
  void on_silence();
  void on_deadline();
  std::string body_bytes(std::string piece, bool last) const;

  Loop& loop_;
  const std::shared_ptr<ClientStream> client_;  // shared with what is under way on it
  boost::asio::steady_timer timer_;
  std::array<char, 16'384> upstream_chunk_;
  Phase phase_ = Phase::Head;

  std::string input_;  // of the client, not yet parsed
  MessageReader request_;
  std::optional<http::Problem> stranger_;
  bool reading_client_ = false;
  bool head_timed_ = false;  // the head's own deadline runs
  std::string to_client_;    // being written
  bool writing_client_ = false;

  // One request.
  Destination destination_;
  std::shared_ptr<Backend> backend_;  // also once another service has taken its name
  std::string head_;                  // as the replica gets it
  std::string replay_;                // what of the body was sent, framed
  bool replayable_ = true;
  bool request_sent_ = false;  // all of it was handed to the replica's side
  bool continued_ = false;     // the client was told to go on
  bool upgrade_ = false;
  Duration began_;
  Duration waited_since_;
  std::int32_t tries_ = 0;
  std::int32_t resends_ = 0;

  // One try.
  std::uint64_t try_ = 0;  // what belongs to an earlier one is ignored
  std::optional<Endpoint> endpoint_;
  std::shared_ptr<Upstream> upstream_;
  MessageReader answer_;
  bool writing_upstream_ = false;
  bool reading_upstream_ = false;
  bool upstream_deaf_ = false;  // takes no more of the request
  bool answered_ = false;       // the answer's head was sent on
  bool answer_whole_ = false;   // all of it was handed to the client's side
  Framing framing_ = Framing::None;
  bool keep_alive_ = true;
  int tunnels_open_ = 0;
  std::string tunnel_to_client_;  // being written
};

}  // namespace gyre::server::proxy
