#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/proxy/message_reader.h"

namespace gyre::server::proxy {

/// Where a request is to go: /services/NAME/REST?QUERY.
struct Destination {
  std::string service;
  std::string target;  // "/REST?QUERY", as it was written
};
/// nullopt: the target is of another form.
std::optional<Destination> destination_of(std::string_view target);

struct RequestContext {
  std::string_view target;  // at the replica
  std::string_view service;
  std::string_view client;  // its address
  bool upgrade = false;     // to another protocol, as the client asks
  bool secure = false;      // it came by TLS
};

/// The head of a request as the replica gets it: hop-by-hop fields taken out (RFC 9110, section
/// 7.6.1), `Via` and `X-Forwarded-*` added, `Expect` answered here. The body follows with its
/// length, or in chunks.
std::string request_head(const Head& head, const RequestContext& context);

/// How the client learns where a body ends.
enum class Framing : std::uint8_t { None, Length, Chunks, Close };
/// `bodiless`: the answer to a HEAD.
Framing framing_of(const Head& response, bool bodiless, bool client_http11);

struct ResponseContext {
  Framing framing = Framing::None;
  bool keep_alive = true;
  bool upgrade = false;
};
std::string response_head(const Head& head, const ResponseContext& context);

/// One piece of a body in chunks; empty for an empty one.
std::string chunk(std::string_view piece);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

/// It changes nothing (RFC 9110, section 9.2.1).
bool is_safe(std::string_view method);
/// Doing it twice does what doing it once does (RFC 9110, section 9.2.2).
bool is_idempotent(std::string_view method);

}  // namespace gyre::server::proxy
