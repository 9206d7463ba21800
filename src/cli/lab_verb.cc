#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "base/utf8.h"
#include "cli/job_stream.h"
#include "cli/simulation.h"
#include "cli/verbs.h"
#include "codec/policy_text.h"
#include "server/lab/lab.h"
#include "sim/traces/byte_source.h"
#include "sim/traces/fleet.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A name where it says all, else a policy file.
std::string text_of(const PolicySpec& policy) {
  const auto named = policy_by_name(policy.name);
  return named && *named == policy ? policy.name : codec::to_yaml(policy);
}

struct RunFlags {
  std::string trace, nodes, format, policies, since, until;
};

/// All of a file, unpacked.
Outcome<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  auto source = sim::open_source(path);
  if (!source) return give_up(kUsage, "{}", source.error().message);
  auto text = sim::read_all(**source, bytes_max);
  if (!text) return give_up(kUsage, "{} {}", sim::display_name(path), text.error().message);
  if (valid_utf8_prefix(*text) != text->size()) {
    return give_up(kUsage, "{} is no text in UTF-8", sim::display_name(path));
  }
  return std::move(*text);
}

/// What the server is to play: a trace that it has by this name, or a file from here.
Outcome<Json> trace_of(const RunFlags& flags) {
  Json trace = Json::object();
  if (flags.trace != "-" && flags.trace.find_first_of("./") == flags.trace.npos) {
    trace["bundled"] = flags.trace;
  } else {
    auto text = read_file(flags.trace, server::Lab::kTraceBytesMax);
    if (!text) return tl::unexpected(text.error());
    trace["name"] = sim::display_name(flags.trace);
    trace["text"] = std::move(*text);
  }
  if (!flags.format.empty()) trace["format"] = flags.format;
  if (flags.nodes.empty()) return trace;
  trace["nodes"] = flags.nodes;
  if (sim::parse_shape(flags.nodes)) return trace;
  if (const auto shape = sim::check_shape(flags.nodes); !shape) {
    return give_up(kUsage, "--nodes: {}", shape.error().message);
  }
  auto list = read_file(flags.nodes, server::Lab::kNodesBytesMax);
  if (!list) {
    return give_up(kUsage,
                   "--nodes: {}; as a shape it would read NODESxGPUS[:MODEL], as in 32x8:V100",
                   list.error().message);
  }
  trace["nodes"] = std::move(*list);
  return trace;
}

Outcome<int> run(const Session& session, const RunFlags& flags) {
  const auto policies = read_policies(flags.policies);
  if (!policies) return tl::unexpected(policies.error());
  Json body{{"policies", Json::array()}};
  for (const PolicySpec& policy : *policies) body["policies"].push_back(text_of(policy));
  if (flags.trace.empty() && !(flags.nodes.empty() && flags.format.empty())) {
    return give_up(kUsage, "--nodes and --format are for a TRACE");
  }
  if (!flags.trace.empty()) {
    auto trace = trace_of(flags);
    if (!trace) return tl::unexpected(trace.error());
    body["trace"] = std::move(*trace);
  }
  if (!flags.since.empty()) body["since"] = flags.since;
  if (!flags.until.empty()) body["until"] = flags.until;
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/lab/runs";
  call.body = body.dump();
  const auto answer = client->call(call);
  if (!answer) return tl::unexpected(answer.error());
  const Json document = Json::parse(*answer);
  if (print_as_document(document, session.format())) return kOk;
  fmt::print("{}\n", document.at("id").get<std::uint64_t>());
  return kOk;
}

std::string policies_of(const Json& run) {
  std::string names;
  for (const Json& policy : run.at("policies")) {
    names += (names.empty() ? "" : ",") + policy.value("name", "");
  }
  return names;
}

/// A trace, or a window of the past.
std::string played_over(const Json& run) {
  if (const Json& trace = run.at("trace"); !trace.is_null()) {
    const Json& nodes = trace.at("nodes");
    return fmt::format("{} on {}", trace.value("name", ""),
                       nodes.is_null() ? "a node list" : nodes.get<std::string>());
  }
  const Json& since = run.at("since");
  const Json& until = run.at("until");
  return fmt::format("the past, {} to {}",
                     since.is_null() ? "the first job" : since.get<std::string>(),
                     until.is_null() ? "when it was asked" : until.get<std::string>());
}

Outcome<int> list(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/lab/runs");
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  Table table({"ID", "STATE", "POLICIES", "OVER", "ASKED"});
  for (const Json& one : document->at("runs")) {
    table.add({one.at("id").dump(), one.value("state", ""), policies_of(one), played_over(one),
               one.value("asked_at", "")});
  }
  table.print();
  return kOk;
}

std::string span(double seconds) {
  return format_duration(nanoseconds(static_cast<std::int64_t>(seconds * 1e9)));
}

