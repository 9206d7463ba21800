#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/job_stream.h"
#include "cli/verbs.h"

namespace gyre::cli {
namespace {

/// A name may hold what a path may not.
std::string path_segment(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool plain =
        std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

Outcome<int> act(const Session& session, const std::string& name, const std::string& action) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/nodes/" + path_segment(name) + "/actions";
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

}  // namespace

void add_node_verbs(CLI::App& app, Session& session) {
  auto* node = add_verb(app, "node", "Take nodes out of service and back into it",
                        "  gyre node drain gpu-7\n  gyre node uncordon gpu-7");
  node->require_subcommand(1);
  add_action(*node, session, "cordon", "Put nothing new on a node; what runs there goes on");
  add_action(*node, session, "drain",
             "Put nothing new on a node, and move what may be preempted elsewhere");
  add_action(*node, session, "uncordon", "Put tasks on a node again");
}

}  // namespace gyre::cli
