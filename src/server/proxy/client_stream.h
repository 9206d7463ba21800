#pragma once

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/http/tls.h"

namespace gyre::server::proxy {

/// A client's connection, as it is or within TLS. On the loop's thread; kept alive by the
/// operations under way. One read and one write at a time.
class ClientStream : public std::enable_shared_from_this<ClientStream> {
 public:
  using Error = boost::system::error_code;

  /// `tls` null: as it is.
  ClientStream(boost::asio::ip::tcp::socket socket, std::unique_ptr<http::TlsSide> tls)
      : socket_(std::move(socket)), tls_(std::move(tls)) {}

  boost::asio::ip::tcp::socket& socket() { return socket_; }
  bool secure() const { return tls_ != nullptr; }
  bool handshaking() const { return tls_ && tls_->handshaking(); }

  /// Calls `done(error, bytes)` once with what has come; the bytes are there until it returns.
  template <class Done>
  void read(Done done) {
    socket_.async_read_some(
        boost::asio::buffer(chunk_),
        [self = shared_from_this(), done = std::move(done)](Error error, std::size_t size) mutable {
          const std::string_view bytes(self->chunk_.data(), size);
          if (!self->tls_ || error) return done(error, bytes);
          self->open(bytes, std::move(done));
        });
  }

  /// Calls `done(error)` once all is written. `bytes` stay as they are until then.
  template <class Done>
  void write(std::string_view bytes, Done done) {
    if (!tls_) {
      boost::asio::async_write(socket_, boost::asio::buffer(bytes.data(), bytes.size()),
                               [self = shared_from_this(), done = std::move(done)](
                                   Error error, std::size_t) mutable { done(error); });
      return;
    }
    if (!tls_->seal(bytes)) broken_ = boost::asio::error::connection_aborted;
    written_ = std::move(done);
    flush();
  }

  /// Writes what has room right now; false: not all of it had.
  bool write_now(std::string_view bytes);

  /// A client has spoken HTTP where TLS was due: it is answered in kind.
  bool spoke_plain() const { return spoke_plain_; }
  void go_plain() { tls_.reset(); }

  /// Nothing more is written.
  void shut();
  void close();

 private:
  template <class Done>
  void open(std::string_view bytes, Done done) {
    using State = http::TlsSide::State;
    std::string plain;
    const State state = tls_->feed(bytes, plain);
    spoke_plain_ = state == State::PlainHttp;
    if (!spoke_plain_) flush();
    if (!plain.empty()) return done(Error(), std::string_view(plain));
    if (state == State::Open) return read(std::move(done));
    done(state == State::Ended ? Error(boost::asio::error::eof)
                               : Error(boost::asio::error::connection_aborted),
         std::string_view());
  }
  void flush();

  boost::asio::ip::tcp::socket socket_;
  std::unique_ptr<http::TlsSide> tls_;
  std::array<char, 16'384> chunk_;
  bool spoke_plain_ = false;

  // Of TLS alone.
  std::string sealed_;  // being written
  bool writing_ = false;
  bool shut_ = false;
  Error broken_;
  std::function<void(Error)> written_;  // all that was sealed so far
};

}  // namespace gyre::server::proxy
