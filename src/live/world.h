#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "act/executor.h"
#include "act/gang_start.h"
#include "control/controller.h"
#include "control/world.h"
#include "live/clock.h"
#include "live/inbox.h"

namespace gyre::live {

struct WorldOptions {
  std::size_t jobs_max = 1'010'000;  // in the core, ended ones that are kept included
  act::GangPlace place;
  ClockSource clock = system_clock_source();
  std::function<void(const std::string&)> notice;  // one line for a person; may be empty
};

/// The world of real time and real processes. Driven by one thread; others use the inbox.
///
/// Time is the machine's; when that is set back the world's goes on at half speed until they meet,
/// so it never stands still (see Clock).
class World final : public control::World {
 public:
  /// Requires: `core` is the controller that will be driven with this world, restored where there
  /// was one; the others outlive the world. Has the executor tell the inbox.
  World(const control::Controller& core, Inbox& inbox, act::Executor& executor,
        WorldOptions options = {});

  /// Refuses whatever still waits to become durable.
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  /// Takes up where an earlier life stopped: adopts tasks that run, learns of those that ended
  /// meanwhile, starts those that never did, and ends those that the core knows nothing of.
  /// Requires: called once, before the first next().
  void recover();

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override { return admit_next(); }
  void committed(EventSeq seq) override;
  void submit(const Command& command) override;

  std::uint64_t clock_steps_back() const { return clock_.steps_back(); }

 private:
  using Durable = std::function<void(Result<EventSeq>)>;
  struct Admitted {  // becomes an event when it is stamped
    Event::Body body;
    Durable durable;
  };
  struct Waiting {
    EventSeq seq;
    Durable durable;
  };

  bool admit_next() const;
  bool admit(Inbox::Submission& submission) const;
  bool admit(Inbox::Posting& posting) const;
  bool admit(Inbox::TaskReport& report) const;
  bool admit_repeated(const Inbox::Submission& submission) const;
  Result<void> check(const Inbox::Submission& submission) const;
  void tell_when_durable(Durable durable) const;

  Event stamp(Event::Body body, Time at);
  Time now();
  bool is_durable() const { return durable_ == seq_; }
  void remember_key(const JobSubmitted& submitted);
  void fence_tasks(NodeId node);

  void carry_out(const StartGang& gang);
  void carry_out(const StopGang& gang);
  const Job* placed(JobId id, std::int32_t attempt) const;
  bool is_open(const act::TaskKey& key) const;
  void take_up(const act::FoundTask& found);
  void notice(const std::string& line) const;

  const control::Controller& core_;
  Inbox& inbox_;
  act::Executor& executor_;
  const WorldOptions options_;
  Clock clock_;
  std::uint64_t clock_steps_seen_ = 0;
  Time last_;
  EventSeq seq_;      // of the last event stamped
  EventSeq durable_;  // of the last event committed
  std::unordered_map<std::string, JobId> jobs_by_key_;

  // What has_pending() looks at it must take out of the inbox, since it may be refused.
  mutable std::optional<Admitted> admitted_;
  mutable std::deque<Waiting> waiting_;  // by seq
};

}  // namespace gyre::live
