#pragma once

#include <string>

#include "base/result.h"
#include "server/chaos/fault_record.h"

namespace gyre::server {

/// Breaks the server that it is part of. Each fault ends by itself after its time, whatever has
/// become of the server. Thread-safe.
class ServerBreaker {
 public:
  virtual ~ServerBreaker() = default;

  /// Why this server cannot have it, and how to mend that; empty: it can.
  virtual std::string obstacle(ChaosFault::Kind kind) const = 0;
  /// What ends the server or stops it does so a moment later. Errors: the system's.
  virtual Result<void> begin(const FaultRecord& fault) = 0;
  /// Its time is over, or it is to end before that.
  virtual void mend(ChaosFault::Kind kind) = 0;
};

}  // namespace gyre::server
