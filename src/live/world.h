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
#include "control/controller.h"
#include "control/world.h"
#include "live/clock.h"
#include "live/fleet.h"
#include "live/inbox.h"
#include "live/storage.h"

namespace gyre::live {

struct WorldOptions {
  JobId first_job;                   // no new job gets a lower id
  std::size_t jobs_max = 1'010'000;  // in the core, ended ones that are kept included
  ClockSource clock = system_clock_source();
  std::function<void(const std::string&)> notice;  // one line for a person; may be empty
  Storage* storage = nullptr;                      // outlives the world; null: always room
  std::deque<Event::Body> opening;  // come first; nothing is asked of a core that lacks them
};

/// The world of real time and real machines. Driven by one thread; others use the inbox.
///
/// Time is the machine's; when that is set back the world's goes on at half speed until they meet,
/// so it never stands still (see Clock).
class World final : public control::World {
 public:
  /// Requires: `core` is the controller that will be driven with this world, restored where there
  /// was one; the others outlive the world. Nodes that are up have one lease to come back.
  World(const control::Controller& core, Inbox& inbox, Fleet& fleet, WorldOptions options = {});

  /// Refuses whatever still waits to become durable.
  ~World() override;
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override { return admit_next(); }
  void committed(EventSeq seq) override;
  void submit(const Command& command) override;
  /// Meanwhile whoever asks for something is told why it cannot be.
  bool await_room(const Error& why) override;

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
  bool admit(Inbox::Arrival& arrival) const;
  bool admit(Inbox::ImagesReport& report) const;
  bool end_all_of(const Inbox::Arrival& arrival) const;
  bool look_at_fleet() const;
  void look_at_storage() const;
  bool admit_repeated(const Inbox::Submission& submission) const;
  Result<void> check(const Inbox::Submission& submission) const;
  void tell_when_durable(Durable durable) const;

  Event stamp(Event::Body body, Time at);
  Time now();
  bool is_durable() const { return durable_ == seq_; }
  void remember_key(const JobSubmitted& submitted);
  void fence_tasks(NodeId node);

  void carry_out(const StartGang& gang) const;
  void carry_out(const StopGang& gang) const;
  void carry_out(const QuarantineNode&) const {}  // the core puts nothing there: that is all
  void carry_out(const ReleaseNode&) const {}
  void carry_out(const RepairNode& order) const;
  void carry_out(const PrefetchImage& order) const;
  void carry_out(const FreezeGang& gang) const;
  void carry_out(const ReplaceTask& anew) const;
  void start_task(const Job& job, const TaskPlacement& task) const;
  const Job* placed(JobId id) const;
  bool is_open(const act::TaskKey& key) const;
  bool is_open_on(const act::TaskKey& key, NodeId node) const;
  void take_in(std::uint64_t session, NodeId node, const act::Hello& hello, JobId last) const;
  bool take_up(const act::FoundTask& found, NodeId node, JobId last) const;
  void tell_of_orphans(NodeId node, std::vector<std::string> tasks) const;
  void notice(const std::string& line) const;

  const control::Controller& core_;
  Inbox& inbox_;
  Fleet& fleet_;
  mutable std::deque<Event::Body> opening_;
  const WorldOptions options_;
  Clock clock_;
  std::uint64_t clock_steps_seen_ = 0;
  Time last_;
  EventSeq seq_;      // of the last event stamped
  EventSeq durable_;  // of the last event committed
  std::unordered_map<std::string, JobId> jobs_by_key_;

  // What has_pending() looks at it must take out of the inbox, since it may be refused.
  mutable std::deque<Admitted> admitted_;
  mutable std::deque<Waiting> waiting_;  // by seq
};

}  // namespace gyre::live
