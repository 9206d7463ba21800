// GET /v1/policies, and /v1/policy
#include <fmt/format.h>

#include <string>
#include <variant>
#include <vector>

#include "codec/policy_text.h"
#include "server/api/api.h"
#include "server/api/spec_body.h"

namespace gyre::server {
namespace {

JsonText& write_policy(JsonText& out, const PolicySpec& policy) {
  return out.member("name", policy.name)
      .member("description", description_of(policy))
      .member("text", codec::to_yaml(policy));
}

JsonText& write_entry(JsonText& out, const PolicyLog::Entry& entry) {
  write_policy(out, entry.policy);
  write_time(out, "since", entry.since);
  out.key("event");
  return entry.by ? out.value(entry.by->value) : out.null();
}

/// Newest first.
using History = std::vector<PolicyLog::Entry>;

http::Response policy_response(const History& history) {
  JsonText out;
  write_entry(out.open('{'), history.front()).key("history").open('[');
  for (const PolicyLog::Entry& entry : history) write_entry(out.open('{'), entry).close('}');
  return json_response(std::move(out.close(']').close('}')));
}

/// Two policies under one name could not be told apart wherever a name is all that is shown.
std::optional<http::Problem> refuse_name(const PolicySpec& policy) {
  const auto named = policy_by_name(policy.name);
  if (!named || *named == policy) return std::nullopt;
  return spec_problem({{ErrorKind::Invalid, "name", 0, 0,
                        fmt::format("'{}' is a built-in policy, and this is another; give it a "
                                    "name of its own",
                                    policy.name),
                        ""}},
                      "policy");
}

}  // namespace

void Api::add_policy_routes() {
  router_.add("GET", "/v1/policies", {}, [this](const Call& call) { list_policies(call); });
  router_.add("GET", "/v1/policy", {}, [this](const Call& call) { show_policy(call); });
  router_.add("PUT", "/v1/policy", {}, [this](const Call& call) { set_policy(call); });
}

void Api::list_policies(const Call& call) const {
  ask<PolicySpec>(
      call, [](const auto& core) { return core.policy(); },
      [](const PolicySpec& live) {
        JsonText out;
        out.open('{').member("live", live.name).key("policies").open('[');
        for (const PolicySpec& policy : named_policies()) {
          write_policy(out.open('{'), policy).close('}');
        }
        out.close(']').close('}');
        return json_response(std::move(out));
      });
}

void Api::show_policy(const Call& call) const {
  ask<History>(
      call,
      [&log = watch_.policies](const auto& core) {
        History history(log.entries().rbegin(), log.entries().rend());
        if (history.empty()) history.push_back({core.policy(), {}, {}});
        return history;
      },
      policy_response);
}

/// The same again is no event.
void Api::set_policy(const Call& call) const {
  const auto format = spec_format(call.request);
  if (const auto* problem = std::get_if<http::Problem>(&format)) return call.fail(*problem);
  const auto policy = codec::parse_policy(call.request.body);
  if (!policy) return call.fail(spec_problem(policy.error(), "policy"));
  if (const auto problem = refuse_name(*policy)) return call.fail(*problem);
  const auto asked = inbox_.ask([this, call, policy = *policy](const control::Controller& core) {
    if (core.policy() == policy) return show_policy(call);
    inbox_.post(PolicySet{policy}, [this, call](const Result<EventSeq>& done) {
      if (!done) return call.fail(http::problem_of(done.error()));
      show_policy(call);
    });
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
