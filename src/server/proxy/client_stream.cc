#include "server/proxy/client_stream.h"

#include <boost/asio/post.hpp>

namespace gyre::server::proxy {

namespace asio = boost::asio;

/// Writes what is sealed, a piece after the other.
void ClientStream::flush() {
  if (writing_ || !tls_) return;
  sealed_ = tls_->take_outgoing();
  if (!sealed_.empty() && !broken_) {
    writing_ = true;
    asio::async_write(socket_, asio::buffer(sealed_),
                      [self = shared_from_this()](Error error, std::size_t) {
                        self->writing_ = false;
                        if (error) self->broken_ = error;
                        self->flush();
                      });
    return;
  }
  if (shut_) {
    Error ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }
  if (!written_) return;
  // The next write may begin within.
  asio::post(socket_.get_executor(),
             [self = shared_from_this(), done = std::exchange(written_, nullptr)] {
               done(self->broken_);
             });
}

bool ClientStream::write_now(std::string_view bytes) {
  if (tls_) {
    const bool sealed = tls_->seal(bytes);
    flush();
    return sealed;
  }
  Error error;
  return socket_.write_some(asio::buffer(bytes.data(), bytes.size()), error) == bytes.size() &&
         !error;
}

void ClientStream::shut() {
  if (!tls_) {
    Error ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    return;
  }
  tls_->end();
  shut_ = true;
  flush();
}

void ClientStream::close() {
  Error ignored;
  socket_.close(ignored);
  written_ = nullptr;
}

}  // namespace gyre::server::proxy
