#pragma once

#include <map>
#include <vector>

#include "act/executor.h"
#include "control/driver.h"
#include "server/api/gpu_watch.h"

namespace gyre::server {

/// Which devices each running task has, and what they had done before it came: so that the rest is
/// the task's. Lives on the driver's thread: read it inside a query of the inbox.
class UsageWatch final : public control::Observer {
 public:
  /// Takes up with the tasks that `core` has running: theirs is what is seen from now on. `gpus`
  /// outlives it.
  UsageWatch(const control::Controller& core, const GpuWatch& gpus);

  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override;

  struct Device {
    std::string node;
    int device = 0;
    GpuWatch::Usage before;
  };
  struct Task {
    Time since;  // it runs, or is looked at
    std::vector<Device> devices;
  };
  /// nullptr: it does not run.
  const Task* find(const act::TaskKey& key) const;

 private:
  void begin(const Job& job, std::size_t index, Time since, const control::Controller& core);

  const GpuWatch& gpus_;
  std::map<act::TaskKey, Task> tasks_;
};

}  // namespace gyre::server
