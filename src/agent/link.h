#pragma once

#include <cstddef>
#include <memory>

#include "act/agent_protocol.h"
#include "base/result.h"

namespace gyre::agent {

/// Is told what comes over a link, on threads of the link's. Must return quickly.
class LinkListener {
 public:
  virtual ~LinkListener() = default;
  virtual void received(act::Order order) = 0;
  /// Once: the link is of no use any more, or never was.
  virtual void broke(const Error& why) = 0;
};

/// A connection to the server. Its end closes it and waits until the listener is not called any
/// more.
class Link : public act::ReportSink {
 public:
  /// Reports that were said and have not gone out. Any thread, while the link lives.
  virtual std::size_t waiting() const { return 0; }
};

/// Makes connections. First implementation: adapter/grpc.
class Dialer {
 public:
  virtual ~Dialer() = default;
  /// Says hello; never fails at once. `listener` outlives the link.
  virtual std::unique_ptr<Link> dial(const act::Hello& hello, LinkListener& listener) = 0;
};

}  // namespace gyre::agent
