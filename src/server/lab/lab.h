#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "domain/policy.h"
#include "server/api/work_thread.h"
#include "server/lab/lab_run.h"

namespace gyre::server {

/// A trace of jobs, and the nodes that it is played on.
struct LabTrace {
  std::string name;      // of its file, for messages
  std::string text;      // as a file has it
  std::string nodes;     // a shape such as "32x8:V100", or the text of a node list
  std::string format{};  // "": as the header says

  bool has_node_list() const { return nodes.find('\n') != nodes.npos; }
};

/// What a run is to find out: how this server's past, or the trace that it plays, would have gone
/// under other policies, or how they do on another trace.
struct LabQuestion {
  std::vector<PolicySpec> policies;  // at least one
  std::optional<Time> since;         // when they take over; none: from the beginning
  std::optional<Time> until{};       // as if it were asked then; none: all that there is
  std::optional<LabTrace> trace{};   // none: the server's own
};

/// Plays a question.
class LabPlayer {
 public:
  /// False: nobody waits for it any more.
  using Tell = std::function<bool(const LabProgress&)>;

  virtual ~LabPlayer() = default;
  /// Errors: Invalid, what is wrong with a trace or its nodes: file, line, column. Any thread.
  virtual Result<void> check(const LabTrace& trace) = 0;
  /// A report as JSON. Takes long, on a thread of its own; calls `tell` every now and then, and
  /// ends soon with any error once that says false.
  virtual Result<std::string> play(const LabQuestion& question, const Tell& tell) = 0;
};

/// Keeps texts by number across restarts. Thread-safe.
class LabShelf {
 public:
  struct Kept {
    std::uint64_t id = 0;
    Result<std::string> text;
  };

  virtual ~LabShelf() = default;
  virtual std::vector<Kept> all() = 0;  // by id
  /// Whole and durable, or an error.
  virtual Result<void> put(std::uint64_t id, const std::string& text) = 0;
  virtual void remove(std::uint64_t id) = 0;
};

struct LabOptions {
  std::size_t queued_max = 8;
  std::size_t kept_max = 50;  // that have ended
  std::size_t report_bytes_max = 256 << 10;
  std::optional<LabRun::Trace> own_trace{};  // of a server that plays one; none: it has a past
  std::function<Time()> clock;
  std::function<void(const std::string&)> notice;  // for a person
};

/// Runs of the policy lab: plays them one at a time, in the order in which they came, and keeps
/// what came of them. One that was not done when the server ended has failed. Thread-safe.
class Lab {
 public:
  static constexpr std::size_t kPoliciesMax = 8;                       // of one run
  static constexpr std::size_t kTraceBytesMax = std::size_t{8} << 20;  // its text
  static constexpr std::size_t kNodesBytesMax = std::size_t{1} << 20;

  /// Both outlive it.
  Lab(LabPlayer& player, LabShelf& shelf, LabOptions options);
  /// Gives up what it plays.
  ~Lab();
  Lab(const Lab&) = delete;
  Lab& operator=(const Lab&) = delete;

  /// Does what waits for the disk, such as the next two, apart from who asks. False: too much
  /// waits.
  bool post(WorkThread::Task task) { return clerk_.post(std::move(task)); }
  /// The id of a new run, which is durable. `shown`: the question's policies. Errors: Unavailable,
  /// too many wait; Conflict, a window of a trace; the shelf's; of a trace, the player's.
  /// Requires: what validate() and check names would allow.
  Result<std::uint64_t> ask(LabQuestion question, std::vector<LabRun::Policy> shown);
  /// Forgets a run, and gives it up where it had not ended. Errors: NotFound.
  Result<void> remove(std::uint64_t id);

  std::vector<LabRun> runs() const;  // newest first; without reports
  /// Errors: NotFound.
  Result<LabRun> find(std::uint64_t id) const;

 private:
  struct Entry {
    LabRun run;
    LabQuestion question;  // until it is played
    bool durable = false;
  };

  void load();
  void work();
  Entry* next();
  bool tell(std::uint64_t id, const LabProgress& progress);
  void finish(std::uint64_t id, Result<std::string> played);
  std::vector<std::uint64_t> drop_oldest();

  LabPlayer& player_;
  LabShelf& shelf_;
  const LabOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::uint64_t, Entry> entries_;
  std::uint64_t last_id_ = 0;
  bool ending_ = false;
  WorkThread clerk_;
  std::thread thread_;  // begins last
};

}  // namespace gyre::server
