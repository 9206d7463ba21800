#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/outlook.h"
#include "cli/verbs.h"
#include "codec/utc.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kActive = "queued,starting,running,preempting,stopping";

/// From an RFC 3339 time to another, in whole seconds: "3m 20s"; "-" for null.
std::string between(const Json& time, const Json& now) {
  if (!time.is_string() || !now.is_string()) return "-";
  const auto then = codec::parse_utc(time.get_ref<const std::string&>());
  const auto end = codec::parse_utc(now.get_ref<const std::string&>());
  if (!then || !end) return "-";
  const std::int64_t age = (*end - *then).ns / 1'000'000'000;
  return format_duration(seconds(std::max<std::int64_t>(0, age)));
}

/// With three decimals at most, however large: "1024", "0.5".
std::string plain(double number) {
  return fmt::format("{:.15g}", std::round(number * 1000) / 1000);
}

std::string cost_text(const Json& cost) {
  return cost.is_object() ? format_money(Money{cost.value("micro_usd", std::int64_t{0})}) : "-";
}

/// Every page of the job list, oldest first.
Outcome<Json> all_jobs(HttpClient& client, bool ended_too) {
  Json all = Json::array();
  std::string cursor;
  do {
    std::string target = "/v1/jobs?limit=1000";
    if (!ended_too) target += std::string("&state=") + kActive;
    if (!cursor.empty()) target += "&cursor=" + cursor;
    auto page = get_json(client, target);
    if (!page) return tl::unexpected(page.error());
    for (Json& job : page->at("jobs")) all.push_back(std::move(job));
    cursor = page->at("next_cursor").is_string() ? page->value("next_cursor", "") : "";
  } while (!cursor.empty());
  std::reverse(all.begin(), all.end());
  return all;
}

/// "10.0.0.7:12345", or the node's name where its address is not known.
std::string place_of(const Json& port) {
  const Json& address = port.at("address");
  std::string host = text_or_dash(address.is_null() ? port.at("node") : address);
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}:{}", host, port.at("port").dump());
}

/// `now`: by the server, whose time may be a simulation's.
void print_jobs(const Json& jobs, const Json& now, bool wide) {
  const bool priced = std::any_of(jobs.begin(), jobs.end(),
                                  [](const Json& job) { return job.at("cost").is_object(); });
  std::vector<std::string> heading = {"ID", "NAME", "STATE", "GPUS", "NODES", "AGE", "REASON"};
  if (priced) heading.push_back("COST");
  if (wide) {
    heading.insert(heading.end(), {"EXIT", "TRY", "PRIO", "QUEUE", "PORTS", "SUBMITTED", "DETAIL"});
  }
  Table table(std::move(heading));
  for (const Json& job : jobs) {
    std::string nodes;
    for (const Json& node : job.at("nodes"))
      nodes += (nodes.empty() ? "" : ",") + text_or_dash(node);
    std::vector<std::string> row = {
        job.at("id").dump(),
        job.value("name", ""),
        paint_state(job.value("state", "")),
        job.at("gpus").dump(),
        nodes.empty() ? "-" : nodes,
        between(job.at("submitted_at"), now),
        job.at("warning").is_object() ? "warned: idle" : text_or_dash(job.at("reason"))};
    if (priced) row.push_back(cost_text(job.at("cost")));
    if (wide) {
      std::string ports;
      for (const Json& port : job.at("ports")) {
        ports += fmt::format("{}{}={}", ports.empty() ? "" : ",", text_or_dash(port.at("name")),
                             place_of(port));
      }
      row.insert(row.end(),
                 {text_or_dash(job.at("exit_code")), job.at("attempt").dump(),
                  job.at("priority").dump(), job.value("queue", ""), ports.empty() ? "-" : ports,
                  job.value("submitted_at", ""), job.value("reason_detail", "")});
    }
    table.add(std::move(row));
  }
  table.print();
}

