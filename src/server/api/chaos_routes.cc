#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "codec/chaos_text.h"
#include "codec/printable.h"
#include "domain/live_chaos.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLimitDefault = 100;

/// Reads the members of a body, each with one clear problem if it is wrong.
class FaultReader {
 public:
  /// `can`: whether a fault is one of whom is asked to have it.
  explicit FaultReader(bool (*can)(ChaosFault::Kind)) : can_(can) {}

  FaultRequest read(const Json& body) {
    FaultRequest out;
    const auto& names = chaos_fault_names();
    const std::string kind = body.at("do").is_string() ? body.at("do").get<std::string>() : "";
    const auto found = std::find(names.begin(), names.end(), kind);
    out.kind = static_cast<ChaosFault::Kind>(found - names.begin());
    if (found == names.end() || !can_(out.kind)) {
      problem("/do", fmt::format("must be {}", fmt::join(live_names(), ", ")));
    }
    for (const auto& [name, value] : body.items()) member(name, value, out);
    if (out.kind == ChaosFault::Kind::StepClock && out.lasts.ns == 0) {
      problem("/for", "must say when the clock comes back");
    }
    if ((out.kind == ChaosFault::Kind::SlowDisk) == (out.delay.ns == 0)) {
      problem("/delay", "must be there for slow-disk alone: how much longer each commit takes");
    }
    if ((out.kind == ChaosFault::Kind::SlowNetwork) == (out.network == ChaosNetwork{})) {
      problem("/network", "must be there, and be slow, for slow-network alone");
    }
    return out;
  }
  std::vector<http::ProblemItem> problems;

  std::vector<std::string_view> live_names() const {
    std::vector<std::string_view> out;
    for (std::size_t i = 0; i < chaos_fault_names().size(); ++i) {
      if (can_(static_cast<ChaosFault::Kind>(i))) out.push_back(chaos_fault_names()[i]);
    }
    return out;
  }

