#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "act/agent_protocol.h"
#include "agent/agent.h"
#include "agent/runner.h"
#include "apps/gpus.h"
#include "apps/tasks.h"
#include "live/fleet.h"

namespace gyre::apps {

/// Connects an agent to the fleet of its own process: a call in the place of a connection. Its
/// tasks have no lease, since no network can come between. Thread-safe.
class LocalDialer final : public agent::Dialer {
 public:
  explicit LocalDialer(live::Fleet& fleet) : fleet_(fleet) {}
  std::unique_ptr<agent::Link> dial(const act::Hello& hello,
                                    agent::LinkListener& listener) override;
  /// Waits until it was dialed once.
  void wait_for_first() const { dialed_.wait(false); }

 private:
  live::Fleet& fleet_;
  std::atomic<bool> dialed_ = false;
};

/// The agent of the server's own machine: the same code as on any other node. Its tasks go on when
/// the server ends.
class LocalAgent {
 public:
  /// Returns when the fleet has heard its hello; `fleet`, `logs`, `artifacts` and
  /// `usages` outlive this.
  LocalAgent(std::unique_ptr<Tasks> tasks, std::unique_ptr<act::NodeRepairs> repairs,
             std::unique_ptr<GpuWatch> watch, const act::TaskLogs& logs,
             const act::TaskArtifacts& artifacts, const act::TaskUsages& usages, live::Fleet& fleet,
             act::Hello hello);
  ~LocalAgent();
  void watch_gpus() {
    watch_->begin([this](const auto& gpus) { agent_.gpus_seen(gpus); });
  }
  LocalAgent(const LocalAgent&) = delete;
  LocalAgent& operator=(const LocalAgent&) = delete;

 private:
  agent::Agent agent_;
  std::unique_ptr<GpuWatch> watch_;
  std::unique_ptr<act::NodeRepairs> repairs_;
  std::unique_ptr<Tasks> tasks_;  // end before the agent, as the others
  LocalDialer dialer_;
  agent::Runner runner_;
  std::thread thread_;
};

}  // namespace gyre::apps
