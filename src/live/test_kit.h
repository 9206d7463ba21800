#pragma once

// What the tests of this layer share; not part of the program.

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "act/executor.h"
#include "base/assert.h"
#include "control/controller.h"
#include "control/driver.h"
#include "control/journal.h"
#include "live/inbox.h"
#include "live/opening.h"
#include "live/world.h"

namespace gyre::live::test {

/// How long a test waits for what must come; only a failure takes that long.
inline constexpr std::chrono::seconds kPatience{60};

/// Keeps what it was told to do. With `obedient` tasks start and end (with code 0, or when they are
/// stopped) at once.
class ScriptedExecutor final : public act::Executor {
 public:
  void listen(act::TaskListener& listener) override { listener_ = &listener; }
  void start(const act::TaskStart& task) override {
    note("start " + act::to_string(task.key));
    if (!obedient) return;
    listener_->started(task.key, {});
    if (short_lived) listener_->ended(task.key, {});
  }
  void adopt(const act::TaskKey& key) override { note("adopt " + act::to_string(key)); }
  void stop(const act::TaskKey& key, const act::StopOptions& options) override {
    note("stop " + act::to_string(key) + " " + std::to_string(options.grace.ns / 1'000'000) +
         "ms " + std::to_string(options.checkpoint_signal));
    if (obedient) {
      listener_->ended(
          key, {.kind = TaskExit::Kind::Signaled, .code = 15, .stopped = true, .message = {}});
    }
  }
  void release(const act::TaskKey& key) override { note("release " + act::to_string(key)); }
  std::vector<act::FoundTask> found() const override { return left_behind; }
  void discard(const act::TaskKey& key) override { note("discard " + act::to_string(key)); }

  /// What it was told since the last call.
  std::vector<std::string> orders() {
    const std::lock_guard guard(mutex_);
    return std::exchange(orders_, {});
  }

  bool obedient = false;
  bool short_lived = false;
  std::vector<act::FoundTask> left_behind;

 private:
  void note(std::string order) {
    const std::lock_guard guard(mutex_);
    orders_.push_back(std::move(order));
  }

  act::TaskListener* listener_ = nullptr;
  std::mutex mutex_;
  std::vector<std::string> orders_;
};

/// Keeps all records in memory; its disk can break.
class MemoryJournal final : public control::Journal {
 public:
  void append(const Event& event) override {
    records.emplace_back(event);
    durable = false;
  }
  void append(const Command& command) override { records.emplace_back(command); }
  Result<void> commit() override {
    if (broken) return fail(ErrorKind::Internal, "the disk is gone");
    durable = true;
    return {};
  }
  Result<void> save(const ControllerState&) override { return {}; }

  std::vector<control::Record> records;
  std::atomic<bool> durable{true};
  std::atomic<bool> broken{false};
};

class NobodyLooks final : public control::Observer {
 public:
  void after(const Event&, const control::Decisions&, const control::Controller&) override {}
};

inline Opening two_gpu_machine() {
  Opening opening;
  opening.policy = named_policies().back();
  opening.queue = {.name = "default", .partition = "main"};
  opening.node = {.name = "here",
                  .partition = "main",
                  .gpu_model = "H100",
                  .gpus = 2,
                  .gpu_memory = {81'920},
                  .cpu = {8'000},
                  .memory = {32'768},
                  .virtual_gpus = true};
  return opening;
}

inline JobSpec gpu_job(std::string name, std::int32_t gpus = 1) {
  JobSpec spec;
  spec.name = std::move(name);
  TaskGroup group;
  group.request.gpus = gpus;
  spec.tasks = {group};
  spec.launch.command = {"true"};
  return spec;
}

/// A server without its doors: core, world and driver, on a thread of their own while it runs.
class Server {
 public:
  explicit Server(control::Controller core = control::Controller(control::Config{}))
      : core_(std::move(core)) {}
  ~Server() { stop(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  void start(WorldOptions options = {}) {
    options.notice = [this](const std::string& line) { notices.push_back(line); };
    world_ = std::make_unique<World>(core_, inbox, executor, std::move(options));
    world_->recover();
    for (Event::Body& body : opening_events(core_, two_gpu_machine())) {
      inbox.post(std::move(body), nullptr);
    }
    thread_ = std::thread([this] {
      NobodyLooks nobody;
      outcome = control::run(core_, *world_, journal, nobody);
      world_.reset();
    });
  }

  /// Lets it end what it has begun.
  void stop() {
    inbox.shutdown();
    if (thread_.joinable()) thread_.join();
  }

  std::future<Result<JobId>> submit(JobSpec spec, std::string key = {}) {
    auto promise = std::make_shared<std::promise<Result<JobId>>>();
    auto future = promise->get_future();
    inbox.submit(std::move(spec), std::move(key),
                 [promise](Result<JobId> id) { promise->set_value(std::move(id)); });
    return future;
  }

  std::future<Result<EventSeq>> post(Event::Body body) {
    auto promise = std::make_shared<std::promise<Result<EventSeq>>>();
    auto future = promise->get_future();
    inbox.post(std::move(body),
               [promise](Result<EventSeq> seq) { promise->set_value(std::move(seq)); });
    return future;
  }

  /// The job's state when all that was asked before has been worked off.
  JobState state_of(JobId id) {
    std::promise<JobState> promise;
    auto future = promise.get_future();
    const auto asked = inbox.ask(
        [&](const control::Controller& core) { promise.set_value(core.jobs().find(id)->state); });
    GYRE_ASSERT(asked);
    return future.get();
  }

  /// Waits until the job is in that state.
  bool reaches(JobId id, JobState state) {
    const auto give_up = std::chrono::steady_clock::now() + kPatience;
    while (state_of(id) != state) {
      if (std::chrono::steady_clock::now() > give_up) return false;
      std::this_thread::yield();
    }
    return true;
  }

  /// Requires: it has stopped.
  const control::Controller& core() const { return core_; }

  Inbox inbox;
  ScriptedExecutor executor;
  MemoryJournal journal;
  std::vector<std::string> notices;
  Result<void> outcome;

 private:
  control::Controller core_;
  std::unique_ptr<World> world_;
  std::thread thread_;
};

}  // namespace gyre::live::test
