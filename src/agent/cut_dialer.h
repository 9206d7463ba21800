#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "agent/link.h"
#include "base/rng.h"
#include "domain/chaos.h"

namespace gyre::agent {

/// A dialer whose connection can be cut on purpose: what is said over it is lost in silence, as on
/// a broken network, until the cut is over; then it breaks, since a connection that has lost words
/// is of no use. It can also be slow: words come late, and with one that is lost go all that
/// follow, until some seconds later the connection breaks. Thread-safe, but for dial().
class CutDialer final : public Dialer {
 public:
  /// `dialer` outlives it.
  explicit CutDialer(Dialer& dialer) : dialer_(dialer) {}
  std::unique_ptr<Link> dial(const act::Hello& hello, LinkListener& listener) override;

  void cut(ChaosFault::Way way);
  void join();
  /// Requires: its shares are drawn.
  void slow_down(const ChaosNetwork& network, std::uint64_t seed);
  void speed_up();

 private:
  class Line;
  /// What becomes of one word.
  struct Fate {
    Duration delay{0};
    bool lost = false;
    Duration found_after{0};  // then the connection breaks, if it is lost
  };
  bool loses(ChaosFault::Way direction) const;
  Fate fate();

  Dialer& dialer_;
  mutable std::mutex mutex_;
  std::optional<ChaosFault::Way> cut_;
  std::optional<ChaosNetwork> slow_;
  Rng chance_{0};
  Line* line_ = nullptr;  // the present one
};

}  // namespace gyre::agent
