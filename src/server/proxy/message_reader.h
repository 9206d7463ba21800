#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace gyre::server::proxy {

/// The first lines of a message, as they came.
struct Head {
  std::string method;  // of a request
  std::string target;
  int status = 0;  // of a response
  std::string reason;
  bool http11 = true;
  bool keep_alive = true;
  http::Pairs fields;                   // names as they were written
  std::optional<std::uint64_t> length;  // of the body, where it is told
  bool chunked = false;                 // the body comes in chunks
  bool operator==(const Head&) const = default;

  /// The first field of that name, whatever its case; empty where there is none.
  std::string_view field(std::string_view name) const;
  /// Whether a field's comma-separated list, in any case, has `token` (lower case).
  bool lists(std::string_view name, std::string_view token) const;
};

/// Turns bytes into messages (RFC 9112), one after the other, and hands a body out as it comes,
/// without its chunks' framing. Knows nothing of sockets. Not thread-safe.
class MessageReader {
 public:
  enum class Side : std::uint8_t { Request, Response };
  MessageReader(Side side, std::size_t head_bytes_max);
  ~MessageReader();
  MessageReader(const MessageReader&) = delete;
  MessageReader& operator=(const MessageReader&) = delete;

  /// Consumes from the front of `input` what belongs to the message; trailers are dropped. False:
  /// the bytes are no valid message, could be read in two ways, or its head, a chunk's or its
  /// trailers are too large; error() says which. What it leaves of a message is no more than that.
  bool feed(std::string& input);
  /// The other side has closed. False where that cuts the message off.
  bool end();

  bool started() const;
  bool has_head() const;
  bool done() const;
  bool head_too_large() const { return too_large_; }
  const std::string& error() const { return error_; }

  /// Requires: has_head().
  const Head& head() const;
  /// What of the body came since the last call.
  std::string take_body();

  /// Begins with the next message. `bodiless`: the answer to a HEAD, which has none.
  void restart(bool bodiless = false);

 private:
  struct Parser;
  template <bool kRequest>
  struct ParserOf;

  const Side side_;
  const std::size_t head_bytes_max_;
  std::unique_ptr<Parser> parser_;
  std::string error_;
  bool too_large_ = false;
};

}  // namespace gyre::server::proxy
