#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "server/http/message.h"
#include "server/http/problem.h"

namespace gyre::server::http {

struct ParserLimits {
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 1024 * 1024;
};

/// Turns bytes into requests (RFC 9112), one after the other. Knows nothing of sockets, so that it
/// can be tested and fuzzed alone. After Bad the connection's framing is lost: answer and close.
class RequestParser {
 public:
  enum class Status : std::uint8_t {
    NeedMore,
    NeedContinue,  // like NeedMore, and the client waits for "100 Continue"; told once a request
    Ready,         // take() the request
    Bad,           // see problem()
  };

  explicit RequestParser(const ParserLimits& limits);
  ~RequestParser();

  /// Consumes from the front of `input` what belongs to the current request.
  Status feed(std::string& input);

  /// The request; the parser then expects the next. Requires: feed() said Ready.
  Request take();

  const Problem& problem() const { return problem_; }

  /// True once a byte of the current request has been consumed.
  bool started() const;

 private:
  struct Impl;

  Status bad(Problem problem);
  Status finish();

  ParserLimits limits_;
  std::unique_ptr<Impl> impl_;
  Problem problem_;
  bool continue_sent_ = false;
};

}  // namespace gyre::server::http
