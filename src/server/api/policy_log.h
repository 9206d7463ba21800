#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "control/driver.h"

namespace gyre::server {

/// Which policies decided, and since when: the one that this server began with, and those that
/// followed. Lives on the driver's thread: read it inside a query of the inbox.
class PolicyLog final : public control::Observer {
 public:
  static constexpr std::size_t kKept = 100;

  struct Entry {
    PolicySpec policy;
    std::optional<Time> since;   // none: before this server began
    std::optional<EventSeq> by;  // the journal's event that set it
  };

  /// Takes up with `core` as it is.
  explicit PolicyLog(const control::Controller& core);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  /// Oldest first; the last one is in force. Empty before the first event of a journal.
  const std::deque<Entry>& entries() const { return entries_; }

 private:
  std::deque<Entry> entries_;
};

}  // namespace gyre::server
