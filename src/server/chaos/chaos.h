#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "live/fault_desk.h"
#include "live/inbox.h"
#include "server/chaos/fault_log.h"
#include "server/chaos/fleet_look.h"
#include "server/chaos/server_breaker.h"

namespace gyre::server {

/// What there is to say of faults on purpose.
struct ChaosView {
  bool on = false;
  std::string turned_by;  // empty: nobody has turned it yet
  std::optional<Time> turned_at;
  std::string unrest;              // why the fleet is not calm; empty: it is
  std::vector<std::string> nodes;  // whose agents take faults
  // By node, "" the server: what it cannot have, and why.
  std::map<std::string, std::map<std::string, std::string>> cannot;
  std::int64_t faults_today = 0;    // since midnight, UTC
  std::int64_t nodes_broken = 0;    // by faults that are not settled
  std::vector<FaultRecord> faults;  // the latest first
};

struct ChaosPorts {
  std::function<Time()> clock;
  std::function<void(const std::string&)> notice;  // one line for a person
  ServerBreaker* server = nullptr;                 // null: it breaks nodes alone
  FaultLog::Share share = nullptr;                 // null: no other server may follow
};

/// Faults on purpose in a running fleet: has agents break their nodes, sees to it that the fleet
/// recovers, and keeps a record of all of it. Every fault is on the disk before it happens.
/// Thread-safe; a thread of its own.
class Chaos {
 public:
  struct Counts {
    bool on = false;
    std::map<std::string, std::uint64_t> faults;  // by kind
  };

  /// `path`: the record's file. The others outlive it.
  Chaos(std::string path, live::FaultDesk& desk, live::Inbox& inbox, ChaosPorts ports);
  /// What lasts goes on, and ends by itself.
  ~Chaos();
  Chaos(const Chaos&) = delete;
  Chaos& operator=(const Chaos&) = delete;

  /// `done` is told when it has begun. Errors: Conflict, chaos is off, the node has a fault already
  /// or takes none; aim()'s and the agent's; NoRoom and Internal, it cannot be recorded.
  void inject(const std::string& node, FaultRequest request, live::Done<FaultRecord> done);
  /// The same of the server itself.
  void inject(FaultRequest request, live::Done<FaultRecord> done);
  /// Ends what lasts on that node, as far as it can be ended before its time. Errors: NotFound.
  void mend(const std::string& node, live::Done<void> done);
  /// Off: no fault begins any more, and what lasts is mended. Errors: the disk's.
  void turn(bool on, const std::string& by, live::Done<void> done);
  void view(std::size_t limit, live::Done<ChaosView> done);

  Counts counts() const;

 private:
  void work();
  bool look_after();
  void settle(const std::vector<FaultRecord>& seen);
  void begin(FaultRecord fault, live::Done<FaultRecord> done);
  void begin_at_server(const FaultRecord& fault, const live::Done<FaultRecord>& done);
  void slow_again(const FaultRecord& fault, std::uint64_t line);
  void report_gpu(const FaultRecord& fault);
  void release(const std::string& node);
  std::string obstacle(const FaultRecord& fault) const;
  Result<void> check(const FaultRecord& fault) const;
  void begin_drain(const FaultRecord& fault, const live::Done<FaultRecord>& done);
  void told(FaultRecord fault, const Result<void>& begun, const live::Done<FaultRecord>& done);
  void end(FaultRecord& fault);
  void mend_all(const std::optional<std::string>& node);
  void mend_early(FaultRecord& fault);
  void set_duty(const std::string& node, NodeDuty from, NodeDuty to, live::Done<void> done);
  void post(std::function<void()> task);
  std::vector<FaultRecord> unsettled() const;
  Result<FaultRecord> take_in(FaultRecord fault);
  ChaosView view_log(std::size_t limit) const;
  void count();

  live::FaultDesk& desk_;
  live::Inbox& inbox_;
  const ChaosPorts ports_;
  // The thread's alone.
  FaultLog log_;
  std::map<std::uint64_t, std::uint64_t> lines_;  // by fault: the agent's when it began
  std::set<std::uint64_t> beginning_;             // asked for, and not answered yet
  std::map<std::uint64_t, ChaosNetwork> slow_;    // by fault: how slow

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> tasks_;  // for the thread
  Counts counts_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace gyre::server