void print_report(const Json& report) {
  Table table({"POLICY", "JOBS", "FINISHED", "WAIT", "WAIT P90", "COMPLETION", "UNTIL DONE", "GPUS",
               "PREEMPTIONS"});
  for (const Json& one : report.at("results")) {
    table.add({one.value("policy", ""), one.at("jobs").dump(), one.at("finished").dump(),
               span(one.at("wait_s").value("mean", 0.0)), span(one.at("wait_s").value("p90", 0.0)),
               span(one.at("jct_s").value("mean", 0.0)), span(one.value("makespan_s", 0.0)),
               fmt::format("{:.1f} %", 100 * one.at("gpu_allocation_ratio").value("mean", 0.0)),
               one.at("preemptions").dump()});
  }
  table.print();
  for (const Json& note : report.at("notes")) {
    fmt::print("note: {}\n", terminal_safe(note.get<std::string>()));
  }
}

Outcome<int> show(const Session& session, std::uint64_t id) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto run = get_json(*client, fmt::format("/v1/lab/runs/{}", id));
  if (!run) return tl::unexpected(run.error());
  if (print_as_document(*run, session.format())) return kOk;
  if (const Json& error = run->at("error"); !error.is_null()) {
    return give_up(kError, "run {} failed: {}", id, error.get<std::string>());
  }
  if (const Json& report = run->at("report"); !report.is_null()) {
    print_report(report);
    return kOk;
  }
  const Json& progress = run->at("progress");
  fmt::print("run {} is {}{}\n", id, run->value("state", ""),
             progress.is_null() ? ""
                                : fmt::format(": {:.0f} %, {}", 100 * progress.value("part", 0.0),
                                              terminal_safe(progress.value("doing", ""))));
  return kOk;
}

/// Each is asked for on its own: what is removed before one that is not there stays removed.
Outcome<int> remove(const Session& session, const std::vector<std::uint64_t>& ids) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  for (const std::uint64_t id : ids) {
    HttpCall call;
    call.method = "DELETE";
    call.target = fmt::format("/v1/lab/runs/{}", id);
    if (const auto answer = client->call(call); !answer) return tl::unexpected(answer.error());
  }
  return kOk;
}

}  // namespace

void add_lab_verb(CLI::App& app, Session& session) {
  auto* lab = add_verb(app, "lab",
                       "Try policies on the server's own past, or on a trace, in the background",
                       "  gyre lab run --policy easy,mine.yaml\n"
                       "  gyre lab run jobs.csv --nodes 32x8:V100 --policy fifo,easy\n"
                       "  gyre lab ls\n  gyre lab show 3\n  gyre lab rm 3");
  lab->require_subcommand(1);
  auto* begin = add_verb(*lab, "run", "Begin a run; prints its id",
                         "  gyre lab run --policy easy,mine.yaml --since 2026-03-01T00:00:00Z\n"
                         "  gyre lab run jobs.csv.gz --nodes nodes.csv --policy fifo,easy\n"
                         "  gyre lab run philly-excerpt --policy fifo,easy");
  auto flags = std::make_shared<RunFlags>();
  begin->add_option("TRACE", flags->trace,
                    "played instead of the past: a file, plain or .gz, '-' for stdin; or "
                    "philly-excerpt, which comes with Gyre");
  begin->add_option("--nodes", flags->nodes, "of the trace: a node list, or NODESxGPUS[:MODEL]")
      ->type_name("FILE|SHAPE");
  begin->add_option("--format", flags->format, "the trace's format")
      ->check(CLI::IsMember({"auto", "openb", "philly", "csv"}))
      ->type_name("auto|openb|philly|csv");
  begin->add_option("--policy", flags->policies, "policies to try: names, or policy files (.yaml)")
      ->type_name("A[,B...]")
      ->required();
  begin
      ->add_option("--since", flags->since, "when they take over; from the first job on without it")
      ->type_name("TIME");
  begin->add_option("--until", flags->until, "as if it had been asked then; now without it")
      ->type_name("TIME");
  auto* ls = add_verb(*lab, "ls", "Runs, newest first", "  gyre lab ls");
  auto* one = add_verb(*lab, "show", "A run's result", "  gyre lab show 3 -o json");
  auto id = std::make_shared<std::uint64_t>();
  one->add_option("ID", *id, "the run")->required();
  auto* rm = add_verb(*lab, "rm", "Forget runs; one that has not ended is given up",
                      "  gyre lab rm 1 2 3");
  auto ids = std::make_shared<std::vector<std::uint64_t>>();
  rm->add_option("ID", *ids, "the runs")->required();
  add_server_flags(*rm, session);
  on_verb(rm, session, [&session, ids] { return remove(session, *ids); });
  for (auto* verb : {begin, ls, one}) {
    add_server_flags(*verb, session);
    add_output_flag(*verb, session);
  }
  on_verb(begin, session, [&session, flags] { return run(session, *flags); });
  on_verb(ls, session, [&session] { return list(session); });
  on_verb(one, session, [&session, id] { return show(session, *id); });
}

}  // namespace gyre::cli
