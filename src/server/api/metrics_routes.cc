// GET /metrics
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "reason/placement/fragmentation.h"
#include "server/api/api.h"
#include "server/api/gpu_text.h"
#include "server/api/guarantees.h"
#include "server/api/metrics_text.h"
#include "server/api/process_metrics.h"
#include "server/api/service_view.h"

namespace gyre::server {
namespace {

/// Waiting jobs whose reason is found for one scrape; the others are counted as unexamined, since a
/// reason costs a search.
constexpr std::size_t kExplainedMax = 256;
constexpr std::string_view kUnexamined = "Unexamined";

/// Which jobs hold a node's devices: "12,13". Without a name: none.
struct NodeJobs {
  std::string name;
  std::array<std::string, kGpusPerNodeMax> by_device;
};

/// What one scrape takes from the core, on the driver's thread.
struct CoreNumbers {
  std::array<std::int64_t, kJobStateCount> jobs{};
  std::map<std::string_view, std::int64_t> pending;
  std::int64_t nodes_up = 0;
  std::int64_t nodes_down = 0;
  std::int64_t gpu_milli_up = 0;
  std::int64_t virtual_gpus_up = 0;
  std::map<std::string_view, std::int64_t> gpus_by_sharing;  // of nodes that are up
  std::int64_t take_overs = 0;
  reason::Fragmentation::Sum fragmentation;
  GuaranteeViews guarantees;  // by partition
  std::optional<Money> hour;  // what is held costs; none: there are no prices
  std::vector<NodeJobs> jobs_on;
};

void note_jobs(const control::Controller& core, const Job& job, std::vector<NodeJobs>& by_node) {
  for (const TaskPlacement& task : job.placement) {
    if (by_node.size() <= task.node.value) by_node.resize(task.node.value + 1);
    NodeJobs& on = by_node[task.node.value];
    if (on.name.empty()) on.name = core.cluster().node(task.node).spec.name;
    for (std::size_t device = 0; device < on.by_device.size(); ++device) {
      if ((task.allocation.devices >> device & 1) == 0) continue;
      std::string& ids = on.by_device[device];
      if (!ids.empty()) ids += ',';
      ids += fmt::format_int(job.id.value).c_str();
    }
  }
}

CoreNumbers look(const control::Controller& core) {
  CoreNumbers out;
  std::size_t explained = 0;
  core.jobs().for_each([&](const Job& job) {
    ++out.jobs[static_cast<std::size_t>(job.state)];
    if (job.state == JobState::Queued) {
      const bool explain = explained++ < kExplainedMax;
      ++out.pending[explain ? to_string(core.explain(job).reason) : kUnexamined];
    }
    note_jobs(core, job, out.jobs_on);
  });
  for (const Node& node : core.cluster().nodes()) {
    ++(node.up ? out.nodes_up : out.nodes_down);
    if (!node.up || node.spec.gpus == 0) continue;
    out.gpu_milli_up += std::int64_t{node.spec.gpus} * kWholeGpu.value;
    if (node.spec.virtual_gpus) out.virtual_gpus_up += node.spec.gpus;
    out.gpus_by_sharing[to_string(node.spec.gpu_sharing)] += node.spec.gpus;
  }
  const auto& incidents = core.healer().incidents();
  out.take_overs = std::count_if(incidents.begin(), incidents.end(), [](const Incident& one) {
    return one.symptom == Symptom::LeaderLost;
  });
  out.guarantees = view_guarantees(core);
  if (core.ledger().prices() != nullptr) out.hour = core.ledger().rate();
  return out;
}

void write_state(MetricsText& out, const CoreNumbers& numbers, const CoreCounts::Read& counts) {
  write_server(out, true);
  out.family("gyre_take_overs", "gauge",
             "Times that a server took over from one that was not heard of, of the incidents that "
             "are kept.");
  out.sample({}, static_cast<double>(numbers.take_overs));
  out.family("gyre_jobs", "gauge", "Jobs that are kept, by state.");
  for (std::size_t i = 0; i < numbers.jobs.size(); ++i) {
    out.sample({{"state", std::string(to_string(static_cast<JobState>(i)))}},
               static_cast<double>(numbers.jobs[i]));
  }
  out.family("gyre_jobs_pending", "gauge", "Waiting jobs, by the reason of waiting.");
  for (const auto& [reason, count] : numbers.pending) {
    out.sample({{"reason", std::string(reason)}}, static_cast<double>(count));
  }
  out.family("gyre_nodes", "gauge", "Nodes, by whether they are up.");
  out.sample({{"state", "up"}}, static_cast<double>(numbers.nodes_up));
  out.sample({{"state", "down"}}, static_cast<double>(numbers.nodes_down));
  out.family("gyre_gpus", "gauge", "GPUs of nodes that are up.");
  out.sample({}, static_cast<double>(numbers.gpu_milli_up) / 1000);
  out.family("gyre_gpus_virtual", "gauge",
             "Those of them that are declared, with no device behind them.");
  out.sample({}, static_cast<double>(numbers.virtual_gpus_up));
  out.family("gyre_gpus_offered", "gauge", "GPUs of nodes that are up, by how they are shared.");
  for (const auto& [sharing, count] : numbers.gpus_by_sharing) {
    out.sample({{"sharing", std::string(sharing)}}, static_cast<double>(count));
  }
  out.family("gyre_gpus_allocated", "gauge", "GPUs that jobs hold, shares as fractions.");
  out.sample({}, static_cast<double>(counts.gpu_milli) / 1000);
  out.family("gyre_gpus_guaranteed_lacking", "gauge",
             "GPUs that are guaranteed to queues beyond all that are up, by partition.");
  for (const auto& [partition, gpus] : numbers.guarantees) {
    const auto lacking = std::max<std::int64_t>(0, gpus.gpu_milli_guaranteed - gpus.gpu_milli_up);
    out.sample({{"partition", partition}}, static_cast<double>(lacking) / 1000);
  }
  if (numbers.hour) {
    out.family("gyre_spend_usd_per_hour", "gauge", "What jobs hold costs, at present prices.");
    out.sample({}, static_cast<double>(numbers.hour->value) / 1e6);
  }
  out.family("gyre_gpus_fragmented", "gauge",
             "Free GPUs that a typical task of the latest jobs cannot use (FGD, USENIX ATC 2023).");
  out.sample({}, numbers.fragmentation.lost_milli / 1000);
  if (numbers.fragmentation.ratio) {
    out.family("gyre_gpu_fragmentation_ratio", "gauge", "The same as a share of the free GPUs.");
    out.sample({}, *numbers.fragmentation.ratio);
  }
}

void write_gpu_time(MetricsText& out, const CoreCounts::GpuSeconds& times,
                    const std::vector<GpuWatch::Latest>& gpus) {
  double active = 0;
  for (const GpuWatch::Latest& gpu : gpus) active += gpu.usage.busy_seconds;
  out.family("gyre_gpu_seconds_total", "counter",
             "GPU time: allocated, idle and broken make up the fleet; active is the part in which "
             "SMs worked.");
  out.sample({{"state", "allocated"}}, times.allocated);
  out.sample({{"state", "active"}}, active);
  out.sample({{"state", "idle"}}, times.idle);
  out.sample({{"state", "broken"}}, times.broken);
}

void write_work(MetricsText& out, const CoreCounts::Read& counts) {
  out.family("gyre_events_total", "counter", "Events that the core has been told.");
  out.sample({}, static_cast<double>(counts.events));
  out.family("gyre_decisions_total", "counter", "Commands of the core, by kind.");
  out.sample({{"kind", "start_gang"}}, static_cast<double>(counts.starts));
  out.sample({{"kind", "stop_gang"}}, static_cast<double>(counts.stops));
  out.sample({{"kind", "replace_task"}}, static_cast<double>(counts.replacements));
  out.family("gyre_prediction_fallbacks_total", "counter",
             "Predicted run times that decisions could not go by, by why.");
  out.sample({{"why", "absurd"}}, static_cast<double>(counts.fallbacks.absurd));
  out.sample({{"why", "overrun"}}, static_cast<double>(counts.fallbacks.overrun));
  out.sample({{"why", "unseen"}}, static_cast<double>(counts.fallbacks.unseen));
  out.family("gyre_job_transitions_total", "counter", "Changes of jobs to a state, by cause.");
  for (const auto& [change, count] : counts.transitions) {
    out.sample({{"to", std::string(to_string(change.first))},
                {"cause", std::string(to_string(change.second))}},
               static_cast<double>(count));
  }
}

void write_histogram(MetricsText& out, MetricsText::Labels labels, const Histogram& histogram) {
  out.histogram(std::move(labels), histogram.bounds(), histogram.buckets(), histogram.sum());
}

void write_times(MetricsText& out, const CoreCounts::Read& counts) {
  out.family("gyre_decision_duration_seconds", "histogram",
             "Time from an event's arrival to the core's answer.");
  write_histogram(out, {}, counts.decisions);
  out.family("gyre_cycle_budget_hits_total", "counter",
             "Decision cycles that ran out of work and went on later.");
  out.sample({}, static_cast<double>(counts.budget_hits));
  out.family("gyre_cycle_budget_node_states", "gauge",
             "Node states that a decision cycle may look at; kept to what takes 5 ms.");
  out.sample({}, static_cast<double>(counts.work_max));
  out.family("gyre_restart_cost_seconds", "gauge",
             "Run time that being stopped is taken to cost a job: as the policy says, or as starts "
             "and stops are measured where that is more.");
  out.sample({}, counts.restart_cost.seconds());
  out.family("gyre_journal_lag_seconds", "histogram",
             "Time from an event's arrival to its being durable.");
  write_histogram(out, {}, counts.journal_lag);
  out.family("gyre_journal_lag_events", "gauge", "Events answered that are not durable yet.");
  out.sample({}, static_cast<double>(counts.events_not_durable));
  out.family("gyre_job_wait_seconds", "histogram",
             "Time from submission to the first start, by queue and by the job's GPUs.");
  for (const auto& [of, times] : counts.waits) {
    write_histogram(out, {{"queue", of.queue}, {"gpus", std::string(of.gpus)}}, times);
  }
  out.family("gyre_task_start_seconds", "histogram",
             "Where a node spent the time of a task's start; the stages follow each other.");
  for (const auto& [of, times] : counts.start_stages) {
    write_histogram(out, {{"stage", std::string(of.stage)}, {"warm", of.warm ? "true" : "false"}},
                    times);
  }
}

void write_fetches(MetricsText& out, const live::Fleet::ImageFetches& fetches) {
  out.family("gyre_image_prefetches_total", "counter",
             "Images that nodes have fetched before a job needed them, by what became of it.");
  out.sample({{"outcome", "fetched"}}, static_cast<double>(fetches.good));
  out.sample({{"outcome", "failed"}}, static_cast<double>(fetches.failed));
}

void write_http(MetricsText& out, const HttpTimes& times) {
  std::array<double, HttpTimes::kBoundsUs.size()> bounds{};
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    bounds[i] = static_cast<double>(HttpTimes::kBoundsUs[i]) / 1e6;
  }
  out.family("gyre_http_request_duration_seconds", "histogram",
             "Time from the whole request to its answer.");
  for (std::size_t method = 0; method < HttpTimes::kMethods.size(); ++method) {
    const HttpTimes::Read read = times.read(method);
    out.histogram({{"method", std::string(HttpTimes::kMethods[method])}}, bounds, read.buckets,
                  static_cast<double>(read.sum_us) / 1e6);
  }
}

void write_spans(MetricsText& out, const observe::SpanSink::Counts& spans) {
  out.family("gyre_spans_total", "counter", "Spans of traces, by what became of them.");
  out.sample({{"outcome", "sent"}}, static_cast<double>(spans.sent));
  out.sample({{"outcome", "dropped"}}, static_cast<double>(spans.dropped));
  out.family("gyre_spans_waiting", "gauge", "Spans that wait to be sent.");
  out.sample({}, static_cast<double>(spans.waiting));
}

GpuText gpu_text(std::vector<GpuWatch::Latest> gpus, const CoreNumbers& numbers) {
  std::map<std::string_view, const NodeJobs*> by_name;
  for (const NodeJobs& node : numbers.jobs_on) by_name.emplace(node.name, &node);
  std::vector<GpuText::Gpu> all;
  all.reserve(gpus.size());
  for (GpuWatch::Latest& gpu : gpus) {
    const auto node = by_name.find(gpu.node);
    const auto device = static_cast<std::size_t>(gpu.device);
    const bool held = node != by_name.end() && device < node->second->by_device.size();
    std::string jobs = held ? node->second->by_device[device] : "";
    all.push_back({std::move(gpu), std::move(jobs)});
  }
  return GpuText(std::move(all));
}

void write_chaos(MetricsText& out, const Chaos::Counts& counts) {
  out.family("gyre_chaos_on", "gauge", "1 while faults on purpose are allowed.");
  out.sample({}, counts.on ? 1 : 0);
  out.family("gyre_chaos_faults_total", "counter", "Faults on purpose, by kind.");
  for (const auto& [name, count] : counts.faults) {
    out.sample({{"do", name}}, static_cast<double>(count));
  }
}

Time wall_clock() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return Time{std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()};
}

}  // namespace

