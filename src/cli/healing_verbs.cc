#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "codec/healing_text.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

/// "evacuate (device-fault), 2 jobs moved, 1 of them without a checkpoint signal, reset done,
/// burn-in failed"
std::string remedy_text(const Json& incident) {
  std::string text = incident.value("remedy", "");
  const Json playbook = incident.value("playbook", Json());  // of an older server: none
  if (playbook.is_string() && text != "note") {
    text += fmt::format(" ({})", terminal_safe(playbook.get<std::string>()));
  }
  const Json& moved = incident.at("moved");
  if (!moved.empty()) {
    const auto unasked = std::count_if(moved.begin(), moved.end(), [](const Json& one) {
      return one.value("kept_by", "") != "checkpoint_signal";
    });
    text += fmt::format(", {} job{} moved", moved.size(), moved.size() == 1 ? "" : "s");
    if (unasked > 0) text += fmt::format(", {} of them without a checkpoint signal", unasked);
  }
  for (const Json& step : incident.at("steps")) {
    const Json& good = step.at("good");
    text += fmt::format(", {} {}", step.value("step", ""),
                        good.is_null()       ? "underway"
                        : good == Json(true) ? "done"
                                             : "failed");
  }
  return text;
}

/// "RESET_GPU, then CONTACT_SUPPORT"
std::string advice_text(const Json& incident) {
  const Json advice = incident.value("advice", Json());  // of an older server: none
  if (!advice.is_object()) return "-";
  const std::string first = terminal_safe(advice.value("immediate", ""));
  const Json& later = advice.at("follow_up");
  return later.is_null() || later == Json(first) ? first : first + ", then " + text_or_dash(later);
}

Outcome<int> incidents(const Session& session, bool only_open, std::uint64_t limit) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(
      *client, fmt::format("/v1/incidents?limit={}{}", limit, only_open ? "&open=true" : ""));
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(*document, session.format())) return kOk;
  Table table({"ID", "DETECTED", "NODE", "JOB", "SYMPTOM", "EVIDENCE", "ADVICE", "REMEDY",
               "OUTCOME", "RECOVERY", "UNDO"});
  for (const Json& one : document->at("incidents")) {
    table.add({one.at("id").dump(), one.value("detected_at", ""), text_or_dash(one.at("node")),
               text_or_dash(one.at("job")), one.value("symptom", ""),
               text_or_dash(one.at("evidence")), advice_text(one), remedy_text(one),
               one.value("outcome", ""), span_or_dash(one.at("recovery_ms")),
               text_or_dash(one.at("undo"))});
  }
  table.print();
  return kOk;
}

Outcome<int> show_playbooks(const Session& session) {
  HttpCall call;
  call.target = "/v1/healing";
  return print_file(session, call);
}

Outcome<int> apply_playbooks(const Session& session, const std::string& file) {
  const auto text = read_input(file);
  if (!text) return tl::unexpected(text.error());
  const auto spec = codec::parse_healing(*text);
  if (!spec) {
    std::string all;
    for (const codec::SpecProblem& problem : spec.error()) {
      all += fmt::format("\n  {}", codec::describe(problem));
    }
    return give_up(kUsage, "{} is no file of playbooks:{}", file == "-" ? "the input" : file, all);
  }
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/healing";
  call.content_type = "application/yaml";
  call.body = *text;
  return print_file(session, call);
}

Outcome<int> reset_playbooks(const Session& session) {
  HttpCall call;
  call.method = "DELETE";
  call.target = "/v1/healing";
  return print_file(session, call);
}

void add_heal_verb(CLI::App& app, Session& session) {
  auto* heal = add_verb(app, "heal", "The playbooks by which faults are healed",
                        "  gyre heal playbooks\n  gyre heal apply playbooks.yaml");
  heal->require_subcommand(1);
  auto* show = add_verb(*heal, "playbooks", "Print the playbooks in force, as a file",
                        "  gyre heal playbooks > playbooks.yaml\n  gyre heal playbooks -o json");
  add_server_flags(*show, session);
  add_output_flag(*show, session);
  on_verb(show, session, [&session] { return show_playbooks(session); });
  auto* apply = add_verb(*heal, "apply", "Heal by the playbooks of a file from now on",
                         "  gyre heal apply playbooks.yaml\n\nThey stay until others are applied, "
                         "also when the server starts anew.");
  auto file = std::make_shared<std::string>();
  apply->add_option("FILE", *file, "YAML or JSON; '-' for stdin")->required();
  add_server_flags(*apply, session);
  on_verb(apply, session, [&session, file] { return apply_playbooks(session, *file); });
  auto* reset =
      add_verb(*heal, "reset", "Heal by the built-in playbooks again", "  gyre heal reset");
  add_server_flags(*reset, session);
  on_verb(reset, session, [&session] { return reset_playbooks(session); });
}

void add_burn_in_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "burn-in", "Test this machine's GPUs, before they are used again",
                        "  gyre burn-in\n  gyre burn-in --for 10m");
  auto lasts = std::make_shared<std::string>("30s");
  verb->add_option("--for", *lasts, "how long they are watched and loaded")
      ->capture_default_str()
      ->type_name("TIME");
  auto gpus = std::make_shared<std::size_t>(0);
  verb->add_option("--gpus", *gpus, "so many there must be at least")
      ->envname("GYRE_GPUS")
      ->capture_default_str()
      ->type_name("N");
  on_verb(verb, session, [&session, lasts, gpus]() -> Outcome<int> {
    const auto span = parse_duration(*lasts);
    if (!span || span->ns <= 0) {
      return give_up(kUsage, "--for: '{}' is no time; write 30s, 10m", *lasts);
    }
    return session.ports.burn_in({*span, *gpus});
  });
}

}  // namespace

void add_healing_verbs(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "incidents", "What went wrong, and what was done about it",
                        "  gyre incidents\n  gyre incidents --open -o json");
  auto only_open = std::make_shared<bool>(false);
  auto limit = std::make_shared<std::uint64_t>(100);
  verb->add_flag("--open", *only_open, "only those that are not over");
  verb->add_option("--limit", *limit, "the latest so many")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1000}))
      ->capture_default_str();
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session,
          [&session, only_open, limit] { return incidents(session, *only_open, *limit); });
  add_heal_verb(app, session);
  add_burn_in_verb(app, session);
}

}  // namespace gyre::cli