Outcome<int> ps(const Session& session, bool ended_too) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  auto jobs = all_jobs(*client, ended_too);
  if (!jobs) return tl::unexpected(jobs.error());
  const Format format = session.format();
  if (is_document(format)) {
    print_document(Json{{"jobs", std::move(*jobs)}}, format);
  } else if (jobs->empty()) {
    fmt::print(stderr, "no jobs{}\n", ended_too ? "" : " now; 'gyre ps -a' shows ended ones too");
  } else {
    const auto clock = get_json(*client, "/v1/clock");
    if (!clock) return tl::unexpected(clock.error());
    print_jobs(*jobs, clock->at("now"), format == Format::Wide);
  }
  return kOk;
}

std::string memory_text(const Json& node, const char* free, const char* all) {
  return fmt::format("{} of {}", format_memory(MemoryMib{node.value(free, std::int64_t{0})}),
                     format_memory(MemoryMib{node.value(all, std::int64_t{0})}));
}

std::string gpu_text(const Json& node) {
  if (node.value("gpus", 0) == 0) return "none";
  const std::int64_t memory = node.value("gpu_memory_mib", std::int64_t{0});
  return fmt::format("{} of {} x {}{}{}{}", node.at("gpus_free").dump(), node.value("gpus", 0),
                     node.value("gpu_model", ""),
                     memory > 0 ? " " + format_memory(MemoryMib{memory}) : "",
                     node.value("virtual_gpus", false) ? " (virtual)" : "",
                     node.value("gpu_sharing", "") == "mig" ? " by mig" : "");
}

/// Empty where nothing is known, as of a server that does not tell it.
std::string location_text(const Json& node) {
  std::string text;
  const Json location = node.value("location", Json::object());
  for (const auto& [level, name] : location.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", level, name.get<std::string>());
  }
  return text;
}

Outcome<int> nodes(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/nodes");
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  const Json& all = document->at("nodes");
  const bool located = std::any_of(all.begin(), all.end(),
                                   [](const Json& node) { return !location_text(node).empty(); });
  std::vector<std::string> heading{"ID", "NAME", "STATE", "GPUS FREE", "CPU FREE", "MEMORY FREE"};
  const bool holding = std::any_of(
      all.begin(), all.end(), [](const Json& node) { return node.value("images_held", 0) > 0; });
  if (holding) heading.emplace_back("IMAGES");
  if (located) heading.emplace_back("LOCATION");
  Table table(heading);
  for (const Json& node : all) {
    std::vector<std::string> row{
        node.at("id").dump(),
        node.value("name", ""),
        paint_state(node.value("state", "")),
        gpu_text(node),
        fmt::format("{} of {}", plain(node.value("cpu_milli_free", 0.0) / 1000),
                    plain(node.value("cpu_milli", 0.0) / 1000)),
        memory_text(node, "memory_mib_free", "memory_mib")};
    if (holding) row.push_back(std::to_string(node.value("images_held", 0)));
    if (located) row.push_back(terminal_safe(location_text(node)));
    table.add(std::move(row));
  }
  table.print();
  return kOk;
}

std::string with_unit(const Json& gpu, const char* name, double divisor, const char* unit) {
  const Json& value = gpu.at(name);
  return value.is_number() ? fmt::format("{} {}", plain(value.get<double>() / divisor), unit) : "-";
}

