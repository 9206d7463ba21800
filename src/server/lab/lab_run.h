#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gyre::server {

/// How far a run has come.
struct LabProgress {
  std::string doing;  // for a person
  double part = 0;    // 0..1 of all of it
};

/// One run of the policy lab: what was asked, and what came of it.
struct LabRun {
  enum class State : std::uint8_t { Queued, Running, Succeeded, Failed };
  struct Policy {
    std::string name;
    std::string description;
    std::string text;  // the policy file that was given; empty: a policy with a name
  };

  struct Trace {
    std::string name;
    std::string nodes;  // the shape; empty: a node list was given
  };

  std::uint64_t id = 0;
  State state = State::Queued;
  Time asked_at;
  std::optional<Time> started_at;
  std::optional<Time> ended_at;
  std::optional<Time> since;   // the window's beginning; none: everything
  std::optional<Time> until;   // its end; none: when it was played
  std::optional<Trace> trace;  // none: the past
  std::vector<Policy> policies;
  LabProgress progress;  // while it runs
  std::string error;     // of one that failed
  std::string report;    // of one that succeeded: JSON
};

std::string_view to_string(LabRun::State state);

/// A run as a file that a later server reads: a line with its version and its checksum (CRC-32),
/// then JSON. Progress is left out.
std::string to_record(const LabRun& run);

/// Errors: Unsupported, a newer version wrote it; Invalid, damaged, and how.
Result<LabRun> read_record(std::string_view text);

}  // namespace gyre::server
