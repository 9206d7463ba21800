#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "act/task_logs.h"
#include "control/driver.h"
#include "live/fleet.h"
#include "live/inbox.h"
#include "server/api/telemetry.h"
#include "server/log_search.h"

namespace gyre::server {

struct HangPorts {
  std::function<Result<void>(live::Query)> ask;
  /// Of a task on any node; the answer may come on any thread, or never. Unavailable: its node is
  /// not connected.
  std::function<void(const act::LogQuery&, live::Done<act::LogChunk>)> read_log;
  std::function<void(Event::Body)> tell;
  std::function<Duration()> clock;  // that nobody sets, and that stands still while all sleeps
};
/// Both outlive who has these.
HangPorts hang_ports(live::Inbox& inbox, live::Fleet& fleet);

/// Looks for tasks that hang, of the jobs that say how often they show progress (`Progress`).
///
/// A task hangs when for so long no line of its log was a heartbeat and its GPUs, where somebody
/// sees them, did nothing; two looks, one after the other, must find it so. What cannot be known
/// counts as life: a node that is not connected, a GPU that is not read just now, a log that has no
/// room to be written. The core is told
/// and decides. A server that starts knows nothing of the time before.
///
/// An observer on the driver's thread; the rest is of its own thread, or of whoever calls look().
class HangWatch final : public control::Observer {
 public:
  /// Takes up with what `core` has running. `telemetry` outlives this.
  HangWatch(const control::Controller& core, const Telemetry& telemetry, HangPorts ports);
  ~HangWatch() override;
  HangWatch(const HangWatch&) = delete;
  HangWatch& operator=(const HangWatch&) = delete;

  /// Looks once a second from now on.
  void start();

  /// Begins to read what is due, and judges what was read since. O(tasks that are watched).
  void look();

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

 private:
  /// What the core and the probes say of a running task.
  struct Task {
    act::TaskKey key;
    Progress progress;
    bool sees_gpus = false;  // somebody reads its GPUs
    double seen_s = 0;       // all of them, so far
    double busy_s = 0;
  };
  /// Shared with the reads that are under way.
  struct Watched {
    std::array<LogSearch, 2> searches;  // of stdout and stderr
    int reads_open = 0;
    bool read = false;
    bool alive = false;  // by what was read
  };
  struct Line {
    std::shared_ptr<Watched> watched = std::make_shared<Watched>();
    Duration alive_at;
    Duration read_at;  // when its log was last asked for
    Duration next_at;
    double seen_s = 0;
    double busy_s = 0;
    bool suspect = false;  // the look before found that it hangs
  };

  void ask();
  std::vector<Task> running(const control::Controller& core);
  Task look_at(const Job& job, const TaskPlacement& placed) const;
  bool is_alive(const Task& task, Line& line) const;
  void judge(const Task& task, Line& line);
  void read(const Task& task, Line& line, Duration now);
  void work();

  const Telemetry& telemetry_;
  const HangPorts ports_;
  std::set<JobId> jobs_;  // on the driver's thread
  std::map<act::TaskKey, Line> lines_;
  const std::shared_ptr<std::mutex> reads_ = std::make_shared<std::mutex>();  // all of Watched
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::vector<Task>> running_;  // since the look before
  bool asked_ = false;                        // and not answered yet
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace gyre::server