void add_gpu_rows(Table& table, const Json& document) {
  for (const Json& gpu : document.at("gpus")) {
    std::string tasks;
    for (const Json& task : gpu.at("tasks")) {
      tasks += fmt::format("{}{}:{:.3g} {}", tasks.empty() ? "" : ", ", task.at("job").dump(),
                           task.value("gpu_milli", 0.0) / 1000, task.value("sharing", ""));
    }
    std::string faults;
    if (gpu.value("xids", 0) > 0) faults = "xid " + gpu.at("last_xid").dump();
    for (const Json& word : gpu.at("throttle_reasons")) {
      if (word != "idle") faults += (faults.empty() ? "" : ", ") + word.get<std::string>();
    }
    table.add({document.value("node", ""), gpu.at("index").dump(), gpu.value("product", ""),
               gpu.value("health", ""), with_unit(gpu, "utilisation_percent", 1, "%"),
               with_unit(gpu, "sm_active_ppm", 10'000, "%"),
               with_unit(gpu, "memory_used_mib", 1024, "GiB"),
               with_unit(gpu, "power_mw", 1000, "W"), with_unit(gpu, "temperature_celsius", 1, "C"),
               tasks.empty() ? "-" : tasks, faults.empty() ? "-" : faults});
  }
}

/// The GPUs of every node that a probe looks at, or of the one that is named.
Outcome<int> gpus(const Session& session, const std::string& only) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  std::vector<std::string> ids;
  if (only.empty()) {
    const auto nodes = get_json(*client, "/v1/nodes");
    if (!nodes) return tl::unexpected(nodes.error());
    for (const Json& node : nodes->at("nodes")) ids.push_back(node.at("id").dump());
  } else {
    ids.push_back(only);
  }
  Json list = Json::array();
  Table table({"NODE", "GPU", "PRODUCT", "HEALTH", "UTIL", "SM", "MEMORY", "POWER", "TEMP", "TASKS",
               "FAULTS"});
  for (const std::string& id : ids) {
    auto document = get_json(*client, fmt::format("/v1/nodes/{}/gpus", id));
    if (!document) return tl::unexpected(document.error());
    if (!document->value("probed", false)) continue;
    add_gpu_rows(table, *document);
    list.push_back(std::move(*document));
  }
  const Format format = session.format();
  if (is_document(format)) {
    print_document(Json{{"nodes", std::move(list)}}, format);
  } else if (list.empty()) {
    fmt::print(stderr, "no GPU is probed{}\n", only.empty() ? "" : " on node " + only);
  } else {
    table.print();
  }
  return kOk;
}

std::string of_limit(const Json& queue, const char* used, const char* limit, double unit) {
  const std::string now = plain(queue.value(used, 0.0) / unit);
  const Json& max = queue.at(limit);
  return max.is_number() ? fmt::format("{} of {}", now, plain(max.get<double>() / unit)) : now;
}

/// Parents before their children, which are set off.
void add_queue_rows(Table& table, const Json& queues, const std::string& parent, int depth) {
  for (const Json& queue : queues) {
    if (queue.value("parent", "") != parent || depth > 16) continue;
    table.add({std::string(2 * static_cast<std::size_t>(depth), ' ') + queue.value("name", ""),
               queue.at("jobs_queued").dump(), queue.at("jobs_placed").dump(),
               of_limit(queue, "gpu_milli_used", "gpu_milli_max", 1000),
               plain(queue.value("gpu_milli_guaranteed", 0.0) / 1000), queue.at("weight").dump(),
               fmt::format("{:.1f} %", 100 * queue.value("share", 0.0)),
               queue.value("governed", true)
                   ? of_limit(queue, "gpu_seconds_used", "gpu_seconds_max", 3600)
                   : "-"});
    add_queue_rows(table, queues, queue.value("name", ""), depth + 1);
  }
}

/// Where more is guaranteed than what is up.
void warn_of_guarantees(const Json& document) {
  for (const Json& partition : document.value("partitions", Json::array())) {
    const double guaranteed = partition.value("gpu_milli_guaranteed", 0.0);
    const double up = partition.value("gpu_milli_up", 0.0);
    if (guaranteed <= up) continue;
    const std::string name = partition.value("name", "");
    fmt::print(stderr, "warning: {} GPUs are guaranteed to queues{}, and {} are up\n",
               plain(guaranteed / 1000),
               name.empty() ? "" : " in partition '" + terminal_safe(name) + "'", plain(up / 1000));
  }
}

Outcome<int> list_queues(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/queues");
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  Table table({"QUEUE", "WAITING", "PLACED", "GPUS", "GUARANTEED", "WEIGHT", "SHARE", "GPU HOURS"});
  add_queue_rows(table, document->at("queues"), "", 0);
  table.print();
  warn_of_guarantees(*document);
  return kOk;
}

