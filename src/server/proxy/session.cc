#include "server/proxy/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "server/http/guard.h"
#include "server/proxy/peer_watch.h"

namespace gyre::server::proxy {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::size_t kReadAheadMax = 64 * 1024;  // of what a client says before it is asked
constexpr Duration kLingerMax = seconds(2);

std::string address_text(const tcp::socket& socket) {
  error_code error;
  const auto end = socket.remote_endpoint(error);
  return error ? "unknown" : end.address().to_string();
}

http::Problem no_replica(const Route& route, std::string_view what) {
  return {503,
          "no-replica",
          "No replica of the service could take the request",
          route.trouble.empty() ? std::string(what) : fmt::format("{} ({})", what, route.trouble),
          {},
          {{"Retry-After", "5"}}};
}

}  // namespace

Session::Session(std::shared_ptr<ClientStream> client, Loop& loop,
                 std::optional<http::Problem> stranger)
    : loop_(loop),
      client_(std::move(client)),
      timer_(loop.context),
      request_(MessageReader::Side::Request, loop.limits.head_bytes_max),
      stranger_(std::move(stranger)),
      answer_(MessageReader::Side::Response, loop.limits.head_bytes_max) {
  loop_.sessions.insert(this);
  if (stranger_) ++loop_.strangers;
}

Session::~Session() {
  loop_.sessions.erase(this);
  if (stranger_) --loop_.strangers;
}

void Session::start() {
  error_code ignored;
  tcp::socket& socket = client_->socket();
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.non_blocking(true, ignored);
  next_request();
}

void Session::close() {
  if (phase_ == Phase::Closed) return;
  const Duration now = steady_now();
  const bool waited = std::exchange(phase_, Phase::Closed) == Phase::Waiting;
  if (waited) backend_->leave(now - waited_since_, now);
  if (waited || endpoint_)
    backend_->ended(answered_ ? answer_.head().status : 0, now - began_, now);
  release(answered_ ? Outcome::Answered : Outcome::Unknown);
  error_code ignored;
  timer_.cancel(ignored);
  client_->close();
}

// --- the client's side ---------------------------------------------------------------------------

void Session::next_request() {
  phase_ = Phase::Head;
  request_.restart();
  head_timed_ = false;
  arm(client_->handshaking() ? loop_.limits.head_max : loop_.limits.idle_max);
  on_client_bytes();
}

void Session::read_client() {
  if (reading_client_ || phase_ == Phase::Closed) return;
  reading_client_ = true;
  client_->read([self = shared_from_this()](error_code error, std::string_view bytes) {
    self->reading_client_ = false;
    if (error && self->client_->spoke_plain()) return self->refuse_plain_http();
    if (error) return self->close();
    self->input_.append(bytes);
    self->on_client_bytes();
  });
}

void Session::on_client_bytes() {
  switch (phase_) {
    case Phase::Head:
      if (!request_.feed(input_)) {
        const int status = request_.head_too_large() ? 431 : 400;
        return refuse(
            {status, "bad-request", "The request is not valid HTTP", request_.error(), {}, {}});
      }
      if (request_.has_head()) return on_head();
      if (request_.started() && !std::exchange(head_timed_, true)) arm(loop_.limits.head_max);
      return read_client();
    case Phase::Relaying:
      if (!request_sent_) return forward_body();
      [[fallthrough]];
    case Phase::Waiting:
    case Phase::Connecting:
      // A read is pending only to notice that the client has gone.
      if (input_.size() < kReadAheadMax) read_client();
      return;
    case Phase::Lingering:
      input_.clear();
      return read_client();
    case Phase::Tunnel:
      return pass_input();
    case Phase::Closed:
      return;
  }
}

