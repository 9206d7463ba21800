#pragma once

#include <sys/types.h>

#include <boost/asio/ip/tcp.hpp>
#include <optional>

#include "base/result.h"
#include "server/http/problem.h"

namespace gyre::server::http {

/// Who owns the other end of an established connection. Errors: as owner_of_client().
Result<uid_t> owner_of(const boost::asio::ip::tcp::socket& socket);

/// Why the client of a loopback connection may do nothing here: it is of another user, not of root
/// (docs/adr/0004-local-access.md). nullopt: it may.
std::optional<Problem> refuse_stranger(const boost::asio::ip::tcp::socket& socket);

}  // namespace gyre::server::http
