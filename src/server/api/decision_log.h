#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/driver.h"
#include "server/api/event_feed.h"

namespace gyre::server {

/// What Gyre does to a job without being asked.
enum class DecisionKind : std::uint8_t {
  Start,     // its turn came
  Backfill,  // it overtook others
  Preempt,   // it is stopped for a job before it
  Requeue,   // it goes back into the line after a failure
  Stop,      // a limit or a failure ends it
  GiveUp,    // it ends without being tried (again)
  Warn,      // it does not use its GPUs, and may be stopped for it
  Replace,   // a task of it that was lost is started anew, and the others run on
};
inline constexpr int kDecisionKindCount = 8;
std::string_view to_string(DecisionKind kind);  // "start", ..., "replace"

struct Decision {
  FeedPosition position;
  Time at;
  DecisionKind kind = DecisionKind::Start;
  JobId job;
  std::string name;
  std::string queue;
  std::int32_t priority = 0;
  std::int32_t attempt = 0;
  std::int64_t gpu_milli = 0;      // of the whole gang
  std::vector<std::string> nodes;  // each once, at most kDecisionNodesMax
  std::string why;
  std::string compared;  // may be empty
  JobId beneficiary;     // 0: none
  std::optional<Transition> outcome;
};
inline constexpr std::size_t kDecisionNodesMax = 64;

/// The latest decisions, each with its reasons as they were when it was made, and with what became
/// of it: the job's latest change before the next decision about it. Lives on the driver's thread:
/// read it inside a query of the inbox, when all it holds is durable.
class DecisionLog final : public control::Observer {
 public:
  /// Takes up with `core` as it is.
  DecisionLog(std::size_t decisions_max, const control::Controller& core)
      : decisions_max_(decisions_max) {
    begin_anew(core);
  }

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  /// Forgets all, for a world that begins anew.
  void begin_anew(const control::Controller& core);

  struct Query {
    unsigned kinds = (1U << kDecisionKindCount) - 1;  // bits by DecisionKind
    std::optional<JobId> job = std::nullopt;
    std::optional<FeedPosition> before = std::nullopt;  // only earlier ones
    std::size_t count_max = 100;
  };
  struct Page {
    std::vector<Decision> decisions;  // newest first
    bool more = false;
  };
  /// O(decisions looked at), at most decisions_max.
  Page read(const Query& query) const;

  /// How many of each kind since `since`, by DecisionKind. O(decisions since).
  std::array<std::int64_t, kDecisionKindCount> count_since(Time since) const;

 private:
  class Story;
  /// What was done for a job that waits: it is told when it starts.
  struct Favours {
    std::int64_t stopped = 0;   // jobs that made room for it
    std::int64_t overtook = 0;  // jobs that passed it while room was kept for it
  };

  void add(Decision decision);
  void count_waiting(const Transition& transition);
  void note_outcome(const Transition& transition);

  const std::size_t decisions_max_;
  std::deque<Decision> decisions_;
  std::uint64_t dropped_ = 0;              // so decisions_[i] is the (dropped_ + i)-th
  std::map<JobId, std::uint64_t> latest_;  // the number of each job's latest decision
  std::map<JobId, Favours> favours_;
  std::int64_t waiting_ = 0;  // jobs in line, of all queues
};

}  // namespace gyre::server