void Session::on_head() {
  const Head& head = request_.head();
  began_ = steady_now();
  tries_ = 0;
  resends_ = 0;
  replayable_ = true;
  answered_ = false;
  continued_ = false;
  request_sent_ = request_.done();
  replay_ = request_sent_ ? body_bytes(request_.take_body(), true) : "";
  keep_alive_ = head.keep_alive && !loop_.stopping;
  if (stranger_) return refuse(*stranger_);
  upgrade_ = !head.field("upgrade").empty() && head.lists("connection", "upgrade");
  if (const auto problem = check_page()) return refuse(*problem);
  auto destination = destination_of(head.target);
  backend_ = destination ? loop_.backend(destination->service) : nullptr;
  if (!backend_ || backend_->route().deleted) {
    return refuse({404,
                   "no-such-service",
                   "There is no such service",
                   "services are at /services/NAME/; 'gyre services' lists all",
                   {},
                   {}});
  }
  destination_ = std::move(*destination);
  head_ = request_head(head, {.target = destination_.target,
                              .service = destination_.service,
                              .client = address_text(client_->socket()),
                              .upgrade = upgrade_,
                              .secure = client_->secure()});
  backend_->began();
  waited_since_ = began_;
  acquire();
}

/// A browser keeps a page of another origin from reading an answer, not from asking. Under a name
/// that the certificate is for no other's page can have come.
std::optional<http::Problem> Session::check_page() const {
  const Head& head = request_.head();
  const std::string_view host = head.field("host");
  const bool named = client_->secure() && loop_.tls->covers(host);
  if (auto problem = named ? std::nullopt : http::check_host(host)) return problem;
  if (is_safe(head.method) && !upgrade_) return std::nullopt;
  return http::check_origin(head.field("origin"), host, client_->secure() ? "https" : "http");
}

void Session::refuse_plain_http() {
  client_->go_plain();
  refuse(
      {400, "https-only", "This port speaks HTTPS", "ask for https:// instead of http://", {}, {}});
}

/// Answers by itself, and ends the connection: what of the request is still to come is not read.
void Session::refuse(const http::Problem& problem) {
  const http::Response response = http::respond(problem);
  phase_ = Phase::Lingering;
  keep_alive_ = false;
  std::string text = http::response_head(response, false, false);
  if (request_.has_head() && request_.head().method == "HEAD") return write_client(std::move(text));
  write_client(text + response.body);
}

void Session::write_client(std::string bytes) {
  if (phase_ == Phase::Closed) return;
  to_client_ = std::move(bytes);
  writing_client_ = true;
  arm(loop_.limits.write_max);
  client_->write(to_client_, [self = shared_from_this()](error_code error) {
    self->writing_client_ = false;
    if (error) return self->close();
    self->on_client_written();
  });
}

void Session::on_client_written() {
  if (phase_ == Phase::Lingering) return linger();
  if (phase_ == Phase::Tunnel) return tunnel_read(false);
  if (phase_ != Phase::Relaying) return;
  if (answer_whole_) return finish();
  arm(silence_max());
  forward_answer();
}

/// Closing at once would reset the connection where the client still sends, and the answer could be
/// lost on its way.
void Session::linger() {
  client_->shut();
  arm(kLingerMax);
  read_client();
}

// --- the way to a replica ------------------------------------------------------------------------

/// Takes a replica, or stands in line for one.
void Session::acquire() {
  if (backend_->route().deleted || loop_.backend(destination_.service) != backend_) {
    return refuse({404, "no-such-service", "The service has been deleted", "", {}, {}});
  }
  const Duration now = steady_now();
  if (const auto endpoint = backend_->take(now)) return connect(*endpoint);
  if (now - waited_since_ >= backend_->route().requests.queue_timeout || loop_.stopping) {
    backend_->refused();
    backend_->ended(503, now - began_, now);
    return refuse(no_replica(backend_->route(), "none became ready in time"));
  }
  if (!backend_->wait(weak_from_this(), now)) {
    backend_->refused();
    backend_->ended(503, now - began_, now);
    return refuse(
        no_replica(backend_->route(), fmt::format("{} requests wait already", backend_->queued())));
  }
  phase_ = Phase::Waiting;
  arm(backend_->route().requests.queue_timeout - (now - waited_since_));
  loop_.wake_reporter();
  on_client_bytes();
}

void Session::wake() {
  phase_ = Phase::Connecting;
  const Duration now = steady_now();
  backend_->leave(now - waited_since_, now);
  acquire();
}

