#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gyre {

/// Bounds of an even draw, both included. Equal: the value itself.
struct CountRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
  bool operator==(const CountRange&) const = default;
};
struct SpanRange {
  Duration min{0};
  Duration max{0};
  bool operator==(const SpanRange&) const = default;
};

/// How words between a node and the server fare. A share is drawn once a run.
struct ChaosNetwork {
  SpanRange delay{milliseconds(1), milliseconds(1)};
  CountRange late_percent;  // of messages, by `late_by` more
  SpanRange late_by{seconds(1), seconds(10)};
  CountRange twice_percent;  // of messages that come again
  CountRange lost_percent;   // of messages; the connection is found broken some seconds later
  bool operator==(const ChaosNetwork&) const = default;
};

/// One kind of fault of a scenario, and when it happens.
struct ChaosFault {
  enum class Kind : std::uint8_t {
    KillNode,      // power off; its tasks and its agent's memory are gone
    CutNode,       // its network is cut
    PauseAgent,    // SIGSTOP: its tasks go on
    RestartAgent,  // killed and started again: its tasks go on
    KillTask,      // SIGKILL to one task
    HangTask,      // one task does nothing any more, and does not end
    BreakGpu,      // what runs on one device fails, and what starts there
    DrainNode,     // an operator drains it
    KillServer,    // it comes back from its journal
    PauseServer,   // it remembers, but was away
    StepClock,     // the server's clock jumps, and back when it is mended
    SlowNetwork,   // one node's words fare by `network`
    FillDisk,      // it has no room
    SlowDisk,      // what is written takes longer, by `by`
    BreakDisk,     // what is written fails
  };
  enum class Way : std::uint8_t { Both, ToServer, ToNode };
  enum class Of : std::uint8_t { Node, Server };

  Kind kind = Kind::KillNode;
  std::optional<Duration> at;        // once, so long after the beginning
  std::optional<SpanRange> every;    // again and again: exponential times of a mean drawn from this
  SpanRange lasts;                   // until it is mended
  std::optional<std::int32_t> node;  // nullopt: any
  Way way = Way::Both;               // of CutNode
  Of of = Of::Node;                  // whose disk
  SpanRange by;                      // of StepClock, where it may be negative, and SlowDisk
  ChaosNetwork network;              // of SlowNetwork
  std::int32_t chance_percent = 100;  // of the seeds in which it happens at all

  bool operator==(const ChaosFault&) const = default;
};

/// A known mistake that is made on purpose, to see that it is found.
enum class ChaosPlant : std::uint8_t {
  None,
  LeaseIgnored,        // tasks go on when their node's lease is over
  StartRepeated,       // an order that comes twice is carried out twice
  MissingUnnoticed,    // a node that comes back without a task is not asked about it
  OrphanKept,          // what the server never recorded is left running
  DeviceZero,          // every task gets its node's first devices, whatever was decided
  JournalTailIgnored,  // a restart leaves out what was recorded last
  ReadyUnasked         // a replica is called ready as soon as it runs
};

/// A life of a cluster with faults: docs/guide/chaos.md. What is a range is drawn from the seed,
/// of the fleet and every share once a run, of jobs and faults once each.
struct ChaosSpec {
  struct Fleet {
    CountRange nodes{8, 8};
    CountRange gpus{8, 8};  // of each node
    SpanRange lease{seconds(300), seconds(300)};
    bool operator==(const Fleet&) const = default;
  };
  struct Jobs {
    CountRange count{100, 100};
    CountRange nodes{1, 1};
    CountRange gpus{1, 8};  // on each of its nodes
    SpanRange length{seconds(60), seconds(3600)};
    SpanRange checkpoint{seconds(600), seconds(600)};
    CountRange preemptible_percent{50, 50};
    CountRange fail_percent;  // of attempts that end with another code than 0
    CountRange stop_percent;  // of jobs that their owner stops
    bool operator==(const Jobs&) const = default;
  };
  struct Services {
    CountRange count{0, 0};
    CountRange replicas{1, 3};  // of each; some have up to twice as many under load
    CountRange gpus{0, 1};      // of each replica
    SpanRange warm_up{seconds(1), seconds(60)};          // from a replica's start until it is ready
    SpanRange update{seconds(1800), seconds(4 * 3600)};  // between two changes of one service
    CountRange bad_percent;  // of new revisions whose replicas never become ready
    bool operator==(const Services&) const = default;
  };
  std::string name;
  Duration lasts = seconds(86'400);           // jobs come and faults happen
  Duration settles = seconds(30LL * 86'400);  // afterwards all jobs must end within this
  std::string policy = "any";                 // a named policy; "any": one by chance
  Fleet fleet;
  Jobs jobs;
  Services services;
  ChaosNetwork network;
  std::vector<ChaosFault> faults;
  ChaosPlant plant = ChaosPlant::None;

  bool operator==(const ChaosSpec&) const = default;
};

inline constexpr std::size_t kChaosFaultsMax = 100;
inline constexpr std::int64_t kChaosNodesMax = 10'000;
inline constexpr std::int64_t kChaosJobsMax = 1'000'000;
inline constexpr std::int64_t kChaosServicesMax = 100;
inline constexpr std::int64_t kChaosReplicasMax = 100;

/// "kill-node", ...; by value.
const std::vector<std::string_view>& chaos_fault_names();
const std::vector<std::string_view>& chaos_plant_names();
/// That fault is of the server, and of no node.
bool is_of_server(const ChaosFault& fault);

/// Errors: a range upside down or out of bounds, a fault without a time, a policy or a node that
/// does not exist; says which.
Result<void> validate(const ChaosSpec& spec);

}  // namespace gyre
