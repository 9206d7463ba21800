#pragma once

#include <memory>
#include <string>

#include "adapter/grpc/server.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace gyre::adapter::rpc {

inline constexpr int kKeepaliveMs = 10'000;
inline constexpr int kMessageBytesMax = 4 << 20;

/// A connection of its own to a server: a broken one is never shared with the next.
std::shared_ptr<::grpc::Channel> open_channel(const std::string& server, const Identity& identity,
                                              int keepalive_ms = kKeepaliveMs);

}  // namespace gyre::adapter::rpc
