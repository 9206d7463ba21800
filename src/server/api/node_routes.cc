#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "server/api/api.h"

namespace gyre::server {
namespace {

std::optional<NodeDuty> duty_of(const std::string& action) {
  if (action == "cordon") return NodeDuty::Cordoned;
  if (action == "drain") return NodeDuty::Draining;
  if (action == "uncordon") return NodeDuty::Open;
  return std::nullopt;
}

http::Problem bad_action() {
  return {422,
          "invalid-action",
          "The action is not valid",
          R"(the body must be {"action": "cordon"}, "uncordon" or "drain")",
          {{"/action", "must be 'cordon', 'uncordon' or 'drain'", ""}},
          {}};
}

}  // namespace

Result<NodeId> find_node(const control::Controller& core, const std::string& text) {
  const auto nodes = core.cluster().nodes();
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (nodes[i].spec.name == text || std::to_string(i) == text) {
      return NodeId{static_cast<std::uint32_t>(i)};
    }
  }
  return fail(ErrorKind::NotFound, "there is no node '{}'; 'gyre nodes' lists all", text);
}

void Api::act_on_node(const Call& call) const {
  const auto body = nlohmann::json::parse(call.request.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("action") ||
      !body["action"].is_string()) {
    return call.fail(bad_action());
  }
  const std::string action = body["action"];
  const auto duty = duty_of(action);
  if (!duty) return call.fail(bad_action());
  const auto asked = inbox_.ask([this, name = call.id, reply = call.reply, action,
                                 duty = *duty](const control::Controller& core) {
    const auto node = find_node(core, name);
    if (!node)
      return reply([error = node.error()] { return http::respond(http::problem_of(error)); });
    inbox_.post(NodeDutySet{*node, duty}, [reply, name, action](Result<EventSeq> done) {
      reply([done, name, action] {
        if (!done) return http::respond(http::problem_of(done.error()));
        JsonText out;
        out.open('{').member("name", name).member("action", action).close('}');
        http::Response response = json_response(std::move(out));
        response.status = 202;
        return response;
      });
    });
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
