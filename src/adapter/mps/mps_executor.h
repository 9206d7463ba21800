#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "act/executor.h"
#include "adapter/mps/control.h"

namespace gyre::mps {

struct MpsOptions {
  std::string control;  // the program, by find_control()
  std::string folder;   // a folder for each device is made in it; a short path
  std::function<void(const std::string&)> notice;  // one line for a person; may be empty
};

/// An executor whose tasks with Sharing::Mps are held to their share by CUDA MPS: of the device's
/// memory by CUDA_MPS_PINNED_DEVICE_MEM_LIMIT, of its threads by CUDA_MPS_ACTIVE_THREAD_PERCENTAGE
/// (NVIDIA MPS documentation, "Environment Variables"). A device's daemon runs while a task needs
/// it, and like the tasks it outlives this object; a later one on the same folder takes it up. A
/// daemon that ends by itself is told through `notice`. Everything else passes to `inner`.
class MpsExecutor final : public act::Executor, private act::TaskListener {
 public:
  /// `inner` outlives it, and tells it nothing more when it ends. Requires: not listened to yet.
  MpsExecutor(MpsOptions options, act::Executor& inner);
  ~MpsExecutor() override;

  /// Calls `inner` no more; it may end then. Tasks and daemons go on. Idempotent.
  void close();

  void listen(act::TaskListener& listener) override;
  void start(const act::TaskStart& task) override;
  void adopt(const act::TaskKey& key) override { inner_.adopt(key); }
  void stop(const act::TaskKey& key, const act::StopOptions& options) override;
  void freeze(const act::TaskKey& key, bool frozen) override { inner_.freeze(key, frozen); }
  void release(const act::TaskKey& key) override { inner_.release(key); }
  std::vector<act::FoundTask> found() const override { return inner_.found(); }
  void discard(const act::TaskKey& key) override;

 private:
  struct Stop {
    act::TaskKey key;
    act::StopOptions options;
  };
  struct Forget {
    act::TaskKey key;
  };
  using Work = std::variant<act::TaskStart, Stop, Forget>;
  struct Watched {
    Daemon daemon;
    int process = -1;
  };

  void started(const act::TaskKey& key, const StartStages& stages) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;

  void post(Work work);
  void run();
  void watch_once();
  void take_up();
  void carry_out(act::TaskStart& task);
  void carry_out(const Stop& stop) { inner_.stop(stop.key, stop.options); }
  void carry_out(const Forget& forget);
  Result<std::string> prepare(const act::TaskStart& task);
  void quit_if_idle(const std::string& name);
  std::string folder_of(const std::string& name) const { return options_.folder + "/" + name; }

  const MpsOptions options_;
  act::Executor& inner_;
  act::TaskListener* listener_ = nullptr;
  std::map<std::string, Watched> daemons_;  // by device folder's name; of the thread
  std::mutex mutex_;
  std::deque<Work> work_;           // guarded by mutex_
  std::set<act::TaskKey> pending_;  // starts in work_ or under way; guarded by mutex_
  bool ending_ = false;             // guarded by mutex_
  int wake_ = -1;
  std::thread thread_;
};

}  // namespace gyre::mps
