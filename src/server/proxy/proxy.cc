#include "server/proxy/proxy.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "server/http/stranger.h"
#include "server/proxy/load_reporter.h"
#include "server/proxy/loop.h"
#include "server/proxy/prober.h"
#include "server/proxy/session.h"

namespace gyre::server::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr std::chrono::milliseconds kLook{100};
constexpr std::uint64_t kLooksPerPeerLook = 10;
constexpr std::chrono::milliseconds kAcceptRetry{50};  // after the process ran out of descriptors
}  // namespace

struct Proxy::Impl {
  Impl(const Limits& limits, Ports ports)
      : loop(std::move(ports), limits), prober(loop), reporter(loop) {}

  Result<void> listen(const http::Address& address);
  void accept();
  void take(tcp::socket socket);
  void update(const Routes& routes);
  void look();
  void look_at_peers();
  void refresh_tls() const;
  void tell_trouble() const;
  void stop();

  Loop loop;
  Prober prober;
  LoadReporter reporter;
  tcp::acceptor acceptor{loop.context};
  asio::steady_timer retry{loop.context};
  asio::steady_timer ticker{loop.context};
  bool report_posted = false;
  std::uint64_t looks = 0;
  std::string authority;
  std::thread thread;
  bool stopped = false;
};

Result<void> Proxy::Impl::listen(const http::Address& address) {
  const auto ip = asio::ip::make_address(address.host);
  const tcp::endpoint endpoint(ip, address.port);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use) {
    return fail(ErrorKind::Conflict,
                "port {} is in use; choose another for the services with '--services "
                "127.0.0.1:PORT' (0: any free one)",
                address.port);
  }
  if (error) {
    return fail(ErrorKind::Internal, "cannot listen on {} port {}: {}", address.host, address.port,
                error.message());
  }
  const auto port = acceptor.local_endpoint().port();
  authority = ip.is_v6() ? fmt::format("[{}]:{}", address.host, port)
                         : fmt::format("{}:{}", address.host, port);
  return {};
}

void Proxy::Impl::accept() {
  acceptor.async_accept([this](error_code error, tcp::socket socket) {
    if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
    if (error) {
      retry.expires_after(kAcceptRetry);
      return retry.async_wait([this](error_code aborted) {
        if (!aborted && acceptor.is_open()) accept();
      });
    }
    take(std::move(socket));
    accept();
  });
}

void Proxy::Impl::take(tcp::socket socket) {
  if (loop.stopping) return;
  auto stranger = http::refuse_stranger(socket);
  const std::size_t strangers = loop.strangers;
  const bool room = stranger ? strangers < http::kStrangersMax
                             : loop.sessions.size() - strangers < loop.limits.connections_max;
  if (room) {
    auto tls = loop.tls ? loop.tls->accept() : nullptr;
    if (loop.tls && !tls) return;  // no memory
    const auto client = std::make_shared<ClientStream>(std::move(socket), std::move(tls));
    return std::make_shared<Session>(client, loop, std::move(stranger))->start();
  }
  if (!loop.tls) http::turn_away(socket, stranger);
}

void Proxy::Impl::update(const Routes& routes) {
  const Duration now = steady_now();
  std::set<std::string> names;
  std::set<EndpointKey> open;
  for (const Route& route : routes) {
    names.insert(route.name);
    for (const Endpoint& endpoint : route.endpoints) {
      if (!endpoint.draining) open.insert(endpoint.key);
    }
    std::shared_ptr<Backend>& known = loop.backends[route.name];
    if (!known) known = std::make_shared<Backend>(route);
    Backend& backend = *known;
    backend.update(route, now);
    loop.tell_drained(backend);
    if (route.deleted) backend.drop_waiters();
  }
  std::erase_if(loop.idle, [&open](const auto& kept) { return !open.contains(kept.first); });
  for (auto at = loop.backends.begin(); at != loop.backends.end();) {
    auto gone = at++;
    if (names.contains(gone->first)) continue;
    auto node = loop.backends.extract(gone);
    node.mapped()->drop_waiters();
  }
  prober.update(routes);
}

void Proxy::Impl::look_at_peers() {
  const std::vector<Session*> all(loop.sessions.begin(), loop.sessions.end());
  for (Session* session : all) session->look_at_peer();
}

void Proxy::Impl::refresh_tls() const {
  if (!loop.tls) return;
  const std::vector<std::string> said = loop.tls->refresh();
  for (const std::string& line : said) loop.ports.notice(line);
  if (!said.empty()) tell_trouble();
}

void Proxy::Impl::tell_trouble() const {
  for (const std::string& trouble : loop.tls->troubles()) {
    loop.ports.notice("warning: the services' certificate " + trouble);
  }
}

/// What no event announces: replicas that may be tried again, and the load.
void Proxy::Impl::look() {
  const Duration now = steady_now();
  for (const auto& [name, backend] : loop.backends) backend->wake_waiters(now);
  reporter.look();
  if (++looks % kLooksPerPeerLook == 0) {
    look_at_peers();
    refresh_tls();
  }
  ticker.expires_after(kLook);
  ticker.async_wait([this](error_code error) {
    if (!error && !loop.stopping) look();
  });
}

void Proxy::Impl::stop() {
  if (std::exchange(stopped, true)) return;
  asio::post(loop.context, [this] {
    loop.stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    const std::vector<Session*> all(loop.sessions.begin(), loop.sessions.end());
    for (Session* session : all) session->close();
    loop.context.stop();
  });
  if (thread.joinable()) thread.join();
  loop.idle.clear();
}

Proxy::Proxy(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Proxy::~Proxy() { stop(); }

Result<std::unique_ptr<Proxy>> Proxy::start(const http::Address& address, const Limits& limits,
                                            Ports ports, const std::vector<http::TlsFiles>& tls) {
  auto impl = std::make_unique<Impl>(limits, std::move(ports));
  impl->stopped = true;  // until it runs
  if (!tls.empty()) {
    auto identities = http::TlsIdentities::open(tls);
    if (!identities) return tl::unexpected(identities.error());
    impl->loop.tls = std::move(*identities);
    impl->tell_trouble();
  }
  if (auto listening = impl->listen(address); !listening) return tl::unexpected(listening.error());
  impl->loop.wake_reporter = [raw = impl.get()] {
    if (std::exchange(raw->report_posted, true)) return;
    asio::post(raw->loop.context, [raw] {
      raw->report_posted = false;
      raw->reporter.look();
    });
  };
  impl->stopped = false;
  impl->accept();
  impl->look();
  impl->thread = std::thread([raw = impl.get()] {
    const auto guard = asio::make_work_guard(raw->loop.context);
    raw->loop.context.run();
  });
  return std::unique_ptr<Proxy>(new Proxy(std::move(impl)));
}

std::string Proxy::authority() const { return impl_->authority; }
std::string Proxy::url() const {
  return fmt::format("{}://{}", impl_->loop.tls ? "https" : "http", impl_->authority);
}

void Proxy::update(Routes routes) {
  asio::post(impl_->loop.context,
             [impl = impl_.get(), routes = std::move(routes)] { impl->update(routes); });
}

void Proxy::ask(std::function<void(std::vector<ServiceStats>)> done) {
  asio::post(impl_->loop.context, [impl = impl_.get(), done = std::move(done)] {
    std::vector<ServiceStats> all;
    const Duration now = steady_now();
    for (const auto& [name, backend] : impl->loop.backends) all.push_back(backend->stats(now));
    done(std::move(all));
  });
}

void Proxy::stop() { impl_->stop(); }

}  // namespace gyre::server::proxy