void Session::connect(const Endpoint& endpoint) {
  phase_ = Phase::Connecting;
  endpoint_ = endpoint;
  ++try_;
  ++tries_;
  writing_upstream_ = false;
  reading_upstream_ = false;
  upstream_deaf_ = false;
  answer_whole_ = false;
  answer_.restart(request_.head().method == "HEAD");
  upstream_ = loop_.reuse(endpoint.key);
  if (upstream_) return on_connected();
  upstream_ = std::make_shared<Upstream>(loop_.context);
  const auto address = loop_.address(endpoint);
  if (!address) return try_again(true, "its node is not connected");
  arm(loop_.limits.connect_max);
  upstream_->socket.async_connect(
      *address, [self = shared_from_this(), held = upstream_, number = try_](error_code error) {
        if (self->try_ != number || self->phase_ != Phase::Connecting) return;
        if (error) return self->try_again(true, error.message());
        self->on_connected();
      });
  on_client_bytes();
}

void Session::on_connected() {
  error_code ignored;
  if (!upstream_->reused) {
    upstream_->socket.set_option(tcp::no_delay(true), ignored);
    watch_peer(upstream_->socket);
  }
  phase_ = Phase::Relaying;
  arm(silence_max());
  if (request_.head().lists("expect", "100-continue") && !request_sent_ &&
      !std::exchange(continued_, true) && !say_continue()) {
    return close();
  }
  write_upstream(head_ + replay_);
  read_upstream();
}

void Session::look_at_peer() {
  const bool under_way = phase_ == Phase::Relaying || phase_ == Phase::Tunnel;
  if (!under_way || !upstream_ || !is_cut(upstream_->socket)) return;
  if (phase_ == Phase::Tunnel) return close();
  try_again(false, "its machine does not answer");
}

/// Asks for the body. Waits for nobody: a client without room for this has not read what came
/// before.
bool Session::say_continue() {
  static constexpr std::string_view kText = "HTTP/1.1 100 Continue\r\n\r\n";
  return client_->write_now(kText);
}

/// The replica is done with, for this request.
void Session::release(Outcome outcome) {
  if (!endpoint_) return;
  const EndpointKey key = std::exchange(endpoint_, std::nullopt)->key;
  if (upstream_) {
    error_code ignored;
    upstream_->socket.close(ignored);
    upstream_.reset();
  }
  backend_->give_back(key, outcome, steady_now());
  loop_.tell_drained(*backend_);
}

/// The try came to nothing. Another follows where nothing was sent, or where doing it twice does no
/// harm; never once the client has seen something of an answer.
void Session::try_again(bool unsent, const std::string& why) {
  const bool stale = upstream_ && upstream_->reused;
  ++try_;
  release(stale ? Outcome::Unknown : Outcome::Failed);
  if (answered_) {
    backend_->ended(502, steady_now() - began_, steady_now());
    return close();
  }
  const bool harmless = unsent || is_idempotent(request_.head().method);
  const bool may =
      harmless && replayable_ && tries_ < loop_.limits.tries_max &&
      (unsent || stale || (resends_++ < loop_.limits.resends_max && backend_->may_retry()));
  if (may) {
    if (!unsent) waited_since_ = steady_now();  // it was not in line all the time
    return acquire();
  }
  const Duration now = steady_now();
  backend_->ended(502, now - began_, now);
  refuse({502,
          "replica-failed",
          "The replica did not answer",
          fmt::format("{}; the request was not sent again: {}", why,
                      harmless ? "too many were of late" : "doing it twice could do harm"),
          {},
          {}});
}

// --- the replica's side --------------------------------------------------------------------------

std::string Session::body_bytes(std::string piece, bool last) const {
  if (!request_.head().chunked) return piece;
  std::string out = chunk(piece);
  if (last) out += kLastChunk;
  return out;
}

