#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/world.h"
#include "domain/chaos.h"
#include "domain/policy.h"
#include "sim/chaos/agenda.h"
#include "sim/chaos/dispatcher.h"
#include "sim/chaos/fault_plan.h"
#include "sim/chaos/links.h"
#include "sim/chaos/machine.h"
#include "sim/chaos/memory_journal.h"
#include "sim/chaos/services.h"
#include "sim/chaos/truth.h"

namespace gyre::sim {

/// What a scenario's ranges came to for one seed.
struct ChaosSetting {
  std::uint32_t nodes = 1;
  std::int32_t gpus = 8;  // of each
  Duration lease{0};
  PolicySpec policy;
  HealingSpec healing;
};

/// A fleet as it really is, and a server that may be killed: docs/guide/chaos.md. Everything is
/// decided by the scenario and the seed. Two clocks: the true one, and the server's, which jumps.
///
/// control::run() returns when the server is killed or the story is over; after a kill rest() and
/// return_to_life() must be called before it is run again.
class ChaosWorld final : public control::World {
 public:
  /// `core` is the server's, in each of its lives.
  ChaosWorld(const ChaosSpec& spec, const ChaosSetting& setting, const control::Controller& core,
             MemoryJournal& journal, const Rng& rng);

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override { return server_up_ && !pending_.empty(); }
  bool await_room(const Error& why) override;
  void committed(EventSeq seq) override;
  void submit(const Command& command) override;

  bool server_killed() const { return killed_; }
  /// The world without its server, until it is started again.
  void rest();
  /// The server is back, and its core is what its journal gave it.
  void return_to_life();

  /// The core has answered an event that counts.
  void answered(const control::Decisions& decisions);
  /// The core says that a job is over.
  void job_over(const Job& job);
  /// After the end: what must hold then.
  void finish();

  /// Whether the batch that is open will be lost: nothing of it counts.
  bool doomed() const { return journal_.crash() == MemoryJournal::Crash::Before; }
  Truth& truth() { return truth_; }
  Time now() const { return now_; }
  const std::vector<std::uint64_t>& faults_done() const { return faults_done_; }

 private:
  struct WakeMachine {
    std::uint32_t node;
  };
  struct OrderArrives {
    std::uint32_t node;
    std::uint64_t number;
    Order order;
  };
  struct ReportArrives {
    std::uint32_t node;
    std::uint64_t number;
    Report report;
  };
  struct HelloArrives {
    std::uint32_t node;
    std::uint64_t number;
  };
  struct Missed {
    std::uint32_t node;
    std::uint64_t number;
    bool lost;
  };  // else silent
  struct Arrives {
    std::size_t job;
  };
  struct StopAsked {
    std::size_t job;
  };
  struct FaultBegins {
    std::size_t fault;
  };
  struct FaultEnds {
    std::size_t fault;
  };
  struct OwnerActs {
    std::size_t service;
  };
  struct LoadChanges {
    std::size_t service;
  };
  struct ReplicaLooked {
    JobId job;
    std::int32_t attempt;
  };
  struct ServicesEnd {};
  struct Booted {
    std::uint32_t node;
  };
  struct GpuMended {
    std::uint32_t node;
    std::int32_t device;
  };
  /// Somebody looks after a node that waits for a person.
  struct OperatorLooks {
    std::uint32_t node;
  };
  /// What a lost word has broken is connected anew.
  struct LineRejoins {
    std::uint32_t node;
  };
  using Item =
      std::variant<WakeMachine, OrderArrives, ReportArrives, HelloArrives, Missed, Arrives,
                   StopAsked, FaultBegins, FaultEnds, OwnerActs, LoadChanges, ReplicaLooked,
                   ServicesEnd, Booted, OperatorLooks, GpuMended, LineRejoins>;
  /// An event of the server's inbox; not yet stamped.
  struct Pending {
    Event::Body body;
    std::optional<std::size_t> submission;  // of a JobSubmitted
    std::optional<std::size_t> stop;        // of a JobStopRequested
    std::optional<std::size_t> owner{};     // of a ServiceApplied or ServiceDeleted
    std::size_t change = 0;                 // which of the owner's it is, from 1
    bool honest = true;                     // of a ReplicaProbed
  };
  /// Who wants something of a service, and asks until it is durable.
  struct Owner {
    std::size_t due = 0;    // changes; the one after the last is that it goes
    std::size_t heard = 0;  // of these the server has made durable
    bool asked = false;     // the server, in its present life
  };
  struct Client {
    bool posted = false;     // the server was asked, in its present life
    bool submitted = false;  // durable: the client was told
    bool stop_asked = false;
    bool stop_heard = false;
    JobId job;
  };

