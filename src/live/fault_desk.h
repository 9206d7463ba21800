#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "act/node_faults.h"
#include "base/result.h"
#include "live/inbox.h"

namespace gyre::live {

/// Where a node's agent is told what to break. Called under a lock: returns at once.
class FaultSink {
 public:
  virtual ~FaultSink() = default;
  virtual void give(const act::FaultOrder& order) = 0;
  /// The line is of no use any more. Nothing is given after it.
  virtual void end(const Error& why) = 0;
};

/// That no agent of the node takes faults, and how to mend that.
Error no_line(const std::string& node);

/// The nodes that may be broken on purpose: those whose own operators have their agents hold a line
/// here. Thread-safe.
class FaultDesk {
 public:
  /// An agent's line, whose name its certificate has told; it ends another one of that node. Until
  /// leave() its sink is used. Returns its number.
  std::uint64_t enter(const std::string& node, FaultSink& sink);
  void leave(std::uint64_t line);
  void answered(std::uint64_t line, const act::FaultBegun& begun);

  /// Why the node cannot have that fault, and how to mend that; empty: it can.
  std::string obstacle(const std::string& node, ChaosFault::Kind kind) const;

  /// `done` is called once, on any thread, when the agent has begun it. Errors: Conflict, no agent
  /// of that node takes faults; the agent's refusal; Unavailable, the line broke before its answer.
  void order(const std::string& node, const act::FaultOrder& order, Done<void> done);
  /// Nothing where the node has no line: then the fault ends by itself.
  void mend(const std::string& node, std::uint64_t fault);

  /// The number of the line of each node that has one.
  std::map<std::string, std::uint64_t> lines() const;

 private:
  struct Line {
    std::string node;
    FaultSink* sink = nullptr;
    std::map<std::uint64_t, Done<void>> waiting;  // by fault
    std::vector<act::FaultAbility> able{};        // empty: it has not said
  };
  Line* find(const std::string& node);

  mutable std::mutex mutex_;
  std::map<std::uint64_t, Line> lines_;
  std::uint64_t last_ = 0;
};

}  // namespace gyre::live
