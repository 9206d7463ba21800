#include "server/http/server.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "server/http/connection.h"
#include "server/http/stranger.h"

namespace gyre::server::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr Duration kAcceptRetry = milliseconds(50);  // after the process ran out of descriptors

struct Thread {
  Loop loop;
  asio::executor_work_guard<asio::io_context::executor_type> guard =
      asio::make_work_guard(loop.context);
  std::thread thread;
};

/// Closes the client that has waited longest. False: none waits.
bool make_room(const Loop& loop) {
  Client* longest = nullptr;
  for (Client* client : loop.clients) {
    if (client->waits() && (!longest || *client->waits() < *longest->waits())) longest = client;
  }
  if (longest) longest->close();
  return longest != nullptr;
}

bool parse_port(std::string_view text, std::uint16_t& port) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

Result<Address> parse_address(const std::string& text) {
  Address address;
  std::string_view host = text;
  std::string_view port;
  if (parse_port(text, address.port)) return address;
  if (!text.empty() && text.find_first_not_of("0123456789") == text.npos) port = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return fail(ErrorKind::Invalid, "'{}': the ']' is missing", text);
    host = host.substr(1, end - 1);
    port = std::string_view(text).substr(end + 1);
    if (!port.empty() && port[0] != ':')
      return fail(ErrorKind::Invalid, "'{}' is no address", text);
    if (!port.empty()) port.remove_prefix(1);
  } else if (const std::size_t colon = text.find(':'); colon != text.npos && text != "::1") {
    host = host.substr(0, colon);
    port = std::string_view(text).substr(colon + 1);
  }
  if (!port.empty() && !parse_port(port, address.port)) {
    return fail(ErrorKind::Invalid, "'{}': the port must be a number from 0 to 65535", text);
  }
  if (host != "127.0.0.1" && host != "localhost" && host != "::1") {
    return fail(
        ErrorKind::Invalid,
        "'{}': there is no login yet, so only 127.0.0.1, localhost and [::1] can be listened "
        "on; reach it from elsewhere with 'ssh -L 8642:127.0.0.1:8642 HOST'",
        text);
  }
  address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  return address;
}

struct Server::Impl {
  Shared shared;
  std::vector<std::unique_ptr<Thread>> threads;
  std::optional<tcp::acceptor> acceptor;
  std::optional<asio::steady_timer> retry;
  std::string authority;
  std::size_t next_thread = 0;
  bool stopped = false;

  Result<void> listen(const Address& address);
  void accept();
  void take(tcp::socket socket, Loop& loop);
  void run_threads();
  void stop();
};

Result<void> Server::Impl::listen(const Address& address) {
  const auto ip = asio::ip::make_address(address.host);
  const tcp::endpoint endpoint(ip, address.port);
  error_code error;
  acceptor.emplace(threads.front()->loop.context);
  retry.emplace(threads.front()->loop.context);
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(ErrorKind::Conflict,
                "port {} is in use; stop what listens there, or choose another with "
                "'--listen 127.0.0.1:PORT' (0: any free one)",
                address.port);
  }
  if (error) {
    return fail(ErrorKind::Internal, "cannot listen on {} port {}: {}", address.host, address.port,
                error.message());
  }
  const auto port = acceptor->local_endpoint().port();
  authority = ip.is_v6() ? fmt::format("[{}]:{}", address.host, port)
                         : fmt::format("{}:{}", address.host, port);
  return {};
}

void Server::Impl::accept() {
  Thread& thread = *threads[next_thread];
  next_thread = (next_thread + 1) % threads.size();
  acceptor->async_accept(thread.loop.context,
                         [this, &thread](error_code error, tcp::socket socket) {
                           if (error == asio::error::operation_aborted || !acceptor->is_open())
                             return;
                           if (error) {
                             retry->expires_after(std::chrono::nanoseconds(kAcceptRetry.ns));
                             return retry->async_wait([this](error_code aborted) {
                               if (!aborted && acceptor->is_open()) accept();
                             });
                           }
                           auto shared_socket = std::make_shared<tcp::socket>(std::move(socket));
                           asio::post(thread.loop.context, [this, &thread, shared_socket] {
                             take(std::move(*shared_socket), thread.loop);
                           });
                           accept();
                         });
}

void Server::Impl::take(tcp::socket socket, Loop& loop) {
  if (loop.stopping) return;
  auto stranger = refuse_stranger(socket);
  const bool room = stranger
                        ? shared.strangers < kStrangersMax
                        : shared.connections < shared.limits.connections_max || make_room(loop);
  if (!room) return turn_away(socket, stranger);
  std::make_shared<Connection>(std::move(socket), loop, shared, std::move(stranger))->start();
}

void Server::Impl::run_threads() {
  for (auto& thread : threads) {
    thread->thread = std::thread([loop = &thread->loop] { loop->context.run(); });
  }
}

void Server::Impl::stop() {
  if (std::exchange(stopped, true)) return;
  asio::post(threads.front()->loop.context, [this] {
    error_code ignored;
    acceptor->close(ignored);
    retry->cancel(ignored);
  });
  for (auto& thread : threads) {
    asio::post(thread->loop.context, [this, &thread = *thread] {
      thread.loop.stopping = true;
      const std::vector<Client*> all(thread.loop.clients.begin(), thread.loop.clients.end());
      for (Client* client : all) client->finish();
      if (thread.loop.clients.empty()) return thread.loop.context.stop();
      const auto timer = std::make_shared<asio::steady_timer>(thread.loop.context);
      timer->expires_after(std::chrono::nanoseconds(shared.limits.drain_max.ns));
      timer->async_wait([&thread, timer](error_code) { thread.loop.context.stop(); });
    });
  }
  for (auto& thread : threads) thread->thread.join();
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(const Address& address, const Limits& limits,
                                              int threads, Handler handler) {
  auto impl = std::make_unique<Impl>();
  impl->shared.limits = limits;
  impl->shared.handler = std::move(handler);
  for (int i = 0; i < threads; ++i) impl->threads.push_back(std::make_unique<Thread>());
  if (auto listening = impl->listen(address); !listening) {
    impl->stopped = true;
    return tl::unexpected(listening.error());
  }
  impl->accept();
  impl->run_threads();
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::string Server::authority() const { return impl_->authority; }

void Server::stop() { impl_->stop(); }

}  // namespace gyre::server::http