/// "143 of 0-2, 1 of 3": each code with its tasks, in the order of their first ones.
std::string codes_by_task(const Json& codes) {
  std::vector<std::pair<std::string, std::string>> groups;
  for (std::size_t first = 0; first < codes.size();) {
    std::size_t next = first + 1;
    while (next < codes.size() && codes[next] == codes[first]) ++next;
    const std::string code = codes[first].is_null() ? "none" : codes[first].dump();
    const std::string tasks =
        next - first == 1 ? std::to_string(first) : fmt::format("{}-{}", first, next - 1);
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& one) { return one.first == code; });
    if (group == groups.end()) {
      groups.emplace_back(code, tasks);
    } else {
      group->second += "," + tasks;
    }
    first = next;
  }
  std::vector<std::string> texts;
  for (const auto& [code, tasks] : groups) texts.push_back(fmt::format("{} of {}", code, tasks));
  return fmt::format("{}", fmt::join(texts, "; "));
}

void print_explanation(const Json& it) {
  const std::string state = it.value("state", "");
  const std::string name = it.value("name", "");
  fmt::print("job {}{} is {}\n", it.at("job").dump(),
             name.empty() ? "" : " (" + terminal_safe(name) + ")", paint_state(state));
  for (const Json& port : it.at("ports")) {
    fmt::print("port '{}' of task {}: {}\n", terminal_safe(port.value("name", "")),
               port.at("rank").dump(), terminal_safe(place_of(port)));
  }
  if (const Json& waiting = it.at("waiting"); waiting.is_object()) {
    fmt::print("it waits: {}\n  {}\n", waiting.value("reason", ""),
               terminal_safe(waiting.value("detail", "")));
    fmt::print("jobs ahead of it: {}\n", waiting.value("jobs_ahead", std::int64_t{0}));
    if (!waiting.at("blocked_by").is_null()) {
      fmt::print("it waits for job {}\n", waiting.at("blocked_by").dump());
    }
    print_outlook(waiting);
  }
  if (const Json& warning = it.at("warning"); warning.is_object()) {
    fmt::print("it was warned at {}: {}\n  it is stopped at {} if it goes on\n",
               warning.value("at", ""), warning.value("detail", ""), warning.value("stops_at", ""));
  }
  if (const Json& cost = it.at("cost"); cost.is_object()) {
    const Money hour{cost.value("hour_micro_usd", std::int64_t{0})};
    fmt::print("it has cost {}{}\n", cost_text(cost),
               hour.value > 0 ? ", and costs " + format_money(hour) + " an hour" : "");
  }
  if (const Json& ended = it.at("ended"); ended.is_object()) {
    fmt::print("it ended: {}\n  {}\n", ended.value("reason", ""),
               terminal_safe(ended.value("detail", "")));
    if (const Json& codes = ended.at("exit_codes"); codes.size() > 1) {
      fmt::print("exit codes by task: {}\n", codes_by_task(codes));
    }
  }
}

Outcome<int> explain(const Session& session, const std::string& id) {
  const auto path = job_path(id);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, *path + "/explanation?outlook=true");
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  print_explanation(*document);
  return kOk;
}

void print_event(const Json& event, Format format) {
  if (is_document(format)) return print_document(event, Format::Json);
  if (const std::string detail = event.value("detail", ""); !detail.empty()) {
    fmt::print("{}  job {:<6} {}  {}\n", event.value("at", ""), event.at("job").dump(), detail,
               terminal_safe(event.value("name", "")));
    return;
  }
  const std::string from = event.at("from").is_string() ? event.value("from", "") + " -> " : "";
  const std::string reason =
      event.at("reason").is_string() ? " (" + event.value("reason", "") + ")" : "";
  fmt::print("{}  job {:<6} {}{}{}  {}\n", event.value("at", ""), event.at("job").dump(), from,
             paint_state(event.value("to", "")), reason, terminal_safe(event.value("name", "")));
}

Outcome<int> follow_events(const Session& session, HttpClient& client, const std::string& query,
                           const std::string& cursor) {
  StreamFollower follower(client.address());
  follower.add("/v1/events?follow=true" + query, cursor, [&](const StreamEvent& event) {
    if (event.name == "missed") return complain("some events came too fast and are missing here");
    const Json data = Json::parse(event.data, nullptr, false);
    if (data.is_object()) print_event(data, session.format());
    std::fflush(stdout);
  });
  const auto end = follower.run();
  if (!end) return tl::unexpected(end.error());
  return kOk;
}

