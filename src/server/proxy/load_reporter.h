#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "server/proxy/loop.h"

namespace gyre::server::proxy {

/// Tells the core the load of services that follow it: at once where a request has begun to wait,
/// else once in a second at most, and only what is another load than the core knows. Lives on the
/// proxy's loop.
class LoadReporter {
 public:
  explicit LoadReporter(Loop& loop) : loop_(loop) {}
  void look();

 private:
  struct Told {
    Duration at;
    bool waiting = false;     // then somebody waited
    std::int64_t ready = -1;  // replicas whose GPUs were told of; -1: none were yet
  };

  Loop& loop_;
  std::map<std::string, Told> told_;
};

}  // namespace gyre::server::proxy
