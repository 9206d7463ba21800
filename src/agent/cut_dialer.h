#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "agent/link.h"
#include "domain/chaos.h"

namespace gyre::agent {

/// A dialer whose connection can be cut on purpose: what is said over it is lost in silence, as on
/// a broken network, until the cut is over; then it breaks, since a connection that has lost words
/// is of no use. Thread-safe, but for dial().
class CutDialer final : public Dialer {
 public:
  /// `dialer` outlives it.
  explicit CutDialer(Dialer& dialer) : dialer_(dialer) {}
  std::unique_ptr<Link> dial(const act::Hello& hello, LinkListener& listener) override;

  void cut(ChaosFault::Way way);
  void join();

 private:
  class Line;
  bool loses(ChaosFault::Way direction) const;

  Dialer& dialer_;
  mutable std::mutex mutex_;
  std::optional<ChaosFault::Way> cut_;
  Line* line_ = nullptr;  // the present one
};

}  // namespace gyre::agent
