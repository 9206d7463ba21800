#include "apps/agent_metrics.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>
#include <variant>

#include "live/clock.h"
#include "server/api/core_counts.h"
#include "server/api/process_metrics.h"

namespace gyre::apps {
namespace {

using server::MetricsText;

constexpr std::array<std::string_view, 6> kOutcomes{"failed",       "lost",    "signaled",
                                                    "start_failed", "stopped", "succeeded"};

Duration boot_time() { return live::system_clock_source()().monotonic; }

void write(MetricsText& out, std::string_view name, std::string_view type, std::string_view help,
           double value) {
  out.family(name, type, help);
  out.sample({}, value);
}

}  // namespace

/// Hears what comes before its listener does, and says what its link is to say.
class AgentMetrics::Line final : public agent::Link, public agent::LinkListener {
 public:
  Line(AgentMetrics& metrics, const act::Hello& hello, agent::LinkListener& listener)
      : metrics_(metrics), listener_(listener) {
    ++metrics_.dials_;
    link_ = metrics_.dialer_.dial(hello, *this);
    const std::lock_guard guard(metrics_.mutex_);
    metrics_.line_ = this;
  }
  ~Line() override {
    {
      const std::lock_guard guard(metrics_.mutex_);
      metrics_.line_ = nullptr;
    }
    link_.reset();
  }

  void say(act::Report report) override {
    metrics_.said(report);
    link_->say(std::move(report));
  }
  std::size_t waiting() const override { return link_->waiting(); }

  void received(act::Order order) override {
    ++metrics_.orders_;
    metrics_.heard_at_ = boot_time().ns;
    if (metrics_.node_.log != nullptr) metrics_.node_.log->ordered(order);
    if (!heard_.exchange(true)) ++metrics_.connections_;
    listener_.received(std::move(order));
  }
  void broke(const Error& why) override {
    broken_ = true;
    listener_.broke(why);
  }

  bool connected() const { return heard_ && !broken_; }

