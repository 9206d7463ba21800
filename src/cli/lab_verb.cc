#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/simulation.h"
#include "cli/verbs.h"
#include "codec/policy_text.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A name where it says all, else a policy file.
std::string text_of(const PolicySpec& policy) {
  const auto named = policy_by_name(policy.name);
  return named && *named == policy ? policy.name : codec::to_yaml(policy);
}

struct RunFlags {
  std::string policies, since, until;
};

Outcome<int> run(const Session& session, const RunFlags& flags) {
  const auto policies = read_policies(flags.policies);
  if (!policies) return tl::unexpected(policies.error());
  Json body{{"policies", Json::array()}};
  for (const PolicySpec& policy : *policies) body["policies"].push_back(text_of(policy));
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

Outcome<int> list(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/lab/runs");
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  Table table({"ID", "STATE", "POLICIES", "SINCE", "UNTIL", "ASKED"});
  for (const Json& one : document->at("runs")) {
    const Json& since = one.at("since");
    const Json& until = one.at("until");
    table.add({one.at("id").dump(), one.value("state", ""), policies_of(one),
               since.is_null() ? "the first job" : since.get<std::string>(),
               until.is_null() ? "it was asked" : until.get<std::string>(),
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
  auto* lab = add_verb(app, "lab", "Try policies on the server's own past, in the background",
                       "  gyre lab run --policy easy,mine.yaml\n  gyre lab ls\n  gyre lab show 3\n"
                       "  gyre lab rm 3");
  lab->require_subcommand(1);
  auto* begin = add_verb(*lab, "run", "Begin a run; prints its id",
                         "  gyre lab run --policy easy,mine.yaml --since 2026-03-01T00:00:00Z");
  auto flags = std::make_shared<RunFlags>();
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
