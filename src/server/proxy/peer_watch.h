#pragma once

#include <boost/asio/ip/tcp.hpp>

namespace gyre::server::proxy {

/// What the kernel knows of a machine at the other end that has gone without a word: switched off,
/// or its network cut. A replica may be silent for long; its machine's kernel never is.

/// From now on a connection on which nothing is under way fails (ETIMEDOUT) once the other machine
/// has not answered for 11 s.
void watch_peer(boost::asio::ip::tcp::socket& socket);

/// What was sent has not been acknowledged in five repetitions, 6 s or more. A peer that lives and
/// takes no more for now acknowledges that.
bool is_cut(boost::asio::ip::tcp::socket& socket);

}  // namespace gyre::server::proxy
