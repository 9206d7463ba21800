#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "act/task_logs.h"
#include "act/task_usage.h"
#include "live/fleet.h"
#include "live/gatekeeper.h"
#include "live/inbox.h"
#include "live/playback.h"
#include "live/storage.h"
#include "server/api/foresight.h"
#include "server/api/job_list.h"
#include "server/api/router.h"
#include "server/api/server_facts.h"
#include "server/api/telemetry.h"
#include "server/api/views.h"
#include "server/api/watch.h"
#include "server/api/work_thread.h"
#include "server/chaos/chaos.h"
#include "server/proxy/service_watch.h"
#include "server/trace/job_traces.h"
#include "server/trace/json_log.h"

namespace gyre::server {

class Lab;

/// The machine's clock.
Time machine_time();

/// A world that is played, not lived in: its pace, and how long it is known to go on.
struct Simulation {
  live::PlayHead& head;  // on the driver's thread only
  Time last_arrival_at;
};

struct ApiOptions {
  std::size_t page_default = 100;
  std::size_t page_max = 1000;                 // entries of one list page
  std::function<Time()> clock = machine_time;  // of the world that is shown; the driver's thread
  std::optional<Simulation> simulation = std::nullopt;
  // These outlive the last reply; each may be absent.
  live::Gatekeeper* keeper = nullptr;        // null: no agents come in
  Telemetry* telemetry = nullptr;            // none: no /metrics, no GPU readings
  const act::TaskUsages* usages = nullptr;   // none: what tasks use of CPU and memory is not known
  const JobTraces* traces = nullptr;         // none: submissions pass on their callers' traces only
  const observe::SpanSink* spans = nullptr;  // whose counts are shown
  JsonLog* log = nullptr;
  live::Storage* storage = nullptr;                 // null: there is no store
  const proxy::ServiceWatch* services = nullptr;    // null: none is reached through this server
  Lab* lab = nullptr;                               // null: there is none
  std::function<Result<ServerFacts>()> facts = {};  // any thread; empty: a world without a server
  Chaos* chaos = nullptr;                           // null: nothing is broken on purpose
  WorkThread* ahead = nullptr;  // looks ahead; null: the driver's thread does. Nobody else posts
};

/// Tasks of ApiOptions::ahead at most; each holds a copy of the core.
inline constexpr std::size_t kLooksAheadMax = 8;

/// The REST resources of api/openapi.yaml. Reads copy plain data on the driver's thread and are
/// written as text on the connection's; nothing there blocks or takes long. Looking ahead does:
/// that works on a copy of the core on a thread of its own. Thread-safe.
class Api {
 public:
  /// All three outlive the last reply.
  Api(live::Inbox& inbox, live::Fleet& fleet, Watch& watch, ApiOptions options = {});

  void handle(http::Request request, http::Reply reply) const;

 private:
  void add_job_routes();
  void add_cluster_routes();
  void add_event_routes();
  void add_log_routes();
  void add_artifact_routes();
  void add_exec_routes();
  void add_watch_routes();
  void add_clock_routes();
  void add_telemetry_routes();
  void add_service_routes();
  void add_healing_routes();
  void add_policy_routes();
  void add_chaos_routes(Chaos& chaos);
  void add_lab_routes();
  void add_meta_routes();