 private:
  void member(const std::string& name, const Json& value, FaultRequest& out) {
    if (name == "do") return;
    if (name == "for") return span(name, value, kLiveFaultMax, out.lasts);
    if (name == "delay") return span(name, value, kLiveDelayMax, out.delay);
    if (name == "way") return way(value, out.way);
    if (name == "queues") return names(name, value, out.queues);
    if (name == "tenants") return names(name, value, out.tenants);
    if (name == "by") return text(value, out.by);
    if (name == "jump") return jump(value, out.jump);
    if (name == "network") return network(value, out.network);
    std::uint64_t number = 0;
    if (name == "job") {
      whole(name, value, number);
      out.job = JobId{number};
    } else if (name == "task") {
      whole(name, value, number);
      out.rank = static_cast<std::int32_t>(std::min<std::uint64_t>(number, 1'000'000));
    } else if (name == "which") {
      whole(name, value, out.which);
    } else {
      problem("/" + codec::printable(name),
              "there is no such member; there are do, for, way, job, task, queues, tenants, "
              "which, jump, delay, network and by");
    }
  }
  void span(const std::string& name, const Json& value, Duration most, Duration& out) {
    const auto span = parse_duration(value.is_string() ? value.get<std::string>() : "none");
    if (!span || *span > most) {
      return problem("/" + name, fmt::format("must be a time of {} at most, as in \"10s\"",
                                             format_duration(most)));
    }
    out = *span;
  }
  void jump(const Json& value, Duration& out) {
    std::string text = value.is_string() ? value.get<std::string>() : "none";
    const bool back = text.starts_with('-');
    const auto span = parse_duration(back ? text.substr(1) : text);
    if (!span || *span > kLiveJumpMax) {
      return problem("/jump", fmt::format("must be a time of {} at most, as in \"-30s\"",
                                          format_duration(kLiveJumpMax)));
    }
    out = back ? Duration{-span->ns} : *span;
  }
  /// {"delay_ms": [1, 20], "late_percent": 5, "late_by_ms": [100, 200], "lost_percent": 1}
  void network(const Json& value, ChaosNetwork& out) {
    if (!value.is_object()) return problem("/network", "must be an object");
    for (const auto& [name, part] : value.items()) {
      if (name == "delay_ms") {
        range(name, part, out.delay);
      } else if (name == "late_by_ms") {
        range(name, part, out.late_by);
      } else if (name == "late_percent") {
        percent(name, part, out.late_percent);
      } else if (name == "lost_percent") {
        percent(name, part, out.lost_percent);
      } else {
        problem("/network/" + codec::printable(name),
                "there is no such member; there are delay_ms, late_percent, late_by_ms and "
                "lost_percent");
      }
    }
  }
  void range(const std::string& name, const Json& value, SpanRange& out) {
    const bool pair = value.is_array() && value.size() == 2 && value[0].is_number_unsigned() &&
                      value[1].is_number_unsigned();
    const auto most = static_cast<std::uint64_t>(kLiveFaultMax.ns / 1'000'000);
    if (!pair || value[0].get<std::uint64_t>() > value[1].get<std::uint64_t>() ||
        value[1].get<std::uint64_t>() > most) {
      return problem("/network/" + name,
                     fmt::format("must be two numbers, the lesser first, of {} at most", most));
    }
    out = {milliseconds(value[0].get<std::int64_t>()), milliseconds(value[1].get<std::int64_t>())};
  }
  void percent(const std::string& name, const Json& value, CountRange& out) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > 100) {
      return problem("/network/" + name, "must be a number from 0 to 100");
    }
    out = {value.get<std::int64_t>(), value.get<std::int64_t>()};
  }
  void way(const Json& value, ChaosFault::Way& out) {
    const auto found = std::find(codec::kChaosWays.begin(), codec::kChaosWays.end(),
                                 value.is_string() ? value.get<std::string>() : "");
    if (found == codec::kChaosWays.end()) {
      return problem("/way", fmt::format("must be {}", fmt::join(codec::kChaosWays, ", ")));
    }
    out = static_cast<ChaosFault::Way>(found - codec::kChaosWays.begin());
  }
  void names(const std::string& name, const Json& value, std::vector<std::string>& out) {
    const bool good =
        value.is_array() && value.size() <= kLiveNamesMax &&
        std::all_of(value.begin(), value.end(), [](const Json& one) { return one.is_string(); });
    if (!good) return problem("/" + name, "must be a list of names");
    out = value.get<std::vector<std::string>>();
  }
  void text(const Json& value, std::string& out) {
    if (!value.is_string()) return problem("/by", "must be a text");
    out = codec::printable(value.get<std::string>());
  }
  void whole(const std::string& name, const Json& value, std::uint64_t& out) {
    if (!value.is_number_unsigned()) return problem("/" + name, "must be a whole number");
    out = value.get<std::uint64_t>();
  }
  void problem(std::string pointer, std::string detail) {
    problems.push_back({std::move(pointer), std::move(detail), ""});
  }

  bool (*const can_)(ChaosFault::Kind);
};

http::Problem bad_fault(std::vector<http::ProblemItem> problems) {
  std::string detail = R"(the body must be as in {"do": "cut-node", "for": "10s"})";
  if (!problems.empty()) {
    detail = fmt::format("{}: {}", problems.front().pointer, problems.front().detail);
  }
  return {422, "invalid-fault", "The fault is not valid", detail, std::move(problems), {}};
}

http::Response fault_response(const FaultRecord& fault) {
  JsonText out;
  write_fault(out, fault);
  http::Response response = json_response(std::move(out));
  response.status = 202;
  return response;
}

