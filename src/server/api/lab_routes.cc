// /v1/lab/runs
#include <nlohmann/json.hpp>
#include <utility>
#include <variant>

#include "base/units.h"
#include "codec/policy_text.h"
#include "codec/utc.h"
#include "server/api/api.h"
#include "server/api/parse_whole.h"
#include "server/api/spec_body.h"
#include "server/lab/lab.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

/// What a body asks the lab.
struct Order {
  LabQuestion question;
  std::vector<LabRun::Policy> shown;
};

http::Problem bad_order(std::vector<http::ProblemItem> items) {
  const std::string detail = items.front().detail;
  return {422, "invalid-lab-run", "The run is not valid", detail, std::move(items), {}};
}

http::Problem bad_order(std::string pointer, std::string detail) {
  return bad_order({{std::move(pointer), std::move(detail), {}}});
}

/// A policy's name, or the text of a policy file, which has a colon.
std::optional<http::Problem> add_policy(const std::string& text, const std::string& pointer,
                                        Order& order) {
  if (text.find_first_of(":\n") == text.npos) {
    const auto policy = policy_by_name(text);
    if (!policy) return bad_order(pointer, policy.error().message);
    order.shown.push_back({policy->name, description_of(*policy), {}});
    order.question.policies.push_back(*policy);
    return std::nullopt;
  }
  const auto policy = codec::parse_policy(text);
  if (!policy) {
    std::vector<http::ProblemItem> items;
    for (const codec::SpecProblem& one : policy.error()) {
      items.push_back({pointer, codec::describe(one), one.suggestion});
    }
    return bad_order(std::move(items));
  }
  order.shown.push_back({policy->name, "a policy file", text});
  order.question.policies.push_back(*policy);
  return std::nullopt;
}

std::optional<http::Problem> read_policies(const Json& list, Order& order) {
  if (!list.is_array() || list.empty() || list.size() > Lab::kPoliciesMax) {
    return bad_order("/policies", fmt::format("\"policies\" is a list of 1 to {} names or texts of "
                                              "policy files",
                                              Lab::kPoliciesMax));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string pointer = fmt::format("/policies/{}", i);
    if (!list[i].is_string()) return bad_order(pointer, "a policy is a name or a text");
    if (auto problem = add_policy(list[i].get_ref<const std::string&>(), pointer, order)) {
      return problem;
    }
    const auto& policies = order.question.policies;
    for (std::size_t other = 0; other < i; ++other) {
      if (policies[other].name != policies[i].name) continue;
      return bad_order(pointer, fmt::format("the policy '{}' is given twice; a policy needs a name "
                                            "of its own",
                                            policies[i].name));
    }
  }
  return std::nullopt;
}

std::optional<http::Problem> read_moment(const Json& value, const std::string& name, Time now,
                                         std::optional<Time>& moment) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_string()) {
    return bad_order("/" + name, fmt::format("\"{}\" is a time as text, or null", name));
  }
  const std::string& text = value.get_ref<const std::string&>();
  const auto time = codec::parse_utc(text);
  if (!time) {
    return bad_order("/" + name,
                     fmt::format("'{}' is no time in UTC such as 2026-03-01T10:02:11Z", text));
  }
  if (*time > now) return bad_order("/" + name, "it is still to come; take a time that has passed");
  moment = *time;
  return std::nullopt;
}

std::variant<Order, http::Problem> read_order(const std::string& body, Time now) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("policies")) {
    return bad_order(
        "", R"(the body must be a JSON object with "policies", and may have "since" and "until")");
  }
  Order order;
  for (const auto& [name, value] : json.items()) {
    std::optional<http::Problem> problem;
    if (name == "policies") {
      problem = read_policies(value, order);
    } else if (name == "since" || name == "until") {
      LabQuestion& question = order.question;
      problem = read_moment(value, name, now, name == "since" ? question.since : question.until);
    } else {
      problem = bad_order("/" + name, R"(only "policies", "since" and "until" are known)");
    }
    if (problem) return *problem;
  }
  const auto& [policies, since, until] = order.question;
  if (since && until && *since >= *until) return bad_order("/until", "it is not after \"since\"");
  return order;
}

/// As a string, or null where there is none.
void write_text(JsonText& out, std::string_view name, const std::string& text) {
  out.key(name);
  if (text.empty()) {
    out.null();
  } else {
    out.value(text);
  }
}

