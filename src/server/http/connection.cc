#include "server/http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <utility>

#include "server/http/guard.h"
#include "server/http/stranger.h"
#include "server/http/web_socket.h"

namespace gyre::server::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

constexpr Duration kLingerMax = seconds(2);
constexpr std::size_t kIgnoredBytesMax = 64 * 1024;  // of what a client says during a stream

}  // namespace

Client::Client(Loop& loop, Shared& shared, std::atomic<std::size_t>& counted)
    : loop_(loop), shared_(shared), counted_(counted) {
  loop_.clients.insert(this);
  ++counted_;
}

Client::~Client() {
  loop_.clients.erase(this);
  --counted_;
  if (loop_.stopping && loop_.clients.empty()) loop_.context.stop();
}

Connection::Connection(asio::ip::tcp::socket socket, Loop& loop, Shared& shared,
                       std::optional<Problem> stranger)
    : Client(loop, shared, stranger ? shared.strangers : shared.connections),
      socket_(std::move(socket)),
      timer_(loop.context),
      parser_(shared.limits.parser),
      stranger_(std::move(stranger)),
      wait_(++loop.waits) {}

void Connection::start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(asio::socket_base::keep_alive(true), ignored);
  arm(shared_.limits.idle_max);
  read_some();
}

void Connection::finish() {
  keep_alive_ = false;
  if (phase_ == Phase::Reading && !parser_.started()) close();
  if (phase_ == Phase::Streaming) pump();
}

void Connection::close() {
  if (phase_ == Phase::Closed) return;
  phase_ = Phase::Closed;
  error_code ignored;
  timer_.cancel(ignored);
  socket_.close(ignored);
  stream_.reset();
}

std::optional<std::uint64_t> Connection::waits() const {
  const bool waits = phase_ == Phase::Reading || phase_ == Phase::Lingering;
  return waits && !stranger_ ? std::optional(wait_) : std::nullopt;
}

void Connection::read_some() {
  if (reading_) return;
  reading_ = true;
  socket_.async_read_some(asio::buffer(chunk_),
                          [self = shared_from_this()](error_code error, std::size_t size) {
                            self->reading_ = false;
                            if (error) return self->close();
                            self->on_read(size);
                          });
}

void Connection::on_read(std::size_t size) {
  if (phase_ == Phase::Closed) return;
  if (phase_ == Phase::Lingering) return read_some();
  input_.append(chunk_.data(), size);
  if (phase_ == Phase::Reading) return advance();
  // During a stream the read is pending only to notice that the client has gone.
  if (input_.size() > kIgnoredBytesMax) return close();
  read_some();
}

void Connection::advance() {
  switch (parser_.feed(input_)) {
    case RequestParser::Status::Ready:
      timed_ = false;
      return handle(parser_.take());
    case RequestParser::Status::Bad:
      return refuse(parser_.problem());
    case RequestParser::Status::NeedContinue:
      return send_continue();
    case RequestParser::Status::NeedMore:
      break;
  }
  if (parser_.started() && !timed_) {
    timed_ = true;
    arm(shared_.limits.request_max);
  }
  read_some();
}

void Connection::send_continue() {
  output_ = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(output_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (error) return self->close();
                      self->read_some();
                    });
}

void Connection::handle(Request request) {
  ++number_;
  phase_ = Phase::Answering;
  keep_alive_ = request.keep_alive && !loop_.stopping;
  chunked_ = request.chunks_allowed;
  head_only_ = request.method == "HEAD";
  if (head_only_) request.method = "GET";
  if (stranger_) return refuse(*stranger_);
  if (const auto problem = check_origin(request)) {
    return respond(http::respond(*problem));
  }
  arm(shared_.limits.answer_max);
  if (!head_only_ && is_web_socket_request(request)) upgrade_ = request;
  shared_.handler(std::move(request), make_reply());
}

void Connection::refuse(const Problem& problem) {
  keep_alive_ = false;
  phase_ = Phase::Answering;
  respond(http::respond(problem));
}

Reply Connection::make_reply() {
  // A foreign thread never holds the connection, so that it dies on its own one.
  return [executor = loop_.context.get_executor(), weak = weak_from_this(),
          number = number_](Answer answer) {
    asio::dispatch(executor, [weak, number, answer = std::move(answer)] {
      const auto alive = weak.lock();
      if (alive && alive->number_ == number && alive->phase_ == Phase::Answering) {
        alive->respond(answer());
      }
    });
  };
}

void Connection::respond(Response response) {
  if (response.channel) return become_web_socket(std::move(response));
  upgrade_.reset();
  if (response.stream && !head_only_) {
    keep_alive_ = false;
  } else {
    chunked_ = false;
  }
  if (response.stream_bytes) chunked_ = false;
  heartbeat_ = !response.stream_bytes;
  output_ = response_head(response, keep_alive_, chunked_);
  if (head_only_) response.stream.reset();
  if (!head_only_ && !response.stream) output_ += response.body;
  stream_ = std::move(response.stream);
  phase_ = Phase::Writing;
  if (stream_) open_stream();
  write();
}

