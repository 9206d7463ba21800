#pragma once

// What the tests of this layer share; not part of the program.

#include <atomic>
#include <chrono>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "act/agent_protocol.h"
#include "base/assert.h"
#include "control/controller.h"
#include "control/driver.h"
#include "control/journal.h"
#include "live/fleet.h"
#include "live/inbox.h"
#include "live/opening.h"
#include "live/world.h"

namespace gyre::live::test {

/// How long a test waits for what must come; only a failure takes that long.
inline constexpr std::chrono::seconds kPatience{60};

/// The agent of one node: keeps what it was told to do. With `obedient` tasks start and end (with
/// code 0, or when they are stopped) at once.
class ScriptedAgent final : public act::OrderSink {
 public:
  void join(Fleet& fleet, NodeSpec node, bool with_lease = false) {
    leased = with_lease;
    act::Hello hello;
    hello.protocol_newest = newest;
    hello.life = 1;
    hello.node = std::move(node);
    hello.facts.address = "127.0.0.1";
    hello.tasks = left_behind;
    hello.devices = devices;
    auto opened = fleet.open(std::move(hello), *this, leased);
    GYRE_ASSERT(opened);
    session = std::move(*opened);
  }
  void leave() { session.reset(); }

  void started(const act::TaskKey& key) { session->report(act::TaskBegun{key, {}}); }
  void ended(const act::TaskKey& key, const TaskExit& exit) {
    session->report(act::TaskOver{key, exit});
  }

  void give(const act::Order& order) override {
    std::visit([this](const auto& one) { take(one); }, order);
  }
  void end(const Error& why) override { note("end " + why.message); }

  /// What it was told since the last call.
  std::vector<std::string> orders() {
    const std::lock_guard guard(mutex_);
    return std::exchange(orders_, {});
  }

  std::unique_ptr<Fleet::Session> session;
  std::uint32_t newest = act::kProtocolNewest;  // that it speaks
  std::uint32_t protocol = 0;                   // as agreed
  bool leased = false;
  bool obedient = false;
  bool short_lived = false;
  std::vector<act::FoundTask> left_behind;
  std::vector<std::string> devices;
  std::optional<act::ArtifactAnswer> artifact;  // what it says of any
  std::vector<act::RepairOrder> repairs;

 private:
  void take(const act::TaskStart& task) {
    note("start " + act::to_string(task.key));
    if (!obedient) return;
    started(task.key);
    if (short_lived) ended(task.key, {});
  }
  void take(const act::AdoptTask& order) { note("adopt " + act::to_string(order.key)); }
  void take(const act::StopTask& order) {
    note("stop " + act::to_string(order.key) + " " +
         std::to_string(order.options.grace.ns / 1'000'000) + "ms " +
         std::to_string(order.options.checkpoint_signal));
    if (obedient) {
      ended(order.key,
            {.kind = TaskExit::Kind::Signaled, .code = 15, .stopped = true, .message = {}});
    }
  }
  void take(const act::ReleaseTask& order) { note("release " + act::to_string(order.key)); }
  void take(const act::DiscardTask& order) { note("discard " + act::to_string(order.key)); }
  void take(const act::ReadLog& order) {
    note("read " + std::to_string(order.query.job.value));
    session->report(act::LogRead{order.id, act::LogChunk{"hello\n", 1, 6, 6, true}});
  }
  void take(const act::RepairOrder& order) {
    note(std::string(to_string(order.repair)) + " " + order.device);
    repairs.push_back(order);
  }
  void take(const act::FreezeTask& order) {
    note((order.frozen ? "freeze " : "thaw ") + act::to_string(order.key));
  }
  void take(const act::FetchImage& order) { note("fetch " + order.image + " " + order.login); }
  void take(const act::ReadArtifact& order) {
    note("artifact " + std::to_string(order.query.job.value) + " " + order.query.path);
    if (artifact) session->report(act::ArtifactRead{order.id, *artifact});
  }
  void take(const act::ExecOrder& order) {
    const std::uint64_t id = act::exec_id(order);
    if (const auto* start = std::get_if<act::ExecStart>(&order)) {
      note("exec " + act::to_string(start->key) + " " + start->command.front());
      session->report(act::ExecReport{act::ExecStarted{id}});
    } else {
      note((std::holds_alternative<act::ExecHangUp>(order) ? "hang up " : "exec word ") +
           std::to_string(id));
    }
  }
  void take(const act::GrantLease& lease) {
    if (lease.beat == 0) protocol = lease.protocol;
    if (leased || lease.beat > 0) note("lease " + std::to_string(lease.beat));
  }

  void note(std::string order) {
    const std::lock_guard guard(mutex_);
    orders_.push_back(std::move(order));
  }

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

inline Opening opening() {
  return {.policy = named_policies().back(), .queues = {QueueSpec{"default", "main"}}};
}

inline NodeSpec two_gpu_machine(std::string name = "here") {
  return {.name = std::move(name),
          .partition = "main",
          .gpu_model = "H100",
          .gpus = 2,
          .gpu_memory = {81'920},
          .cpu = {8'000},
          .memory = {32'768},
          .virtual_gpus = true};
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
    for (Event::Body& body : opening_events(core_, opening())) {
      options.opening.push_back(std::move(body));
    }
    world_ = std::make_unique<World>(core_, inbox, fleet, std::move(options));
    agent.join(fleet, two_gpu_machine());
    // Started once its node is there: what is submitted then is started once.
    const bool known = !core_.cluster().nodes().empty();
    thread_ = std::thread([this] {
      NobodyLooks nobody;
      outcome = control::run(core_, *world_, journal, nobody);
      world_.reset();
    });
    std::atomic<bool> joined = known;
    while (!joined) {
      std::promise<void> looked;
      GYRE_ASSERT(inbox.ask([&](const control::Controller& core) {
        joined = !core.cluster().nodes().empty();
        looked.set_value();
      }));
      looked.get_future().wait();
    }
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
  std::atomic<std::int64_t> clock_ns{1};  // the fleet's
  Fleet fleet{inbox, FleetOptions{}, [this] { return Duration{clock_ns.load()}; }};
  ScriptedAgent agent;
  MemoryJournal journal;
  std::vector<std::string> notices;
  Result<void> outcome;

 private:
  control::Controller core_;
  std::unique_ptr<World> world_;
  std::thread thread_;
};

}  // namespace gyre::live::test
