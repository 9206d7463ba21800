#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/job_stream.h"
#include "cli/simulation.h"
#include "cli/verbs.h"
#include "codec/policy_text.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

HttpCall reading() {
  HttpCall call;
  call.target = "/v1/policy";
  return call;
}

Outcome<int> set(const Session& session, const std::string& wish) {
  if (wish.empty()) return give_up(kUsage, "POLICY: name one, or a file");
  const auto policy = read_policy(wish, "POLICY");
  if (!policy) return tl::unexpected(policy.error());
  HttpCall call = reading();
  call.method = "PUT";
  call.content_type = "application/yaml";
  call.body = codec::to_yaml(*policy);
  return print_file(session, call);
}

Outcome<int> validate(const std::string& path) {
  const auto text = read_input(path);
  if (!text) return tl::unexpected(text.error());
  const auto policy = codec::parse_policy(*text);
  if (!policy) {
    std::vector<std::string> problems;
    for (const codec::SpecProblem& one : policy.error()) {
      problems.push_back(fmt::format("{}: {}", path, codec::describe(one)));
    }
    return give_up(kUsage, "{}", fmt::join(problems, "\n"));
  }
  fmt::print("{} is valid: policy '{}'\n", path, policy->name);
  return kOk;
}

Outcome<int> history(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = call_json(*client, reading());
  if (!document) return tl::unexpected(document.error());
  if (print_as_document(document->at("history"), session.format())) return kOk;
  Table table({"SINCE", "EVENT", "POLICY", "WHAT IT IS"});
  for (const Json& one : document->at("history")) {
    const Json& since = one.at("since");
    table.add({since.is_null() ? "before this server began" : since.get<std::string>(),
               text_or_dash(one.at("event")), one.value("name", ""), one.value("description", "")});
  }
  table.print();
  return kOk;
}

}  // namespace

void add_policy_verb(CLI::App& app, Session& session) {
  auto* policy = add_verb(app, "policy", "The policy by which the server decides",
                          "  gyre policy show\n  gyre policy set easy+lookahead\n"
                          "  gyre policy set mine.yaml\n  gyre policy history");
  policy->require_subcommand(1);
  auto* show = add_verb(*policy, "show", "Print the policy in force, as a file",
                        "  gyre policy show > mine.yaml\n  gyre policy show -o json");
  auto* change = add_verb(*policy, "set", "Decide by another policy from now on",
                          "  gyre policy set sjf-easy\n  gyre policy set mine.yaml\n\nIt stays, "
                          "also when the server starts anew without --policy. 'gyre lab run' says "
                          "before what it would have done.");
  auto* past =
      add_verb(*policy, "history", "Which policies decided, newest first", "  gyre policy history");
  auto* check = add_verb(*policy, "validate", "Say all that is wrong with a policy file",
                         "  gyre policy validate mine.yaml\n\nNo server is asked.");
  auto path = std::make_shared<std::string>();
  check->add_option("FILE", *path, "a policy file ('-': stdin)")->required();
  on_verb(check, session, [path] { return validate(*path); });
  auto wish = std::make_shared<std::string>();
  change->add_option("POLICY", *wish, "a name, or a policy file (.yaml; '-': stdin)")->required();
  for (auto* verb : {show, change, past}) {
    add_server_flags(*verb, session);
    add_output_flag(*verb, session);
  }
  on_verb(show, session, [&session] { return print_file(session, reading()); });
  on_verb(change, session, [&session, wish] { return set(session, *wish); });
  on_verb(past, session, [&session] { return history(session); });
}

}  // namespace gyre::cli
