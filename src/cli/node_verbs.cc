#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "server/http/message.h"

namespace gyre::cli {
namespace {

Outcome<int> act(const Session& session, const std::string& name, const std::string& action) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/nodes/" + server::http::percent_encode(name) + "/actions";
  call.body = nlohmann::json{{"action", action}}.dump();
  const auto done = client->call(call);
  if (!done) return tl::unexpected(done.error());
  return kOk;
}

void add_action(CLI::App& node, Session& session, const std::string& action,
                const std::string& summary) {
  auto* verb = add_verb(node, action, summary, fmt::format("  gyre node {} gpu-7", action));
  auto name = std::make_shared<std::string>();
  verb->add_option("NODE", *name, "a node's name, or its id")->required();
  add_server_flags(*verb, session);
  on_verb(verb, session, [&session, name, action] { return act(session, *name, action); });
}

Outcome<int> make_token(const Session& session, const std::string& node,
                        const std::string& lifetime) {
  const auto duration = parse_duration(lifetime);
  if (!duration) return give_up(kUsage, "--for: {}", duration.error().message);
  if (*duration < seconds(1) || *duration > seconds(604'800)) {
    return give_up(kUsage, "--for: a token holds from 1 s to a week (604800 s), not {}", lifetime);
  }
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  nlohmann::json body{{"lifetime_s", duration->ns / 1'000'000'000}};
  if (!node.empty()) body["node"] = node;
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/join-tokens";
  call.body = body.dump();
  const auto made = client->call(call);
  if (!made) return tl::unexpected(made.error());
  const auto answer = nlohmann::ordered_json::parse(*made, nullptr, false);
  if (print_as_document(answer, session.format())) return kOk;
  fmt::print("{}\n", answer.value("token", ""));
  return kOk;
}

void add_join_token(CLI::App& node, Session& session) {
  auto* verb = add_verb(node, "join-token", "Print a token that lets one machine in, once",
                        "  gyre node join-token > token.txt\n  gyre node join-token --node gpu-7 "
                        "--for 10m\n\n"
                        "With --node only under that name, which may be a known node's that has "
                        "been set up anew.");
  auto name = std::make_shared<std::string>();
  auto lifetime = std::make_shared<std::string>("1h");
  verb->add_option("--node", *name, "the name that the machine must have");
  verb->add_option("--for", *lifetime, "how long it holds, a week at most")
      ->capture_default_str()
      ->type_name("DURATION");
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session,
          [&session, name, lifetime] { return make_token(session, *name, *lifetime); });
}

}  // namespace

void add_node_verbs(CLI::App& app, Session& session) {
  auto* node = add_verb(app, "node", "Let nodes in, and take them out of service and back into it",
                        "  gyre node drain gpu-7\n  gyre node uncordon gpu-7");
  node->require_subcommand(1);
  add_join_token(*node, session);
  add_action(*node, session, "cordon", "Put nothing new on a node; what runs there goes on");
  add_action(*node, session, "drain",
             "Put nothing new on a node, and move what may be preempted elsewhere");
  add_action(*node, session, "uncordon", "Put tasks on a node again");
}

}  // namespace gyre::cli
