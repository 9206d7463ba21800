#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>
#include <string_view>

#include "server/http/connection.h"
#include "server/http/message.h"

namespace gyre::server::http {

/// Whether the client asks to go on as a WebSocket, as RFC 6455, 4.2.1 has it. Pure.
bool is_web_socket_request(const Request& request);

/// Whether it offers that subprotocol. Pure.
bool offers_subprotocol(const Request& request, std::string_view subprotocol);

/// A client that has gone on from HTTP to a WebSocket: carries messages between it and a channel,
/// one at a time each way, so that whoever is slow is waited for.
class WebSocket final : public Client, public std::enable_shared_from_this<WebSocket> {
 public:
  /// Requires: `response` has a channel.
  WebSocket(boost::asio::ip::tcp::socket socket, Loop& loop, Shared& shared, Response response);
  ~WebSocket() override;

  /// Shakes hands in answer to `request`. Requires: is_web_socket_request().
  void start(const Request& request);
  void finish() override;
  void close() override;

 private:
  struct Impl;

  void open();
  void listen();
  void on_message();
  void look_for_the_client();
  void pump();
  void end(unsigned code);

  std::unique_ptr<Impl> impl_;
};

}  // namespace gyre::server::http
