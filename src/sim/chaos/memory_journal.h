#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/controller.h"
#include "control/journal.h"

namespace gyre::sim {

/// A journal that outlives the server which writes it, and the moments at which that one dies.
class MemoryJournal final : public control::Journal {
 public:
  /// What the next commit comes to.
  enum class Crash : std::uint8_t {
    None,
    Before,  // nothing of it is kept
    After,   // it is durable, but nobody hears of it
  };
  void crash_at_commit(Crash crash) { crash_ = crash; }
  Crash crash() const { return crash_; }
  /// While it is full nothing is kept, and nothing is lost.
  void set_full(bool full) { full_ = full; }

  void append(const Event& event) override { open_.emplace_back(event); }
  void append(const Command& command) override { open_.emplace_back(command); }
  Result<void> commit() override;
  Result<void> save(const ControllerState& state) override;

  /// The last one that is durable.
  EventSeq last_event() const { return last_; }

  struct Recovery {
    control::Controller core;
    std::string difference;  // from what was recorded; empty if there is none
  };
  /// A core that went through all that is recorded. `records_left_out` at the end.
  Result<Recovery> recover(const control::Config& config, std::size_t records_left_out) const;

 private:
  std::optional<ControllerState> snapshot_;
  std::vector<control::Record> records_;  // since the snapshot
  std::vector<control::Record> open_;     // since the last commit
  EventSeq last_;
  Crash crash_ = Crash::None;
  bool full_ = false;
};

}  // namespace gyre::sim
