#include "server/api/views.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/units.h"
#include "domain/task_exit_words.h"
#include "domain/trace_context.h"
#include "server/api/guarantees.h"

namespace gyre::server {
namespace {

/// The code a shell would show; none where no process has ended.
std::optional<std::int32_t> exit_code_of(const Job& job) {
  const bool ran = job.attempt > 0 && (job.exit.kind == TaskExit::Kind::Exited ||
                                       job.exit.kind == TaskExit::Kind::Signaled);
  if (!is_final(job.state) || !ran) return std::nullopt;
  return job.exit.shell_code();
}

std::string ending_detail(const Job& job) {
  const std::string said = job.attempt == 0 ? job.exit.message : words_of(job.exit);
  if (job.ending != Termination::DeadlineExceeded) return said;
  return fmt::format("its deadline of {} after submission has passed{}{}",
                     format_duration(job.spec->deadline.value_or(Duration{})),
                     said.empty() ? "" : ": ", said);
}

void write_exit(JsonText& out, const TaskExit& exit) {
  static constexpr std::string_view kKinds[] = {"exited", "signaled", "start_failed", "lost"};
  out.open('{')
      .member("kind", kKinds[static_cast<std::size_t>(exit.kind)])
      .member("code", exit.code)
      .member("message", exit.message)
      .close('}');
}

void write_request(JsonText& out, const TaskGroup& group) {
  const Request& request = group.request;
  out.open('{').member("count", group.count).member("gpus", request.gpus);
  out.member("gpu_milli_each", request.gpu_milli.value)
      .member("sharing", to_string(request.sharing));
  out.key("gpu_models").open('[');
  for (const std::string& model : request.gpu_models) out.value(model);
  out.close(']')
      .member("gpu_memory_mib", request.gpu_memory.value)
      .member("cpu_milli", request.cpu.value)
      .member("memory_mib", request.memory.value)
      .close('}');
}

/// Where the last start spent its time. `decide` is known of the first attempt alone: later ones
/// waited for other reasons too.
void write_start(JsonText& out, const JobView& job) {
  const StartStages& start = job.full->start;
  const auto us = [](Duration duration) { return std::max<std::int64_t>(0, duration.ns) / 1000; };
  const Time placed = job.full->placed_at;
  const Duration decide = job.attempt == 1 ? placed - job.submitted_at : Duration{};
  out.key("start");
  if (start.received == Time{}) {
    out.null();
    return;
  }
  out.open('{')
      .member("decide_us", us(decide))
      .member("deliver_us", us(start.received - placed))
      .member("image_us", us(start.image))
      .member("root_us", us(start.root))
      .member("create_us", us(start.create))
      .member("init_us", us(start.init))
      .member("ready_us", us(start.ready))
      .member("warm", start.warm)
      .close('}');
}

void write_full(JsonText& out, const JobView& job) {
  const JobSpec& spec = job.full->spec;
  out.key("command").open('[');
  for (const std::string& argument : spec.launch.command) out.value(argument);
  out.close(']').key("env").open('{');
  for (const auto& [name, value] : spec.launch.env) {
    JsonText escaped;
    std::string key = escaped.value(name).take();
    out.key(std::string_view(key).substr(1, key.size() - 2)).value(value);
  }
  out.close('}').member("working_directory", spec.launch.working_directory);
  out.key("trace_id");
  if (const auto trace = parse_trace_parent(spec.launch.trace_parent)) {
    out.value(trace_id_text(*trace));
  } else {
    out.null();
  }
  out.member("image", spec.launch.container.image.empty() ? "host" : spec.launch.container.image);
  out.key("requests").open('[');
  for (const TaskGroup& group : spec.tasks) write_request(out, group);
  out.close(']').key("topology");
  if (spec.topology) {
    out.value(to_string(*spec.topology));
  } else {
    out.null();
  }
  out.key("placement_rules");
  if (spec.placement) {
    out.value(to_string(*spec.placement));
  } else {
    out.null();
  }
  out.key("placement");
  write_placement(out, job.full->placement, job.places);
  write_start(out, job);
  out.key("exit");
  if (job.full->exit) {
    write_exit(out, *job.full->exit);
  } else {
    out.null();
  }
  write_exit_codes(out, job);
}

}  // namespace

void write_time(JsonText& out, std::string_view name, const std::optional<Time>& time) {
  out.key(name);
  if (time) {
    out.value(format_utc(*time));
  } else {
    out.null();
  }
}

std::vector<JobView::Place> places_of(const control::Controller& core,
                                      const std::vector<TaskPlacement>& placement) {
  std::vector<JobView::Place> places;
  places.reserve(placement.size());
  for (const TaskPlacement& task : placement) {
    const NodeSpec& node = core.cluster().node(task.node).spec;
    places.push_back({node.name, node.virtual_gpus});
  }
  return places;
}

static Time last_placed_at(const Job& job) {
  Time last = job.attempt_started_at;
  for (const TaskAttempt& one : job.attempts) last = std::max(last, one.placed_at);
  return last;
}

JobView view_job(const control::Controller& core, const Job& job, bool full, Time now) {
  JobView view;
  view.id = job.id;
  view.name = job.spec->name;
  view.state = job.state;
  view.exit_code = exit_code_of(job);
  view.attempt = job.attempt;
  view.retries = job.retries;
  view.preemptions = job.preemptions;
  view.priority = job.spec->priority;
  view.preemptible = job.spec->preemptible;
  view.queue = job.spec->queue;
  view.gpu_milli = gpu_total(job.spec->tasks).value;
  view.tasks = task_count(job.spec->tasks);
  view.places = places_of(core, job.placement);
  for (std::size_t rank = 0; rank < view.places.size(); ++rank) {
    view.places[rank].attempt = attempt_of(job, static_cast<std::int32_t>(rank));
  }
  for (std::size_t rank = 0; rank < job.ports.size(); ++rank) {
    for (std::size_t i = 0; i < job.ports[rank].size(); ++i) {
      view.ports.push_back({job.spec->launch.ports[i], static_cast<std::int32_t>(rank),
                            job.placement[rank].node, "", job.ports[rank][i]});
    }
  }
  view.submitted_at = job.submitted_at;
  view.started_at = job.first_started_at;
  if (is_final(job.state)) {
    view.ended_at = job.state_since;
    view.reason = to_string(job.ending);
    view.reason_detail = ending_detail(job);
  } else if (job.state == JobState::Queued) {
    view.waiting = core.explain(job);
    view.reason = to_string(view.waiting->reason);
    view.reason_detail = view.waiting->detail;
  }
  const Charge charge = core.charge_of(job, now);
  if (charge != Charge{} || (core.ledger().prices() != nullptr && !is_final(job.state))) {
    view.cost = JobView::Cost{charge, core.rate_of(job)};
  }
  if (const IdleWarning* warning = core.idle().warning(job.id)) view.warning = *warning;
  if (full) {
    view.full =
        JobView::Full{job.spec, job.placement, std::nullopt, last_placed_at(job), job.start};
    if (job.ending != Termination::None && job.attempt > 0) view.full->exit = job.exit;
  }
  return view;
}

void write_money(JsonText& out, const std::optional<Money>& money) {
  out.value(money ? std::optional(money->value) : std::nullopt);
}

void write_charge(JsonText& out, const Charge& charge) {
  out.member("micro_usd", charge.amount.value);
  out.key("gpu_seconds").thousandths(charge.gpu_us / 1000);
}

void write_cost(JsonText& out, const JobView& job) {
  out.key("cost");
  if (!job.cost) {
    out.null();
    return;
  }
  out.open('{');
  write_charge(out, job.cost->charge);
  out.member("hour_micro_usd", job.cost->hour.value).close('}');
}

void write_warning(JsonText& out, const JobView& job) {
  out.key("warning");
  if (!job.warning) {
    out.null();
    return;
  }
  out.open('{').member("at", format_utc(job.warning->at));
  out.member("stops_at", format_utc(job.warning->stops_at));
  out.member("detail", describe(job.warning->use)).close('}');
}

void write_exit_codes(JsonText& out, const JobView& job) {
  out.key("exit_codes").open('[');
  for (const auto& code : job.exit_codes) {
    if (code) {
      out.value(*code);
    } else {
      out.null();
    }
  }
  out.close(']');
}

void write_ports(JsonText& out, const JobView& job) {
  out.key("ports").open('[');
  for (const JobView::Port& port : job.ports) {
    out.open('{').member("name", port.name).member("rank", port.rank);
    out.member("node", job.places[static_cast<std::size_t>(port.rank)].node).key("address");
    if (port.address.empty()) {
      out.null();
    } else {
      out.value(port.address);
    }
    out.member("port", port.port).close('}');
  }
  out.close(']');
}

void write_job(JsonText& out, const JobView& job) {
  out.open('{')
      .member("id", job.id.value)
      .member("name", job.name)
      .member("state", to_string(job.state));
  out.key("reason");
  if (job.reason.empty()) {
    out.null();
  } else {
    out.value(job.reason);
  }
  out.member("reason_detail", job.reason_detail)
      .member("exit_code", job.exit_code)
      .member("attempt", job.attempt)
      .member("retries", job.retries)
      .member("preemptions", job.preemptions)
      .member("priority", job.priority)
      .member("preemptible", job.preemptible)
      .member("queue", job.queue);
  out.key("gpus").thousandths(job.gpu_milli).member("tasks", job.tasks);
  out.key("nodes").open('[');
  for (const JobView::Place& place : job.places) out.value(place.node);
  out.close(']');
  write_ports(out, job);
  write_time(out, "submitted_at", job.submitted_at);
  write_time(out, "started_at", job.started_at);
  write_time(out, "ended_at", job.ended_at);
  write_cost(out, job);
  write_warning(out, job);
  if (job.full) write_full(out, job);
  out.close('}');
}

std::string description_of(const PolicySpec& policy) {
  const auto named = policy_by_name(policy.name);
  if (!named || *named != policy) return "of a policy file";
  const std::size_t plus = policy.name.find('+');
  if (plus == std::string::npos) return std::string(describe(policy));
  const auto base = policy_by_name(policy.name.substr(0, plus));
  return fmt::format("{}; places by {}", describe(*base), policy.name.substr(plus + 1));
}

/// What hinders most comes first.
static std::size_t state_of(const Node& node) {
  if (!node.up) return 6;
  if (node.silent) return 5;
  if (!node.gpu_troubles.none()) return 4;
  if (node.quarantined) return 3;
  if (node.duty == NodeDuty::Draining) return 2;
  return node.duty == NodeDuty::Cordoned ? 1 : 0;
}

std::vector<NodeView> view_nodes(const control::Controller& core,
                                 const std::map<NodeId, act::MachineFacts>& facts,
                                 const std::map<NodeId, act::ImageFetched>& image_troubles,
                                 const NodeFilter& filter) {
  std::vector<NodeView> views;
  std::uint32_t id = 0;
  for (const Node& node : core.cluster().nodes()) {
    const NodeId this_one{id++};
    const std::size_t state = state_of(node);
    if ((filter.states >> state & 1U) == 0) continue;
    if (filter.name && node.spec.name != *filter.name) continue;
    if (filter.name) views.clear();
    const auto known = facts.find(this_one);
    const auto images = core.images().images(this_one);
    views.push_back({node.spec, this_one, kNodeStates[state], node.free,
                     known == facts.end() ? std::nullopt : std::optional(known->second),
                     images.size()});
    if (filter.images) views.back().images.assign(images.begin(), images.end());
    const auto trouble = image_troubles.find(this_one);
    if (trouble != image_troubles.end()) views.back().image_trouble = trouble->second;
  }
  return views;
}

static void write_facts(JsonText& out, const act::MachineFacts& facts) {
  out.open('{').member("address", facts.address).key("addresses").open('[');
  for (const std::string& address : facts.addresses) out.value(address);
  out.close(']')
      .member("kernel", facts.kernel)
      .member("gpu_driver", facts.gpu_driver)
      .member("numa_nodes", facts.numa_nodes)
      .member("agent_version", facts.version)
      .key("labels")
      .open('{');
  for (const auto& [name, value] : facts.labels) out.member(name, value);
  out.close('}').key("gpu_links").open('[');
  for (const act::GpuLink& one : facts.gpu_links) {
    out.open('{').member("gpu", one.gpu).key("peer");
    if (one.peer < 0) {
      out.null();
    } else {
      out.value(one.peer);
    }
    out.member("links", one.links).close('}');
  }
  out.close(']').close('}');
}

static void write_images(JsonText& out, const NodeView& node, bool each) {
  out.member("images_held", node.images_held);
  if (each) out.key("images").open('[');
  for (const HeldImage& image : node.images) {
    if (!each) break;
    out.open('{').member("reference", image.reference).member("digest", image.digest).close('}');
  }
  if (each) out.close(']');
  out.key("image_trouble");
  if (!node.image_trouble) {
    out.null();
    return;
  }
  out.open('{')
      .member("image", node.image_trouble->image)
      .member("error", node.image_trouble->error)
      .close('}');
}

void write_node(JsonText& out, const NodeView& node, bool devices) {
  const NodeSpec& spec = node.spec;
  std::int64_t free_milli = 0;
  for (std::int32_t i = 0; i < spec.gpus; ++i) free_milli += node.free.gpu[i];
  out.open('{')
      .member("id", node.id.value)
      .member("name", spec.name)
      .member("state", node.state)
      .member("partition", spec.partition)
      .key("location")
      .open('{');
  for (std::size_t i = 0; i < kTopologyLevels; ++i) {
    const auto level = static_cast<TopologyLevel>(i);
    if (!spec.location.at(level).empty()) out.member(to_string(level), spec.location.at(level));
  }
  out.close('}')
      .member("gpu_model", spec.gpu_model)
      .member("gpus", spec.gpus)
      .key("gpus_free")
      .thousandths(free_milli);
  out.member("virtual_gpus", spec.virtual_gpus)
      .member("gpu_sharing", to_string(spec.gpu_sharing))
      .member("gpu_memory_mib", spec.gpu_memory.value);
  if (devices) out.key("devices").open('[');
  for (std::int32_t i = 0; devices && i < spec.gpus; ++i) {
    out.open('{').member("index", i).member("gpu_milli_free", node.free.gpu[i]).close('}');
  }
  if (devices) out.close(']');
  write_images(out, node, devices);
  out.member("cpu_milli", spec.cpu.value)
      .member("cpu_milli_free", node.free.cpu.value)
      .member("memory_mib", spec.memory.value)
      .member("memory_mib_free", node.free.memory.value)
      .key("machine");
  if (node.facts) {
    write_facts(out, *node.facts);
  } else {
    out.null();
  }
  out.close('}');
}

/// Whether `one` is more apt than `other` to say why its queue waits; both wait.
static bool says_more(const Job& one, const Job& other) {
  const auto key = [](const Job& job) {
    return std::tuple(job.hold_until.has_value(), -job.spec->priority, job.id);
  };
  return key(one) < key(other);
}

std::vector<QueueView> view_queues(const control::Controller& core) {
  std::vector<QueueView> views;
  std::map<std::string, std::size_t> by_name;
  const auto up = gpu_milli_up(core.cluster());
  const bool priced = core.ledger().prices() != nullptr;
  for (const QueueSpec& spec : core.queues()) {
    by_name.emplace(spec.name, views.size());
    const auto gpus = up.find(spec.partition);
    views.push_back({spec, 0, 0, 0, core.queue_use(spec.name), gpus == up.end() ? 0 : gpus->second,
                     priced ? std::optional(Money{}) : std::nullopt, std::nullopt});
  }
  std::set<std::string> governed;  // partitions
  for (const QueueSpec& spec : core.queues()) {
    if (spec.has_quota()) governed.insert(spec.partition);
  }
  std::vector<const Job*> first(views.size());
  core.jobs().for_each([&](const Job& job) {
    if (is_final(job.state)) return;
    const auto own = by_name.find(job.spec->queue);
    if (own != by_name.end() && job.state == JobState::Queued) {
      const Job*& known = first[own->second];
      if (known == nullptr || says_more(job, *known)) known = &job;
    }
    const Money hour = priced && is_placed(job.state) ? core.rate_of(job) : Money{};
    for (auto at = own; at != by_name.end(); at = by_name.find(views[at->second].spec.parent)) {
      QueueView& view = views[at->second];
      view.queued += job.state == JobState::Queued;
      view.placed += is_placed(job.state);
      if (!is_placed(job.state)) continue;
      view.gpu_milli += gpu_total(job.spec->tasks).value;
      if (view.hour) *view.hour += hour;
    }
  });
  for (std::size_t i = 0; i < views.size(); ++i) {
    QueueView& view = views[i];
    view.governed = governed.contains(view.spec.partition);
    if (!view.governed && view.gpu_milli_up > 0) {
      view.use.share = static_cast<double>(view.gpu_milli) / static_cast<double>(view.gpu_milli_up);
    }
    if (first[i] == nullptr) continue;
    view.first = {first[i]->id, first[i]->spec->name, core.explain(*first[i])};
  }
  return views;
}

void write_queue(JsonText& out, const QueueView& queue) {
  const QueueSpec& spec = queue.spec;
  out.open('{')
      .member("name", spec.name)
      .member("partition", spec.partition)
      .member("jobs_queued", queue.queued)
      .member("jobs_placed", queue.placed)
      .member("parent", spec.parent)
      .member("weight", spec.weight)
      .member("gpu_milli_used", queue.gpu_milli)
      .member("gpu_milli_guaranteed", spec.guaranteed.gpu_milli)
      .member("gpu_milli_max", spec.gpu_milli_max)
      .member("jobs_max", spec.jobs_max)
      .member("governed", queue.governed)
      .member("gpu_seconds_used", queue.use.gpu_milli_s / 1000)
      .member("gpu_seconds_max", spec.gpu_seconds_max)
      .member("share", queue.use.share)
      .member("gpu_milli_past", queue.use.past.gpu_milli)
      .member("gpu_milli_up", queue.gpu_milli_up);
  out.key("hour_micro_usd");
  write_money(out, queue.hour);
  out.key("first_waiting");
  if (queue.first) {
    out.open('{')
        .member("job", queue.first->job.value)
        .member("name", queue.first->name)
        .key("why");
    write_explanation(out, queue.first->why);
    out.close('}');
  } else {
    out.null();
  }
  out.close('}');
}

namespace {

void write_outlook(JsonText& out, const control::Outlook& outlook) {
  const control::StartForecast& start = outlook.start;
  out.open('{').key("start").open('{');
  write_time(out, "earliest", start.earliest);
  write_time(out, "median", start.median);
  write_time(out, "latest", start.latest);
  out.member("scenarios_percent", static_cast<std::int64_t>(100 * start.kShare));
  out.member("spread_known", start.median && start.earliest != start.latest);
  out.member("unknown", start.unknown).close('}');
  out.key("alternatives").open('[');
  for (const control::Alternative& alternative : outlook.alternatives) {
    out.open('{').member("change", alternative.change);
    out.member("starts_now", alternative.starts_now).key("preempts").open('[');
    for (const JobId job : alternative.preempts) out.value(job.value);
    out.close(']');
    const auto none = std::optional<Time>();
    write_time(out, "expected_start", alternative.at_latest ? none : alternative.sooner);
    write_time(out, "latest_start", alternative.at_latest ? alternative.sooner : none);
    out.member("looked_ahead", alternative.looked_ahead).close('}');
  }
  out.close(']').close('}');
}

}  // namespace

void write_explanation(JsonText& out, const Explanation& explanation,
                       const control::Outlook* outlook, std::string_view no_outlook) {
  out.open('{')
      .member("reason", to_string(explanation.reason))
      .member("detail", explanation.detail)
      .member("jobs_ahead", explanation.jobs_ahead);
  out.key("blocked_by");
  if (explanation.blocked_by) {
    out.value(explanation.blocked_by->value);
  } else {
    out.null();
  }
  write_time(out, "expected_start", outlook == nullptr ? std::nullopt : outlook->start.median);
  out.key("outlook");
  if (outlook == nullptr) {
    out.null();
  } else {
    write_outlook(out, *outlook);
  }
  out.member("no_outlook", no_outlook).close('}');
}

void write_placement(JsonText& out, const std::vector<TaskPlacement>& placement,
                     const std::vector<JobView::Place>& places) {
  out.open('[');
  for (std::size_t i = 0; i < placement.size(); ++i) {
    const Allocation& part = placement[i].allocation;
    out.open('{').member("rank", placement[i].rank).member("node", places[i].node);
    out.member("virtual_gpus", places[i].virtual_gpus);
    if (places[i].attempt > 0) out.member("attempt", places[i].attempt);
    out.key("devices").open('[');
    for (int device = 0; device < kGpusPerNodeMax; ++device) {
      if ((part.devices >> device & 1) != 0) out.value(device);
    }
    out.close(']')
        .member("gpu_milli_each", part.gpu_milli.value)
        .member("sharing", to_string(part.sharing))
        .member("cpu_milli", part.cpu.value)
        .member("memory_mib", part.memory.value)
        .close('}');
  }
  out.close(']');
}

}  // namespace gyre::server