/// Sends on what has come of the request's body; one piece is on its way at a time.
void Session::forward_body() {
  if (writing_upstream_) return;
  if (!request_.done() && !request_.feed(input_)) {
    return close();  // half of a body is nothing that could be answered
  }
  request_sent_ = request_.done();
  std::string bytes = body_bytes(request_.take_body(), request_sent_);
  if (bytes.empty()) return request_sent_ ? on_client_bytes() : read_client();
  if (replay_.size() + bytes.size() > loop_.limits.replay_bytes_max) {
    replayable_ = false;
    replay_.clear();
  } else if (replayable_) {
    replay_ += bytes;
  }
  if (upstream_deaf_) return request_sent_ ? on_client_bytes() : read_client();
  write_upstream(std::move(bytes));
}

void Session::write_upstream(std::string bytes) {
  upstream_->output = std::move(bytes);
  writing_upstream_ = true;
  asio::async_write(
      upstream_->socket, asio::buffer(upstream_->output),
      [self = shared_from_this(), held = upstream_, number = try_](error_code error, std::size_t) {
        if (self->try_ != number || self->phase_ != Phase::Relaying) return;
        self->writing_upstream_ = false;
        // It may have answered before it stopped listening: the read tells.
        if (error) self->upstream_deaf_ = true;
        if (!self->answered_) self->arm(self->silence_max());
        self->on_client_bytes();
      });
}

void Session::read_upstream() {
  if (reading_upstream_ || !upstream_) return;
  reading_upstream_ = true;
  upstream_->socket.async_read_some(
      asio::buffer(upstream_chunk_), [self = shared_from_this(), held = upstream_, number = try_](
                                         error_code error, std::size_t size) {
        if (self->try_ != number || self->phase_ != Phase::Relaying) return;
        self->reading_upstream_ = false;
        if (error && error != asio::error::eof) {
          return self->try_again(false, error.message());
        }
        self->upstream_->input.append(self->upstream_chunk_.data(), size);
        self->on_upstream_bytes(error == asio::error::eof);
      });
}

void Session::on_upstream_bytes(bool end) {
  if (!answer_.feed(upstream_->input)) return try_again(false, answer_.error());
  if (end && !answer_.end()) return try_again(false, "it closed the connection");
  if (!answer_.has_head()) return read_upstream();
  const int status = answer_.head().status;
  if (!answered_ && status / 100 == 1 && status != 101) {
    answer_.restart(request_.head().method == "HEAD");
    return upstream_->input.empty() ? read_upstream() : on_upstream_bytes(end);
  }
  if (!answered_) return on_answer_head();
  if (!writing_client_) forward_answer();
}

void Session::on_answer_head() {
  const Head& head = answer_.head();
  const bool switches = head.status == 101;
  if (switches && (!upgrade_ || !request_sent_ || writing_upstream_)) {
    return try_again(false, "it changed the protocol unasked");
  }
  answered_ = true;
  framing_ = framing_of(head, request_.head().method == "HEAD", request_.head().http11);
  if (framing_ == Framing::Close) keep_alive_ = false;
  std::string text =
      response_head(head, {.framing = framing_, .keep_alive = keep_alive_, .upgrade = switches});
  if (switches) {
    phase_ = Phase::Tunnel;
    tunnels_open_ = 2;
    write_client(text + std::exchange(upstream_->input, {}));
    return reading_client_ ? void() : pass_input();
  }
  answer_whole_ = answer_.done();
  const std::string body = answer_.take_body();
  text += framing_ == Framing::Chunks ? chunk(body) : body;
  if (answer_whole_ && framing_ == Framing::Chunks) text += kLastChunk;
  write_client(std::move(text));
}

/// Sends on what has come of the answer's body; one piece is on its way at a time.
void Session::forward_answer() {
  std::string body = answer_.take_body();
  answer_whole_ = answer_.done();
  std::string bytes = framing_ == Framing::Chunks ? chunk(body) : std::move(body);
  if (answer_whole_ && framing_ == Framing::Chunks) bytes += kLastChunk;
  if (!bytes.empty()) return write_client(std::move(bytes));
  if (answer_whole_) return finish();
  read_upstream();
}

void Session::finish() {
  const bool whole = request_sent_ && !writing_upstream_ && !upstream_deaf_;
  const bool reusable = whole && answer_.head().keep_alive && upstream_->input.empty();
  const Duration now = steady_now();
  const EndpointKey key = endpoint_->key;
  backend_->ended(answer_.head().status, now - began_, now);
  ++try_;
  if (reusable) loop_.keep(key, std::exchange(upstream_, nullptr));
  release(Outcome::Answered);
  if (keep_alive_ && whole && !loop_.stopping) return next_request();
  phase_ = Phase::Lingering;
  linger();
}