  JobView with_addresses(JobView job) const;
  JobView with_exits(JobView view, const Job& job) const;
  void list_jobs(const Call& call) const;
  void submit_job(const Call& call) const;
  void show_job(const Call& call) const;
  void show_spec(const Call& call) const;
  void act_on_job(const Call& call) const;
  void list_nodes(const Call& call) const;
  void act_on_node(const Call& call) const;
  void prefetch_on_node(const Call& call, Result<act::FetchImage> order) const;
  void list_incidents(const Call& call) const;
  void show_healing(const Call& call) const;
  void apply_healing(const Call& call) const;
  void reset_healing(const Call& call) const;
  void show_gpus(const Call& call) const;
  void show_gpu_history(const Call& call) const;
  void show_metrics(const Call& call) const;
  void make_join_token(const Call& call) const;
  void show_usage(const Call& call) const;
  void show_costs(const Call& call) const;
  void show_server(const Call& call) const;
  void explain_job(const Call& call) const;
  void plan_job(const Call& call) const;
  bool can_look_ahead() const;
  void look_ahead(std::function<void()> task) const;
  void list_decisions(const Call& call) const;
  void show_history(const Call& call) const;
  void show_clock(const Call& call) const;
  void turn_simulation(const Call& call) const;
  void list_events(const Call& call) const;
  void apply_service(const Call& call) const;
  void delete_service(const Call& call) const;
  void show_services(const Call& call, std::optional<std::string> name) const;
  void show_service_spec(const Call& call) const;
  void list_service_events(const Call& call) const;
  void list_policies(const Call& call) const;
  void show_policy(const Call& call) const;
  void set_policy(const Call& call) const;
  static void list_lab_runs(Lab& lab, const Call& call);
  void start_lab_run(Lab& lab, const Call& call) const;
  static void show_lab_run(Lab& lab, const Call& call);
  static void delete_lab_run(Lab& lab, const Call& call);
  void read_log(const Call& call) const;
  void search_log(const Call& call) const;
  void follow_log(const Call& call, const act::LogQuery& query) const;
  void list_artifacts(const Call& call) const;
  void read_artifact(const Call& call) const;
  void exec_in_job(const Call& call) const;

  /// Runs `look` on the driver's thread and `show` with its result on the I/O thread.
  template <class T>
  void ask(const Call& call, std::function<Result<T>(const control::Controller&)> look,
           std::function<http::Response(const T&)> show) const {
    const auto asked = inbox_.ask(
        [reply = call.reply, look = std::move(look), show = std::move(show)](const auto& core) {
          const auto seen = std::make_shared<const Result<T>>(look(core));
          reply([seen, show] {
            return *seen ? show(**seen) : http::respond(http::problem_of(seen->error()));
          });
        });
    if (!asked) call.fail(http::problem_of(asked.error()));
  }

  proxy::Proxy* proxy() const {
    return options_.services == nullptr ? nullptr : options_.services->proxy();
  }

  live::Inbox& inbox_;
  live::Fleet& fleet_;
  Watch& watch_;
  EventFeed& feed_;
  const ApiOptions options_;
  Router router_;
  mutable JobViews job_views_;  // the driver's thread only
  // Of those who look ahead, too: they may be at it when this is gone.
  const std::shared_ptr<Foresight> foresight_ = std::make_shared<Foresight>();
};

/// Parameters of a query, each with one clear problem if it is wrong.
std::optional<http::Problem> read_number(const http::Request& request, std::string_view name,
                                         std::uint64_t max, std::uint64_t& number);
std::optional<http::Problem> read_flag(const http::Request& request, std::string_view name,
                                       bool& flag);
/// Which task of a gang; and which attempt, none where it is absent or 0.
std::optional<http::Problem> read_rank(const http::Request& request, std::int32_t& rank);
std::optional<http::Problem> read_attempt(const http::Request& request,
                                          std::optional<std::int32_t>& attempt);
/// Names separated by commas as a set of bits, by their place in `names`.
std::optional<http::Problem> read_names(const http::Request& request, std::string_view name,
                                        const std::vector<std::string>& names, unsigned& bits);
http::Problem bad_parameter(std::string_view name, std::string detail, std::string suggestion = {});

/// The id in a job's path. Errors: NotFound for what is no id.
Result<JobId> read_job_id(const std::string& text);

/// By name, the latest of that name, or by id; or NotFound.
Result<NodeId> find_node(const control::Controller& core, const std::string& text);

/// The job, or NotFound.
Result<const Job*> find_job(const control::Controller& core, JobId id);

http::Response json_response(JsonText text);

}  // namespace gyre::server
