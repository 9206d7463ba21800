#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "domain/service.h"
#include "server/proxy/loop.h"
#include "server/proxy/routes.h"

namespace gyre::server::proxy {

/// What a row of good and bad answers comes to.
class ProbeCount {
 public:
  ProbeCount(std::int32_t failures, std::int32_t successes)
      : failure_threshold_(failures), success_threshold_(successes) {}

  /// One answer. Returns what the probe says from now on; nullopt: nothing yet.
  std::optional<bool> add(bool good) {
    row_ = good == last_ ? row_ + 1 : 1;
    last_ = good;
    if (row_ >= (good ? success_threshold_ : failure_threshold_)) says_ = good;
    return says_;
  }
  std::optional<bool> says() const { return says_; }
  /// Nothing is known of how it is: the row is broken, and what was said holds.
  void forget() { row_ = 0; }

 private:
  std::int32_t failure_threshold_;
  std::int32_t success_threshold_;
  std::int32_t row_ = 0;
  bool last_ = false;
  std::optional<bool> says_;
};

/// Asks the replicas how they are, each probe once in its period and with one question open at a
/// time, and tells the core what has become another. Lives on the proxy's loop.
class Prober {
 public:
  explicit Prober(Loop& loop) : loop_(loop) {}
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  void update(const Routes& routes);

  class Replica;

 private:
  void show(const Probes& probes, const Endpoint& endpoint);

  Loop& loop_;
  std::map<EndpointKey, std::shared_ptr<Replica>> replicas_;
};

}  // namespace gyre::server::proxy
