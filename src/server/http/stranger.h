#pragma once

#include <sys/types.h>

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <optional>

#include "base/result.h"
#include "server/http/problem.h"

namespace gyre::server::http {

/// Who owns the other end of an established connection. Errors: as owner_of_client().
Result<uid_t> owner_of(const boost::asio::ip::tcp::socket& socket);

/// Why the client of a loopback connection may do nothing here: it is of another user, not of root
/// (docs/adr/0004-local-access.md). nullopt: it may.
std::optional<Problem> refuse_stranger(const boost::asio::ip::tcp::socket& socket);

/// Connections of other users, who are only told that.
inline constexpr std::size_t kStrangersMax = 64;

/// Says at once why who gets no connection gets none: `stranger`, or that there are too many. Never
/// waits for the client.
void turn_away(boost::asio::ip::tcp::socket& socket, const std::optional<Problem>& stranger);

}  // namespace gyre::server::http