void Api::show_metrics(const Call& call) const {
  struct Seen {
    CoreNumbers numbers;
    std::vector<ServiceView> services;
  };
  const auto write = [telemetry = options_.telemetry, spans = options_.spans,
                      chaos = options_.chaos, fetches = fleet_.image_fetches()](
                         const Seen& seen, const std::vector<proxy::ServiceStats>& stats) {
    MetricsText out;
    const CoreCounts::Read counts = telemetry->core.read(wall_clock());
    std::vector<GpuWatch::Latest> gpus = telemetry->gpus.read_all();
    write_state(out, seen.numbers, counts);
    write_gpu_time(out, counts.gpu_seconds, gpus);
    write_work(out, counts);
    write_times(out, counts);
    write_fetches(out, fetches);
    write_http(out, telemetry->http);
    if (spans != nullptr) write_spans(out, spans->counts());
    if (chaos != nullptr) write_chaos(out, chaos->counts());
    write_process(out);
    write_services(out, seen.services, stats);
    auto text =
        std::make_unique<MetricsStream>(out.take(), gpu_text(std::move(gpus), seen.numbers));
    http::Response response;
    response.content_type = MetricsText::kContentType;
    response.stream_bytes = text->bytes();
    response.stream = std::move(text);
    return response;
  };
  const auto asked = inbox_.ask(
      [this, write, reply = call.reply, proxy = proxy()](const control::Controller& core) {
        CoreNumbers numbers = look(core);
        numbers.fragmentation = watch_.fragmentation.measure(core, options_.clock());
        const auto seen = std::make_shared<const Seen>(
            Seen{std::move(numbers),
                 view_services(core, std::nullopt).value_or(std::vector<ServiceView>{})});
        if (proxy == nullptr || seen->services.empty()) {
          return reply([seen, write] { return write(*seen, {}); });
        }
        proxy->ask([seen, write, reply](std::vector<proxy::ServiceStats> stats) {
          reply([seen, write, stats = std::move(stats)] { return write(*seen, stats); });
        });
      });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
