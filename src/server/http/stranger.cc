#include "server/http/stranger.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "server/http/peer.h"

namespace gyre::server::http {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

std::optional<LoopbackPair> ends_of(const asio::ip::tcp::socket& socket) {
  error_code error;
  const auto client = socket.remote_endpoint(error);
  if (error) return std::nullopt;
  const auto server = socket.local_endpoint(error);
  if (error) return std::nullopt;
  LoopbackPair pair;
  pair.ipv6 = client.address().is_v6();
  pair.client_port = client.port();
  pair.server_port = server.port();
  const auto copy = [&](const asio::ip::address& from, unsigned char* to) {
    if (pair.ipv6) {
      std::memcpy(to, from.to_v6().to_bytes().data(), 16);
    } else {
      std::memcpy(to, from.to_v4().to_bytes().data(), 4);
    }
  };
  copy(client.address(), pair.client_address);
  copy(server.address(), pair.server_address);
  return pair;
}

}  // namespace

Result<uid_t> owner_of(const asio::ip::tcp::socket& socket) {
  const auto pair = ends_of(socket);
  if (!pair) return fail(ErrorKind::NotFound, "it is closed");
  return owner_of_client(*pair);
}

std::optional<Problem> refuse_stranger(const asio::ip::tcp::socket& socket) {
  const Result<uid_t> owner = owner_of(socket);
  const uid_t self = geteuid();
  if (owner && (*owner == self || *owner == 0)) return std::nullopt;
  std::string detail =
      owner ? fmt::format(
                  "you are user {}, this server belongs to user {} and answers to that user "
                  "and root; start your own with 'gyre up'",
                  *owner, self)
            : fmt::format("could not tell whose connection this is: {}", owner.error().message);
  return Problem{
      403, "not-your-server", "This server belongs to another user", std::move(detail), {}, {}};
}

void turn_away(asio::ip::tcp::socket& socket, const std::optional<Problem>& stranger) {
  const Response response = respond(stranger ? *stranger
                                             : Problem{503,
                                                       "too-many-connections",
                                                       "Too many connections",
                                                       "try again in a moment",
                                                       {},
                                                       {{"Retry-After", "1"}}});
  error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(asio::buffer(response_head(response, false, false) + response.body), ignored);
}

}  // namespace gyre::server::http
