#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "control/controller.h"
#include "live/gpu_reports.h"
#include "live/inbox.h"
#include "server/api/api.h"
#include "server/api/idle_watch.h"
#include "server/api/replica_use.h"
#include "server/api/telemetry.h"
#include "server/trace/first_output.h"

namespace gyre::apps {

/// Hands on what the agents of all nodes see, and looks with it for jobs that do not use their
/// GPUs, and for services that need more of them.
class GpuEars final : public live::NodeListener {
 public:
  GpuEars(server::Telemetry& telemetry, live::Inbox& inbox)
      : telemetry_(telemetry), inbox_(inbox) {}

  void seen(const std::string& node, Time said_at, const std::vector<GpuReading>& gpus) override {
    telemetry_.gpus.seen(node, said_at, gpus);
    const Time now = server::machine_time();
    std::int64_t last = looked_at_.load();
    if (std::abs(now.ns - last) < kPause.ns) return;
    if (!looked_at_.compare_exchange_strong(last, now.ns)) return;
    static_cast<void>(inbox_.ask([this](const control::Controller& core) {
      const Time time = server::machine_time();
      for (Event::Body& body : idle_.look(core, telemetry_, time)) {
        inbox_.post(std::move(body), nullptr);
      }
      replicas_.look(core, telemetry_, time);
    }));
  }
  void used(const std::string& node, const std::vector<act::TaskUse>& tasks) override {
    telemetry_.uses.told(node, tasks);
  }
  void spoke(const act::TaskSpoke& first) override {
    if (first_output_ != nullptr) first_output_->spoke(first.key, first.after);
  }
  void unheard(const std::string& node) override {
    telemetry_.gpus.unheard(node);
    telemetry_.uses.forget(node);
  }

  /// Who is told of first outputs, null: nobody; before there is an agent.
  void tell(server::FirstOutput* first_output) { first_output_ = first_output; }

  const server::ReplicaUse& replicas() const { return replicas_; }

 private:
  static constexpr Duration kPause = milliseconds(900);  // of probes that look once a second

  server::Telemetry& telemetry_;
  live::Inbox& inbox_;
  server::FirstOutput* first_output_ = nullptr;
  server::IdleWatch idle_;  // on the driver's thread
  server::ReplicaUse replicas_;
  std::atomic<std::int64_t> looked_at_ = 0;
};

}  // namespace gyre::apps