/// All but the report.
void write_run(JsonText& out, const LabRun& run) {
  out.member("id", run.id).member("state", to_string(run.state));
  write_time(out, "asked_at", run.asked_at);
  write_time(out, "started_at", run.started_at);
  write_time(out, "ended_at", run.ended_at);
  write_time(out, "since", run.since);
  write_time(out, "until", run.until);
  out.key("policies").open('[');
  for (const LabRun::Policy& policy : run.policies) {
    out.open('{').member("name", policy.name).member("description", policy.description);
    write_text(out, "text", policy.text);
    out.close('}');
  }
  out.close(']').key("progress");
  if (run.state == LabRun::State::Running) {
    out.open('{').member("doing", run.progress.doing).member("part", run.progress.part).close('}');
  } else {
    out.null();
  }
  write_text(out, "error", run.error);
}

http::Response created(std::uint64_t id) {
  JsonText out;
  out.open('{').member("id", id).close('}');
  http::Response response = json_response(std::move(out));
  response.status = 202;
  response.headers.emplace_back("Location", fmt::format("/v1/lab/runs/{}", id));
  return response;
}

http::Response deleted(std::uint64_t id) {
  JsonText out;
  out.open('{').member("id", id).member("deleted", true).close('}');
  return json_response(std::move(out));
}

Result<std::uint64_t> read_run_id(const std::string& text) {
  std::uint64_t id = 0;
  if (parse_whole(text, id)) return id;
  return fail(ErrorKind::NotFound, "'{}' is no run's id; ids are whole numbers", text);
}

}  // namespace

void Api::add_lab_routes() {
  const auto add = [this](const char* method, const char* path, auto handle) {
    router_.add(method, path, {}, [this, handle](const Call& call) {
      if (options_.lab != nullptr) return handle(*options_.lab, call);
      call.fail(http::problem_of({ErrorKind::Unsupported,
                                  "this server plays a trace and has no journal to look back "
                                  "into; the policy lab is a live server's"}));
    });
  };
  add("GET", "/v1/lab/runs", [](Lab& lab, const Call& call) { list_lab_runs(lab, call); });
  add("POST", "/v1/lab/runs", [this](Lab& lab, const Call& call) { start_lab_run(lab, call); });
  add("GET", "/v1/lab/runs/{id}", [](Lab& lab, const Call& call) { show_lab_run(lab, call); });
  add("DELETE", "/v1/lab/runs/{id}", [](Lab& lab, const Call& call) { delete_lab_run(lab, call); });
}

void Api::list_lab_runs(Lab& lab, const Call& call) {
  JsonText out;
  out.open('{').key("runs").open('[');
  for (const LabRun& run : lab.runs()) {
    out.open('{');
    write_run(out, run);
    out.close('}');
  }
  out.close(']').close('}');
  call.answer(json_response(std::move(out)));
}

void Api::start_lab_run(Lab& lab, const Call& call) const {
  auto order = read_order(call.request.body, options_.clock());
  if (auto* problem = std::get_if<http::Problem>(&order)) return call.fail(*problem);
  const bool posted =
      lab.post([&lab, reply = call.reply, order = std::move(std::get<Order>(order))] {
        const auto id = lab.ask(order.question, order.shown);
        reply([id] { return id ? created(*id) : http::respond(http::problem_of(id.error())); });
      });
  if (!posted)
    call.fail(
        http::problem_of({ErrorKind::Unavailable, "too much is asked of the policy lab at once"}));
}

void Api::show_lab_run(Lab& lab, const Call& call) {
  const auto id = read_run_id(call.id);
  const auto run = id ? lab.find(*id) : Result<LabRun>(tl::unexpected(id.error()));
  if (!run) return call.fail(http::problem_of(run.error()));
  JsonText out;
  out.open('{');
  write_run(out, *run);
  out.key("report");
  if (run->report.empty()) {
    out.null();
  } else {
    out.json(run->report);
  }
  call.answer(json_response(std::move(out.close('}'))));
}

void Api::delete_lab_run(Lab& lab, const Call& call) {
  const auto id = read_run_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  const bool posted = lab.post([&lab, reply = call.reply, id = *id] {
    const auto done = lab.remove(id);
    reply(
        [id, done] { return done ? deleted(id) : http::respond(http::problem_of(done.error())); });
  });
  if (!posted)
    call.fail(
        http::problem_of({ErrorKind::Unavailable, "too much is asked of the policy lab at once"}));
}

}  // namespace gyre::server