// --- another protocol ----------------------------------------------------------------------------

/// From here on bytes pass both ways as they are; first what the client has said already.
void Session::pass_input() {
  if (input_.empty()) return tunnel_read(true);
  upstream_->output = std::exchange(input_, {});
  asio::async_write(upstream_->socket, asio::buffer(upstream_->output),
                    [self = shared_from_this(), held = upstream_](error_code error, std::size_t) {
                      if (self->phase_ != Phase::Tunnel) return;
                      error ? self->close() : self->tunnel_read(true);
                    });
}

void Session::tunnel_read(bool from_client) {
  arm(silence_max());
  const auto self = shared_from_this();
  if (from_client) {
    return client_->read([self, held = upstream_](error_code error, std::string_view bytes) {
      self->tunnel_pass(true, error, bytes);
    });
  }
  upstream_->socket.async_read_some(
      asio::buffer(upstream_chunk_), [self, held = upstream_](error_code error, std::size_t size) {
        self->tunnel_pass(false, error, {self->upstream_chunk_.data(), size});
      });
}

void Session::tunnel_pass(bool from_client, error_code error, std::string_view bytes) {
  if (phase_ != Phase::Tunnel) return;
  if (error == asio::error::eof && --tunnels_open_ > 0) {
    error_code ignored;
    return from_client
               ? static_cast<void>(upstream_->socket.shutdown(tcp::socket::shutdown_send, ignored))
               : client_->shut();
  }
  if (error) return close();
  const auto self = shared_from_this();
  if (!from_client) {
    tunnel_to_client_.assign(bytes);
    return client_->write(tunnel_to_client_, [self, held = upstream_](error_code failed) {
      self->tunnel_written(false, failed);
    });
  }
  upstream_->output.assign(bytes);
  asio::async_write(upstream_->socket, asio::buffer(upstream_->output),
                    [self, held = upstream_](error_code failed, std::size_t) {
                      self->tunnel_written(true, failed);
                    });
}

void Session::tunnel_written(bool from_client, error_code error) {
  if (phase_ != Phase::Tunnel) return;
  error ? close() : tunnel_read(from_client);
}

// --- deadlines -----------------------------------------------------------------------------------

Duration Session::silence_max() const { return backend_->route().requests.silence_max; }

void Session::arm(Duration wait) {
  timer_.expires_after(std::chrono::nanoseconds(std::max<std::int64_t>(0, wait.ns)));
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->timer_.expiry() > asio::steady_timer::clock_type::now()) return;
    self->on_deadline();
  });
}

/// Nothing came for too long, of the answer or of the request: which one says whose fault it is.
void Session::on_silence() {
  if (answered_) return close();
  const bool client_late = !request_sent_ && !writing_upstream_ && !upstream_deaf_;
  const Duration now = steady_now();
  backend_->ended(client_late ? 408 : 504, now - began_, now);
  ++try_;
  release(client_late ? Outcome::Unknown : Outcome::Failed);
  if (client_late) {
    return refuse({408,
                   "request-timeout",
                   "The request did not arrive in time",
                   "requests.silence_max of the service says how long its body may pause",
                   {},
                   {}});
  }
  refuse({504,
          "replica-silent",
          "The replica did not answer in time",
          "requests.silence_max of the service says how long it may take",
          {},
          {}});
}

void Session::on_deadline() {
  switch (phase_) {
    case Phase::Head:
      if (!request_.started()) return close();
      return refuse({408, "request-timeout", "The request did not arrive in time", "", {}, {}});
    case Phase::Waiting:
      return wake();
    case Phase::Connecting:
      return try_again(true, "it took no connection in time");
    case Phase::Relaying:
      return on_silence();
    case Phase::Tunnel:
    case Phase::Lingering:
      return close();
    case Phase::Closed:
      return;
  }
}

}  // namespace gyre::server::proxy
