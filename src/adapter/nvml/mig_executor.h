#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "act/executor.h"
#include "base/time.h"

namespace gyre::nvml {

struct MigOptions {
  std::string gpu_model;    // of the node's devices, as people say it
  MemoryMib gpu_memory{0};  // of each
  std::string folder;       // for the records of what is made; a CDI folder "cdi" is made in it
  std::function<void(const std::string&)> notice = {};  // one line for a person; may be empty
  std::string library = "libnvidia-ml.so.1";
  std::string capabilities = "/proc/driver/nvidia/capabilities";
  Duration room_max = seconds(10);  // how long a start waits for what ended tasks leave
  Duration again = seconds(1);      // between two tries to destroy what is in use
  Duration close_max = seconds(5);  // a driver call that takes longer is left behind by close()
};

/// An executor whose tasks with Sharing::Mig each get a MIG instance of the profile of their share,
/// made for them and destroyed when they have ended. Which instances are its own is on record
/// before they are made: after any death of the caller a later one on the same folder keeps those
/// of tasks that still run and destroys the others, and never one that no record knows. A start
/// that gets no instance ends as TaskExit::Kind::StartFailed and leaves none. Everything else
/// passes to `inner`.
///
/// A container is given its instance by the device nodes of its capabilities (NVIDIA MIG User
/// Guide, "Device Nodes and Capabilities"), in a CDI file of the folder "cdi", beside what CDI says
/// of the whole device.
class MigExecutor final : public act::Executor {
 public:
  /// `inner` outlives close(), and tells it nothing more when it ends. Requires: not listened to
  /// yet.
  MigExecutor(MigOptions options, act::Executor& inner);
  ~MigExecutor() override;

  /// Calls `inner` no more; it may end then. Tasks and instances go on. Idempotent.
  void close();

  void listen(act::TaskListener& listener) override;
  void start(const act::TaskStart& task) override;
  void adopt(const act::TaskKey& key) override;
  void stop(const act::TaskKey& key, const act::StopOptions& options) override;
  void freeze(const act::TaskKey& key, bool frozen) override;
  void release(const act::TaskKey& key) override;
  std::vector<act::FoundTask> found() const override;
  void discard(const act::TaskKey& key) override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // also its thread's, which may hang in the driver for ever
};

}  // namespace gyre::nvml
