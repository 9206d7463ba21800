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
          R"(the body must be {"action": "cordon"}, "uncordon" or "drain"; or )"
          R"({"action": "prefetch", "image": IMAGE})",
          {{"/action", "must be 'cordon', 'uncordon', 'drain' or 'prefetch'", ""}},
          {}};
}

/// The image that the body asks for, and by which login. Errors: Invalid.
Result<act::FetchImage> fetch_of(const nlohmann::json& body) {
  act::FetchImage order;
  for (const auto& [name, value] : body.items()) {
    if (name == "action") continue;
    if ((name != "image" && name != "registry_login") || !value.is_string()) {
      return gyre::fail(ErrorKind::Invalid,
                        "a prefetch has an image and, where that needs one, a registry_login");
    }
    (name == "image" ? order.image : order.login) = value;
  }
  ContainerSpec container;
  container.image = order.image;
  container.registry_login = order.login;
  if (order.image.empty()) return gyre::fail(ErrorKind::Invalid, "name the image to be fetched");
  if (auto valid = validate(container); !valid) return tl::unexpected(valid.error());
  return order;
}

http::Response acted(const std::string& name, const std::string& action) {
  JsonText out;
  out.open('{').member("name", name).member("action", action).close('}');
  http::Response response = json_response(std::move(out));
  response.status = 202;
  return response;
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

void Api::make_join_token(const Call& call) const {
  constexpr std::int64_t kLifetimeMaxS = 7 * 86'400;
  const auto body = nlohmann::json::parse(call.request.body, nullptr, false);
  const auto node = body.is_object() ? body.value("node", nlohmann::json("")) : body;
  const auto lifetime = body.is_object() ? body.value("lifetime_s", nlohmann::json(3600)) : body;
  const bool good = body.is_object() && node.is_string() && lifetime.is_number_integer() &&
                    lifetime >= 1 && lifetime <= kLifetimeMaxS;
  if (!good) {
    return call.fail({422,
                      "invalid-token-request",
                      "The request for a token is not valid",
                      R"(the body must be an object; "node" is a name, "lifetime_s" 1 to 604800)",
                      {},
                      {}});
  }
  if (options_.keeper == nullptr) {
    return call.fail(http::problem_of(
        {ErrorKind::Conflict,
         "this server takes no agents in: start it with --agents HOST:PORT, or as 'gyre server'"}));
  }
  const std::int64_t lifetime_s = lifetime;
  const auto token = options_.keeper->make_token(node, seconds(lifetime_s));
  if (!token) return call.fail(http::problem_of(token.error()));
  JsonText out;
  out.open('{').member("token", *token).member("lifetime_s", lifetime_s).close('}');
  http::Response response = json_response(std::move(out));
  response.status = 201;
  response.headers.emplace_back("Cache-Control", "no-store");
  call.answer(std::move(response));
}

void Api::list_nodes(const Call& call) const {
  NodeFilter filter;
  bool devices = true;
  const std::vector<std::string> states(kNodeStates.begin(), kNodeStates.end());
  if (auto problem = read_names(call.request, "state", states, filter.states)) {
    return call.fail(*problem);
  }
  if (auto problem = read_flag(call.request, "devices", devices)) return call.fail(*problem);
  filter.images = devices;
  if (const auto name = call.request.query_value("name")) filter.name = *name;
  ask<std::vector<NodeView>>(
      call,
      [this, filter](const auto& core) {
        return view_nodes(core, fleet_.facts(), fleet_.image_troubles(), filter);
      },
      [devices](const auto& nodes) {
        JsonText out;
        out.open('{').key("nodes").open('[');
        for (const NodeView& node : nodes) write_node(out, node, devices);
        out.close(']').close('}');
        return json_response(std::move(out));
      });
}

void Api::act_on_node(const Call& call) const {
  const auto body = nlohmann::json::parse(call.request.body, nullptr, false);
  if (!body.is_object() || !body.contains("action") || !body["action"].is_string()) {
    return call.fail(bad_action());
  }
  const std::string action = body["action"];
  if (action == "prefetch") return prefetch_on_node(call, fetch_of(body));
  const auto duty = duty_of(action);
  if (!duty || body.size() != 1) return call.fail(bad_action());
  const auto asked = inbox_.ask([this, name = call.id, reply = call.reply, action,
                                 duty = *duty](const control::Controller& core) {
    const auto node = find_node(core, name);
    if (!node)
      return reply([error = node.error()] { return http::respond(http::problem_of(error)); });
    inbox_.post(NodeDutySet{*node, duty}, [reply, name, action](Result<EventSeq> done) {
      reply([done, name, action] {
        if (!done) return http::respond(http::problem_of(done.error()));
        return acted(name, action);
      });
    });
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

/// Nothing is decided by it, so it is not journalled.
void Api::prefetch_on_node(const Call& call, Result<act::FetchImage> order) const {
  if (!order) return call.fail(http::problem_of(order.error()));
  ask<NodeId>(
      call,
      [this, name = call.id, order = std::move(*order)](const auto& core) -> Result<NodeId> {
        auto node = find_node(core, name);
        if (!node) return node;
        if (auto told = fleet_.fetch_image(*node, order); !told) {
          return tl::unexpected(told.error());
        }
        return node;
      },
      [name = call.id](NodeId) { return acted(name, "prefetch"); });
}

}  // namespace gyre::server
