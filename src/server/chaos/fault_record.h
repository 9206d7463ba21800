#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "act/executor.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/chaos.h"
#include "server/api/json_text.h"

namespace gyre::server {

/// One fault that was asked for in a running fleet, and what has become of it.
struct FaultRecord {
  enum class State : std::uint8_t {
    Lasts,
    Ended,      // by itself, or mended; the fleet is not seen to have recovered yet
    Recovered,  // what it hit runs again, its node takes tasks
    Lost,       // what it hit will not run again
    Refused,    // by the node's agent, or the connection to it: it may not have happened
  };
  std::uint64_t id = 0;  // from 1
  ChaosFault::Kind kind = ChaosFault::Kind::KillTask;
  ChaosFault::Way way = ChaosFault::Way::Both;
  std::string node;  // empty: it is the server's
  std::optional<act::TaskKey> task;
  Duration lasts;
  Duration jump;   // of StepClock
  Duration delay;  // of SlowDisk: of each commit
  Time at;
  State state = State::Lasts;
  std::optional<Time> ended_at;
  std::optional<Time> recovered_at;
  std::string by;      // who asked, in its own words
  std::string detail;  // of a refusal or a loss

  // Of this life of the server alone.
  std::int32_t device = 0;          // of BreakGpu
  std::vector<act::TaskKey> tasks;  // those that have it
  ChaosNetwork network;             // of SlowNetwork

  bool of_server() const { return node.empty(); }
  bool settled() const { return state != State::Lasts && state != State::Ended; }
  std::string_view name() const { return chaos_fault_names()[static_cast<std::size_t>(kind)]; }
  bool operator==(const FaultRecord&) const = default;
};

/// By value of FaultRecord::State.
inline constexpr std::array<std::string_view, 5> kFaultStates{"lasts", "ended", "recovered", "lost",
                                                              "refused"};

void write_fault(JsonText& out, const FaultRecord& fault);

}  // namespace gyre::server
