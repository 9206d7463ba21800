#include "server/http/web_socket.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "server/http/stranger.h"

namespace gyre::server::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kHandshakeMax{10};  // and for the end

/// Whether one of the words between commas is `wanted`, whatever their case.
bool lists(std::string_view text, std::string_view wanted) {
  const auto same = [](char a, char b) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
    return lower(a) == lower(b);
  };
  while (!text.empty()) {
    std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    if (std::equal(word.begin(), word.end(), wanted.begin(), wanted.end(), same)) return true;
  }
  return false;
}

beast::http::request<beast::http::empty_body> to_beast(const Request& request) {
  beast::http::request<beast::http::empty_body> out{beast::http::verb::get, "/", 11};
  for (const auto& [name, value] : request.headers) out.insert(name, value);
  return out;
}

}  // namespace

bool is_web_socket_request(const Request& request) {
  return request.method == "GET" && lists(request.header("upgrade"), "websocket") &&
         lists(request.header("connection"), "upgrade") &&
         request.header("sec-websocket-version") == "13" &&
         !request.header("sec-websocket-key").empty();
}

bool offers_subprotocol(const Request& request, std::string_view subprotocol) {
  return lists(request.header("sec-websocket-protocol"), subprotocol);
}

struct WebSocket::Impl {
  Impl(asio::ip::tcp::socket socket, Loop& loop, Response response)
      : stream(std::move(socket)),
        timer(loop.context),
        channel(std::move(response.channel)),
        subprotocol(std::move(response.subprotocol)) {}

  websocket::stream<asio::ip::tcp::socket> stream;
  asio::steady_timer timer;
  std::unique_ptr<Channel> channel;  // null: the end has begun
  std::string subprotocol;
  beast::flat_buffer buffer{Channel::kMessageMax};
  std::string message;  // being written
  bool open = false;
  bool reading = false;
  bool writing = false;
};

WebSocket::WebSocket(asio::ip::tcp::socket socket, Loop& loop, Shared& shared, Response response)
    : Client(loop, shared, shared.connections),
      impl_(std::make_unique<Impl>(std::move(socket), loop, std::move(response))) {}

WebSocket::~WebSocket() = default;

void WebSocket::start(const Request& request) {
  websocket::stream_base::timeout patience{};
  patience.handshake_timeout = kHandshakeMax;
  patience.idle_timeout = websocket::stream_base::none();
  impl_->stream.set_option(patience);
  impl_->stream.set_option(
      websocket::stream_base::decorator([protocol = impl_->subprotocol](auto& response) {
        response.set(beast::http::field::sec_websocket_protocol, protocol);
      }));
  impl_->stream.read_message_max(Channel::kMessageMax);
  impl_->stream.auto_fragment(false);
  impl_->stream.binary(true);
  impl_->stream.async_accept(to_beast(request), [self = shared_from_this()](error_code error) {
    if (error) return self->close();
    self->open();
  });
}

void WebSocket::open() {
  impl_->open = true;
  if (loop_.stopping || !impl_->channel) return end(websocket::close_code::going_away);
  const auto posted = std::make_shared<std::atomic<bool>>(false);
  impl_->channel->open([executor = loop_.context.get_executor(), weak = weak_from_this(), posted] {
    if (posted->exchange(true)) return;  // many events in a row make one wake-up
    asio::post(executor, [weak, posted] {
      *posted = false;
      const auto alive = weak.lock();
      if (!alive) return;
      alive->pump();
      alive->listen();
    });
  });
  look_for_the_client();
  pump();
  listen();
}

void WebSocket::listen() {
  if (!impl_->open || !impl_->channel || impl_->reading || !impl_->channel->ready()) return;
  impl_->reading = true;
  impl_->stream.async_read(impl_->buffer,
                           [self = shared_from_this()](error_code error, std::size_t) {
                             self->impl_->reading = false;
                             if (error) return self->close();
                             self->on_message();
                           });
}

void WebSocket::on_message() {
  if (!impl_->channel) return;
  const auto data = impl_->buffer.cdata();
  const std::string_view message(static_cast<const char*>(data.data()), data.size());
  if (!impl_->stream.got_binary()) return end(websocket::close_code::unknown_data);
  if (!impl_->channel->receive(message)) return end(websocket::close_code::policy_error);
  impl_->buffer.consume(message.size());
  listen();
}

/// Sees two ends that no operation tells of: the client has closed its end while nothing is read,
/// which waits in line behind what is not; and it has broken the protocol, and keeps its end open.
void WebSocket::look_for_the_client() {
  impl_->timer.expires_after(std::chrono::nanoseconds(shared_.limits.poll_interval.ns));
  impl_->timer.async_wait([self = shared_from_this()](error_code aborted) {
    Impl& impl = *self->impl_;
    if (aborted || !impl.channel) return;
    const bool paused = !impl.reading;
    if (!impl.stream.is_open() || (paused && !owner_of(impl.stream.next_layer()))) {
      return self->close();
    }
    self->look_for_the_client();
  });
}

void WebSocket::pump() {
  if (!impl_->open || !impl_->channel || impl_->writing) return;
  impl_->message.clear();
  switch (impl_->channel->read(impl_->message)) {
    case Channel::State::Message:
      break;
    case Channel::State::Idle:
      return listen();  // what was just read may have made it ready
    case Channel::State::End:
      return end(websocket::close_code::normal);
  }
  impl_->writing = true;
  impl_->stream.async_write(asio::buffer(impl_->message),
                            [self = shared_from_this()](error_code error, std::size_t) {
                              self->impl_->writing = false;
                              if (error) return self->close();
                              self->pump();
                            });
  listen();
}

void WebSocket::end(unsigned code) {
  impl_->channel.reset();
  impl_->timer.cancel();
  if (impl_->writing) return close();
  impl_->stream.async_close(static_cast<websocket::close_code>(code),
                            [self = shared_from_this()](error_code) { self->close(); });
}

void WebSocket::close() {
  impl_->channel.reset();
  impl_->timer.cancel();
  error_code ignored;
  impl_->stream.next_layer().close(ignored);
}

void WebSocket::finish() {
  if (!impl_->open) return close();
  if (impl_->channel) end(websocket::close_code::going_away);
}

}  // namespace gyre::server::http