  void on(const WakeMachine& item);
  void on(const OrderArrives& item);
  void on(const ReportArrives& item);
  void on(const HelloArrives& item);
  void on(const Missed& item);
  void on(const Arrives& item);
  void on(const StopAsked& item);
  void on(const FaultBegins& item);
  void on(const FaultEnds& item);
  void on(const OwnerActs& item);
  void on(const LoadChanges& item);
  void on(const ReplicaLooked& item);
  void on(const ServicesEnd& item);
  void on(const Booted& item);
  void on(const OperatorLooks& item);
  void on(const GpuMended& item);
  void on(const LineRejoins& item);

  bool dies_now() const;
  void open_batch();
  void happen();  // the agenda's next
  void pass_busy(Time until);
  void begin_disk(std::size_t index);
  void end_disk(std::size_t index);
  void begin_cut(const PlannedFault& fault);
  bool loses_word(std::uint32_t node, ChaosFault::Way way);
  Event stamp(Pending pending);
  void introduce();
  void post(Event::Body body) { pending_.push_back({std::move(body), {}, {}}); }
  void collect();                   // what the dispatcher has to say
  void settle(std::uint32_t node);  // what the machine has to say
  void send(std::uint32_t node, const Order& order);
  void refresh(std::uint32_t node);
  void refresh_all();
  void expect_word_of(std::uint32_t node);
  void plan_services();
  void ask_for(std::size_t service);
  void look_after(const Job& job);
  ReplicaHealth health_of(const Job& job) const;
  void finish_services();
  void take_up_clients();
  void ask_again();
  void try_stop(std::size_t job);
  void break_gpu(const PlannedFault& fault);
  GpuHealth gpu_health(std::uint32_t node, std::int32_t device) const;
  void tell_gpus(std::uint32_t node);
  void change_drains(std::uint32_t node, int by);
  NodeDuty duty_wanted(std::uint32_t node) const;
  std::uint32_t busy_machine(std::uint32_t first) const;
  /// Requires: its fault lasts.
  const ChaosNetwork& road(std::uint32_t node) const {
    return roads_[node] ? faults_[*roads_[node]].network : spec_.network;
  }
  Duration delay(std::uint32_t node);
  Time server_time() const { return std::max(last_stamp_, now_ + clock_offset_); }
  bool over_time() const { return now_ > Time{} + spec_.lasts + spec_.settles; }

  const ChaosSpec& spec_;
  const ChaosSetting setting_;
  const control::Controller& core_;
  MemoryJournal& journal_;
  std::vector<ChaosJob> jobs_;
  Truth truth_;
  std::vector<PlannedFault> faults_;
  std::vector<std::uint64_t> faults_done_;  // by kind
  Links links_;
  std::vector<Machine> machines_;
  std::vector<Time> wakes_;  // by machine: when it is next woken
  std::vector<int> drains_;  // by node: operators who want it drained
  Dispatcher dispatcher_;
  Agenda<Item> agenda_;
  std::vector<Client> clients_;
  std::vector<ChaosService> services_;
  std::vector<Owner> owners_;  // of each service
  ServiceGuard guard_;
  std::set<std::pair<JobId, std::int32_t>> looked_after_;  // runs of replicas that have a prober
  /// A device that its probe finds lost, or cannot tell of.
  struct SickGpu {
    std::int32_t device = -1;
    GpuHealth health = GpuHealth::Ok;
    Time until;
  };
  std::vector<SickGpu> sick_gpus_;                 // by node, the latest
  std::vector<int> dark_;                          // by node: why it cannot be reached
  std::vector<std::optional<std::size_t>> roads_;  // by node: the fault by which its words fare
  std::vector<std::optional<std::size_t>> disks_;  // by node: the fault of its disk
  std::optional<std::size_t> server_disk_;         // the fault of it
  Rng probes_;
  Rng network_;

  Time now_;
  Duration clock_offset_{0};
  Time last_stamp_;
  std::uint64_t seq_ = 0;
  std::uint64_t next_job_ = 1;
  bool server_up_ = true;
  bool paused_ = false;
  bool killed_ = false;
  bool batch_open_ = false;
  std::optional<PlannedFault> kill_;  // due at the next batch
  std::deque<Pending> pending_;
  struct Uncommitted {
    EventSeq seq;
    std::optional<TaskKey> ended;
    std::optional<std::size_t> submission, stop;
    JobId job;
    std::optional<std::size_t> owner{};
    std::size_t change = 0;
  };
  std::deque<Uncommitted> uncommitted_;
};

}  // namespace gyre::sim
