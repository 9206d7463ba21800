#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

std::string text_or_dash(const Json& value) {
  if (value.is_null()) return "-";
  return terminal_safe(value.is_string() ? value.get<std::string>() : value.dump());
}

std::string recovery_text(const Json& incident) {
  const Json& took = incident.at("recovery_ms");
  return took.is_null() ? "-" : format_duration(milliseconds(took.get<std::int64_t>()));
}

Outcome<int> incidents(const Session& session, bool only_open, std::uint64_t limit) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(
      *client, fmt::format("/v1/incidents?limit={}{}", limit, only_open ? "&open=true" : ""));
  if (!document) return tl::unexpected(document.error());
  const Format format = session.format();
  if (format == Format::Json || format == Format::Yaml) {
    print_document(*document, format);
    return kOk;
  }
  Table table({"ID", "DETECTED", "NODE", "JOB", "SYMPTOM", "EVIDENCE", "REMEDY", "OUTCOME",
               "RECOVERY", "UNDO"});
  for (const Json& one : document->at("incidents")) {
    table.add({one.at("id").dump(), one.value("detected_at", ""), text_or_dash(one.at("node")),
               text_or_dash(one.at("job")), one.value("symptom", ""),
               text_or_dash(one.at("evidence")), one.value("remedy", ""), one.value("outcome", ""),
               recovery_text(one), text_or_dash(one.at("undo"))});
  }
  table.print();
  return kOk;
}

}  // namespace

void add_incidents_verb(CLI::App& app, Session& session) {
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
}

}  // namespace gyre::cli