http::Response chaos_response(const ChaosView& view) {
  JsonText out;
  out.open('{').member("on", view.on).key("turned_by");
  view.turned_by.empty() ? out.null() : out.value(view.turned_by);
  write_time(out, "turned_at", view.turned_at);
  out.member("calm", view.unrest.empty()).member("unrest", view.unrest).key("nodes").open('[');
  for (const std::string& node : view.nodes) out.value(node);
  out.close(']').key("cannot").open('{');
  for (const auto& [whose, faults] : view.cannot) {
    if (whose.empty()) continue;
    out.key(whose).open('{');
    for (const auto& [name, why] : faults) out.member(name, why);
    out.close('}');
  }
  out.close('}').key("server_cannot").open('{');
  if (const auto own = view.cannot.find(""); own != view.cannot.end()) {
    for (const auto& [name, why] : own->second) out.member(name, why);
  }
  out.close('}').member("faults_today", view.faults_today);
  out.member("nodes_broken", view.nodes_broken).key("faults").open('[');
  for (const FaultRecord& fault : view.faults) write_fault(out, fault);
  out.close(']').close('}');
  return json_response(std::move(out));
}

/// What is shown of a result, whenever it comes.
template <class T>
live::Done<T> answer(const http::Reply& reply, http::Response (*show)(const T&)) {
  return [reply, show](Result<T> done) {
    const auto kept = std::make_shared<const Result<T>>(std::move(done));
    reply([kept, show] {
      return *kept ? show(**kept) : http::respond(http::problem_of(kept->error()));
    });
  };
}

/// `of_server`: else of the node that is named.
void inject(Chaos& chaos, const Call& call, bool of_server) {
  const Json body = Json::parse(call.request.body, nullptr, false);
  if (!body.is_object() || !body.contains("do")) return call.fail(bad_fault({}));
  FaultReader reader(of_server ? can_be_live_at_server : can_be_live_at_node);
  FaultRequest request = reader.read(body);
  if (!reader.problems.empty()) return call.fail(bad_fault(std::move(reader.problems)));
  if (request.by.empty()) request.by = "somebody";
  auto done = answer<FaultRecord>(call.reply, fault_response);
  if (of_server) return chaos.inject(std::move(request), std::move(done));
  chaos.inject(call.id, std::move(request), std::move(done));
}

/// How things stand afterwards.
live::Done<void> then_view(Chaos& chaos, const http::Reply& reply) {
  return [&chaos, reply](const Result<void>& done) {
    if (!done) {
      return reply([error = done.error()] { return http::respond(http::problem_of(error)); });
    }
    chaos.view(kLimitDefault, answer<ChaosView>(reply, chaos_response));
  };
}

void turn(Chaos& chaos, const Call& call) {
  const Json body = Json::parse(call.request.body, nullptr, false);
  const bool good = body.is_object() && body.contains("on") && body["on"].is_boolean() &&
                    body.size() <= 2 && (body.size() == 1 || body.contains("by")) &&
                    (!body.contains("by") || body["by"].is_string());
  if (!good) {
    return call.fail(
        {422,
         "invalid-switch",
         "The switch is not valid",
         R"(the body must be {"on": true} or {"on": false}, and may say who turns it: "by")",
         {},
         {}});
  }
  const std::string by = codec::printable(body.value("by", "somebody"));
  chaos.turn(body["on"].get<bool>(), by, then_view(chaos, call.reply));
}

}  // namespace

void Api::add_chaos_routes(Chaos& chaos) {
  router_.add("GET", "/v1/chaos", {"limit"}, [&chaos](const Call& call) {
    std::uint64_t limit = kLimitDefault;
    if (auto wrong = read_number(call.request, "limit", FaultLog::kFaultsKept, limit)) {
      return call.fail(*wrong);
    }
    chaos.view(limit, answer<ChaosView>(call.reply, chaos_response));
  });
  router_.add("POST", "/v1/chaos", {}, [&chaos](const Call& call) { turn(chaos, call); });
  router_.add("POST", "/v1/nodes/{id}/faults", {},
              [&chaos](const Call& call) { inject(chaos, call, false); });
  router_.add("POST", "/v1/chaos/faults", {},
              [&chaos](const Call& call) { inject(chaos, call, true); });
  router_.add("DELETE", "/v1/nodes/{id}/faults", {},
              [&chaos](const Call& call) { chaos.mend(call.id, then_view(chaos, call.reply)); });
}

}  // namespace gyre::server
