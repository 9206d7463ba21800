#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "act/executor.h"
#include "agent/agent.h"
#include "agent/link.h"
#include "apps/agent_log.h"
#include "base/result.h"
#include "server/api/histogram.h"
#include "server/api/metrics_text.h"
#include "server/api/router.h"
#include "server/http/server.h"

namespace gyre::apps {

/// What an agent does, as Prometheus text: what its executor tells it, and what goes over its
/// links. Stands between the agent and its dialer. Thread-safe.
class AgentMetrics final : public agent::Dialer, public act::TaskListener {
 public:
  struct Node {
    std::string name;
    std::string images;       // the folder whose disk is watched
    AgentLog* log = nullptr;  // hears the same; outlives it
  };
  /// `dialer` outlives it.
  AgentMetrics(agent::Dialer& dialer, Node node);

  std::unique_ptr<agent::Link> dial(const act::Hello& hello,
                                    agent::LinkListener& listener) override;
  void started(const act::TaskKey& key, const StartStages& stages) override;
  void ended(const act::TaskKey& key, const TaskExit& exit) override;
  /// An image that a task needed came to be on the node, or did not.
  void image_came(bool ready) { ++(ready ? images_ready_ : images_failed_); }
  /// Tasks may run until then, by the boot clock.
  void granted(Time until) { lease_until_ = until.ns; }

  std::string text(const agent::Agent& worker) const;

 private:
  class Line;  // one connection, counted

  struct Stage {
    std::string_view name;
    bool warm = false;
    auto operator<=>(const Stage&) const = default;
  };

  void said(const act::Report& report);
  void write_disk(server::MetricsText& out) const;
  void write_line(server::MetricsText& out) const;  // Requires: mutex_ is held
  void write_outcomes(server::MetricsText& out) const;

  agent::Dialer& dialer_;
  const Node node_;
  const Time began_at_;
  std::atomic<std::int64_t> lease_until_ = 0;
  std::atomic<std::uint64_t> dials_ = 0;
  std::atomic<std::uint64_t> connections_ = 0;
  std::atomic<std::uint64_t> reports_ = 0;
  std::atomic<std::uint64_t> orders_ = 0;
  std::atomic<std::int64_t> heard_at_ = 0;  // by the boot clock; 0: never yet
  std::atomic<std::uint64_t> images_ready_ = 0;
  std::atomic<std::uint64_t> images_failed_ = 0;
  mutable std::mutex mutex_;
  const Line* line_ = nullptr;  // the present one
  std::map<Stage, server::Histogram> stages_;
  std::map<std::string_view, std::uint64_t> ends_;  // by outcome
  std::optional<CommandId> repair_counted_;         // it is said again on a new connection
  std::uint64_t repairs_good_ = 0;
  std::uint64_t repairs_failed_ = 0;
};

/// Serves them at `/metrics` on loopback, to the user who runs the agent and to root.
class MetricsDoor {
 public:
  /// `metrics` and `worker` outlive it. Errors: Conflict, the port is in use; Internal.
  static Result<std::unique_ptr<MetricsDoor>> open(const server::http::Address& address,
                                                   const AgentMetrics& metrics,
                                                   const agent::Agent& worker);
  std::string authority() const { return http_->authority(); }

 private:
  MetricsDoor() = default;
  server::Router router_;
  std::unique_ptr<server::http::Server> http_;  // ends before what it answers from
};

}  // namespace gyre::apps