/// What the client says before it has been let in would be lost: it must wait (RFC 6455, 4.1).
void Connection::become_web_socket(Response response) {
  if (!upgrade_ || !input_.empty()) return close();
  phase_ = Phase::Closed;
  error_code ignored;
  timer_.cancel(ignored);
  std::make_shared<WebSocket>(std::move(socket_), loop_, shared_, std::move(response))
      ->start(*upgrade_);
}

void Connection::open_stream() {
  phase_ = Phase::Streaming;
  stream_state_ = Stream::State::More;
  last_piece_ = asio::steady_timer::clock_type::now();
  const auto posted = std::make_shared<std::atomic<bool>>(false);
  stream_->open([executor = loop_.context.get_executor(), weak = weak_from_this(), posted] {
    if (posted->exchange(true)) return;  // many events in a row make one wake-up
    asio::post(executor, [weak, posted] {
      *posted = false;
      if (const auto alive = weak.lock()) alive->wake();
    });
  });
  read_some();
}

void Connection::write() {
  arm(shared_.limits.write_max);
  asio::async_write(socket_, asio::buffer(output_),
                    [self = shared_from_this()](error_code error, std::size_t) {
                      if (error) return self->close();
                      self->on_written();
                    });
}

void Connection::on_written() {
  output_.clear();
  if (phase_ == Phase::Closed) return;
  if (phase_ == Phase::Streaming) return pump();
  if (!keep_alive_ || loop_.stopping) return linger();
  phase_ = Phase::Reading;
  wait_ = ++loop_.waits;
  arm(shared_.limits.idle_max);
  advance();
}

void Connection::pump() {
  if (!output_.empty()) return;  // a write is under way and comes back here
  if (stream_state_ == Stream::State::End) return linger();
  std::string piece;
  if (loop_.stopping) {
    stream_state_ = Stream::State::End;
  } else if (stream_state_ == Stream::State::More || woken_) {
    woken_ = false;
    stream_state_ = stream_->read(piece);
  }
  if (!piece.empty())
    output_ = chunked_ ? fmt::format("{:x}\r\n{}\r\n", piece.size(), piece) : piece;
  if (stream_state_ == Stream::State::End && chunked_) output_ += "0\r\n\r\n";
  if (!output_.empty()) {
    last_piece_ = asio::steady_timer::clock_type::now();
    return write();
  }
  if (stream_state_ == Stream::State::End) return linger();
  if (stream_state_ == Stream::State::More || woken_) {
    return asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->phase_ == Phase::Streaming) self->pump();
    });
  }
  arm(stream_state_ == Stream::State::Poll ? shared_.limits.poll_interval
                                           : shared_.limits.heartbeat);
}

void Connection::wake() {
  woken_ = true;
  if (phase_ == Phase::Streaming) pump();
}

/// Closing at once would reset the connection where the client still sends, and the answer could be
/// lost on its way.
void Connection::linger() {
  phase_ = Phase::Lingering;
  stream_.reset();
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  arm(kLingerMax);
  read_some();
}

void Connection::arm(Duration wait) {
  timer_.expires_after(std::chrono::nanoseconds(wait.ns));
  // This wait keeps the connection alive while only a reply or a wake-up is to come.
  timer_.async_wait([self = shared_from_this()](error_code error) {
    if (error || self->timer_.expiry() > asio::steady_timer::clock_type::now()) return;
    self->on_deadline();
  });
}

void Connection::look_again() {
  const auto silent = asio::steady_timer::clock_type::now() - last_piece_;
  if (silent >= std::chrono::nanoseconds(shared_.limits.heartbeat.ns)) {
    if (!heartbeat_) return close();  // whoever has the rest does not answer
    last_piece_ += silent;
    output_ = chunked_ ? "2\r\n:\n\r\n" : ":\n";
    return write();
  }
  woken_ = true;
  pump();
}

void Connection::on_deadline() {
  switch (phase_) {
    case Phase::Answering:
      keep_alive_ = false;
      return respond(http::respond({504,
                                    "no-answer",
                                    "The core did not answer in time",
                                    "try again; if it lasts, see the server's own output",
                                    {},
                                    {{"Retry-After", "5"}}}));
    case Phase::Reading:
      if (!parser_.started()) return close();
      return refuse({408,
                     "request-timeout",
                     "The request did not arrive in time",
                     fmt::format("a request must be whole within {} s of its first byte",
                                 shared_.limits.request_max.ns / seconds(1).ns),
                     {},
                     {}});
    case Phase::Streaming:
      if (!output_.empty()) return close();  // a reader too slow for one piece
      return look_again();
    case Phase::Writing:
    case Phase::Lingering:
      return close();
    case Phase::Closed:
      return;
  }
}

}  // namespace gyre::server::http