Outcome<int> events(const Session& session, const std::string& job, bool follow) {
  std::string query;
  if (!job.empty()) {
    const auto path = job_path(job);
    if (!path) return tl::unexpected(path.error());
    query = "&job=" + job;
  }
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const Format format = session.format();
  const bool one_document = !follow && is_document(format);
  Json all = Json::array();
  std::string cursor;
  bool any = false;
  for (bool more = true; more;) {
    const auto page = get_json(
        *client, "/v1/events?limit=1000" + query + (cursor.empty() ? "" : "&cursor=" + cursor));
    if (!page) return tl::unexpected(page.error());
    for (const Json& event : page->at("events")) {
      any = true;
      if (one_document) {
        all.push_back(event);
      } else {
        print_event(event, format);
      }
    }
    cursor = page->value("next_cursor", "");
    more = page->value("more", false);
  }
  if (!any && !job.empty()) {  // of a job that is there, or of none
    if (const auto known = get_json(*client, *job_path(job)); !known) {
      return tl::unexpected(known.error());
    }
  }
  if (one_document) print_document(Json{{"events", std::move(all)}}, format);
  std::fflush(stdout);
  return follow ? follow_events(session, *client, query, cursor) : kOk;
}

}  // namespace

void add_list_verbs(CLI::App& app, Session& session) {
  auto* ps_verb =
      add_verb(app, "ps", "List jobs",
               "  gyre ps\n  gyre ps -a -o wide\n  gyre ps -a -o json | jq '.jobs[].state'");
  auto ended_too = std::make_shared<bool>(false);
  ps_verb->add_flag("-a,--all", *ended_too, "ended jobs too");
  add_server_flags(*ps_verb, session);
  add_output_flag(*ps_verb, session);
  on_verb(ps_verb, session, [&session, ended_too] { return ps(session, *ended_too); });

  auto* queue_verb = add_verb(app, "queue", "List queues: who waits, what they use and may use",
                              "  gyre queue\n  gyre queue -o json");
  add_server_flags(*queue_verb, session);
  add_output_flag(*queue_verb, session);
  on_verb(queue_verb, session, [&session] { return list_queues(session); });

  auto* nodes_verb = add_verb(app, "nodes", "List nodes and what is free on them",
                              "  gyre nodes\n  gyre nodes --gpus\n  gyre nodes --gpus node-a");
  auto with_gpus = std::make_shared<bool>(false);
  auto node = std::make_shared<std::string>();
  auto* node_option = nodes_verb->add_option("NODE", *node, "with --gpus: this node's alone");
  node_option->needs(nodes_verb->add_flag("--gpus", *with_gpus, "what their GPUs do just now"));
  add_server_flags(*nodes_verb, session);
  add_output_flag(*nodes_verb, session);
  on_verb(nodes_verb, session, [&session, with_gpus, node] {
    return *with_gpus ? gpus(session, *node) : nodes(session);
  });

  auto* explain_verb =
      add_verb(app, "explain", "Say why a job waits, or why it ended", "  gyre explain 12");
  auto id = std::make_shared<std::string>();
  explain_verb->add_option("JOB", *id, "a job's id")->required();
  add_server_flags(*explain_verb, session);
  add_output_flag(*explain_verb, session);
  on_verb(explain_verb, session, [&session, id] { return explain(session, *id); });

  auto* events_verb = add_verb(app, "events", "Show how jobs changed state",
                               "  gyre events\n  gyre events -f\n  gyre events 12 -o json");
  auto job = std::make_shared<std::string>();
  auto follow = std::make_shared<bool>(false);
  events_verb->add_option("JOB", *job, "only this job's");
  events_verb->add_flag("-f,--follow", *follow, "go on with what comes; one line each");
  add_server_flags(*events_verb, session);
  add_output_flag(*events_verb, session);
  on_verb(events_verb, session, [&session, job, follow] { return events(session, *job, *follow); });
}

}  // namespace gyre::cli