 private:
  AgentMetrics& metrics_;
  agent::LinkListener& listener_;
  std::atomic<bool> heard_ = false;  // the server has answered
  std::atomic<bool> broken_ = false;
  std::unique_ptr<agent::Link> link_;
};

AgentMetrics::AgentMetrics(agent::Dialer& dialer, Node node)
    : dialer_(dialer), node_(std::move(node)), began_at_(live::system_clock_source()().real) {
  // A counter that appears with its first failure has not grown, to who asks by how much it did.
  for (const std::string_view outcome : kOutcomes) ends_[outcome] = 0;
}

std::unique_ptr<agent::Link> AgentMetrics::dial(const act::Hello& hello,
                                                agent::LinkListener& listener) {
  return std::make_unique<Line>(*this, hello, listener);
}

void AgentMetrics::started(const act::TaskKey& key, const StartStages& stages) {
  if (node_.log != nullptr) node_.log->started(key, stages);
  if (stages.received < began_at_) return;  // of an earlier life, or not told
  const std::lock_guard guard(mutex_);
  for (const auto& [name, time] : server::stages_of(stages)) {
    stages_.try_emplace({name, stages.warm}, server::stage_bounds()).first->second.add(time);
  }
}

void AgentMetrics::ended(const act::TaskKey& key, const TaskExit& exit) {
  if (node_.log != nullptr) node_.log->ended(key, exit);
  const std::lock_guard guard(mutex_);
  ++ends_[outcome_of(exit)];
}

void AgentMetrics::said(const act::Report& report) {
  ++reports_;
  const auto* over = std::get_if<act::RepairOver>(&report);
  if (over == nullptr) return;
  {
    const std::lock_guard guard(mutex_);
    if (repair_counted_ == over->id) return;
    repair_counted_ = over->id;
    ++(over->good ? repairs_good_ : repairs_failed_);
  }
  if (node_.log != nullptr) node_.log->repaired(*over);
}

void AgentMetrics::write_disk(MetricsText& out) const {
  std::error_code error;
  const auto space = std::filesystem::space(node_.images, error);
  if (error) return;
  write(out, "gyre_agent_disk_bytes", "gauge", "Size of the disk that holds images' layers.",
        static_cast<double>(space.capacity));
  write(out, "gyre_agent_disk_free_bytes", "gauge", "What is free on it for the agent.",
        static_cast<double>(space.available));
}

void AgentMetrics::write_line(MetricsText& out) const {
  write(out, "gyre_agent_connected", "gauge", "1 while the server answers.",
        line_ != nullptr && line_->connected() ? 1 : 0);
  write(out, "gyre_agent_dials_total", "counter", "Times that a server was dialed.",
        static_cast<double>(dials_));
  write(out, "gyre_agent_connections_total", "counter", "Connections that a server answered.",
        static_cast<double>(connections_));
  write(out, "gyre_agent_reports_total", "counter", "Reports to the server.",
        static_cast<double>(reports_));
  write(out, "gyre_agent_reports_waiting", "gauge", "Reports that wait for the connection.",
        line_ != nullptr ? static_cast<double>(line_->waiting()) : 0);
  write(out, "gyre_agent_orders_total", "counter", "Orders of the server.",
        static_cast<double>(orders_));
  if (heard_at_ != 0) {
    write(out, "gyre_agent_silence_seconds", "gauge", "Time since the server's last word.",
          std::max(0.0, (boot_time() - Duration{heard_at_}).seconds()));
  }
  if (lease_until_ != 0) {
    write(out, "gyre_agent_lease_seconds", "gauge",
          "How long tasks go on without a word from the server; 0: they are being ended.",
          std::max(0.0, (Duration{lease_until_} - boot_time()).seconds()));
  }
}

void AgentMetrics::write_outcomes(MetricsText& out) const {
  out.family("gyre_agent_task_ends_total", "counter", "Tasks that have ended, by outcome.");
  for (const auto& [outcome, count] : ends_) {
    out.sample({{"outcome", std::string(outcome)}}, static_cast<double>(count));
  }
  out.family("gyre_agent_images_total", "counter",
             "Images that tasks needed, by whether they came to be on the node.");
  out.sample({{"outcome", "ready"}}, static_cast<double>(images_ready_));
  out.sample({{"outcome", "failed"}}, static_cast<double>(images_failed_));
  out.family("gyre_agent_repairs_total", "counter", "Repairs of the node's hardware, by outcome.");
  out.sample({{"outcome", "good"}}, static_cast<double>(repairs_good_));
  out.sample({{"outcome", "failed"}}, static_cast<double>(repairs_failed_));
}

std::string AgentMetrics::text(const agent::Agent& worker) const {
  MetricsText out;
  out.family("gyre_agent_build_info", "gauge", "1, with the version and the node of the agent.");
  out.sample({{"version", GYRE_VERSION}, {"node", node_.name}}, 1);
  const auto tasks = worker.tasks();
  const auto over =
      std::count_if(tasks.begin(), tasks.end(), [](const auto& task) { return task.ended; });
  out.family("gyre_agent_tasks", "gauge", "Tasks that the agent looks after, by state.");
  out.sample({{"state", "live"}}, static_cast<double>(std::ssize(tasks) - over));
  out.sample({{"state", "ended"}}, static_cast<double>(over));
  write_disk(out);
  const std::lock_guard guard(mutex_);
  write_line(out);
  write_outcomes(out);
  out.family("gyre_agent_task_start_seconds", "histogram",
             "Where tasks' starts spent their time; the stages follow each other.");
  for (const auto& [of, times] : stages_) {
    out.histogram({{"stage", std::string(of.name)}, {"warm", of.warm ? "true" : "false"}},
                  times.bounds(), times.buckets(), times.sum());
  }
  server::write_process(out);
  return out.take();
}

Result<std::unique_ptr<MetricsDoor>> MetricsDoor::open(const server::http::Address& address,
                                                       const AgentMetrics& metrics,
                                                       const agent::Agent& worker) {
  std::unique_ptr<MetricsDoor> door(new MetricsDoor);
  door->router_.add("GET", "/metrics", {}, [&metrics, &worker](const server::Call& call) {
    server::http::Response response;
    response.content_type = MetricsText::kContentType;
    response.body = metrics.text(worker);
    call.answer(std::move(response));
  });
  auto http = server::http::Server::start(
      address, {}, 1,
      [router = &door->router_](server::http::Request request, server::http::Reply reply) {
        router->handle(std::move(request), std::move(reply));
      });
  if (!http) return tl::unexpected(http.error());
  door->http_ = std::move(*http);
  return door;
}

}  // namespace gyre::apps
