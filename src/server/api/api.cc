#include "server/api/api.h"

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "live/clock.h"
#include "server/api/dashboard.h"
#include "server/api/guarantees.h"
#include "server/api/parse_whole.h"
#include "server/embedded.h"

namespace gyre::server {

Time machine_time() { return live::system_clock_source()().real; }

Api::Api(live::Inbox& inbox, live::Fleet& fleet, Watch& watch, ApiOptions options)
    : inbox_(inbox), fleet_(fleet), watch_(watch), feed_(watch.feed), options_(std::move(options)) {
  add_job_routes();
  add_cluster_routes();
  add_event_routes();
  add_log_routes();
  add_artifact_routes();
  add_exec_routes();
  add_watch_routes();
  add_clock_routes();
  add_service_routes();
  add_healing_routes();
  add_policy_routes();
  add_lab_routes();
  if (options_.chaos != nullptr) add_chaos_routes(*options_.chaos);
  if (options_.telemetry != nullptr) add_telemetry_routes();
  add_meta_routes();
}

void Api::handle(http::Request request, http::Reply reply) const {
  if (options_.telemetry != nullptr)
    reply = options_.telemetry->http.timed(request, std::move(reply));
  if (options_.log != nullptr) reply = options_.log->logged(request, std::move(reply));
  router_.handle(std::move(request), std::move(reply));
}

void Api::add_cluster_routes() {
  router_.add("GET", "/v1/nodes", {"state", "name", "devices"},
              [this](const Call& call) { list_nodes(call); });
  router_.add("POST", "/v1/nodes/{id}/actions", {},
              [this](const Call& call) { act_on_node(call); });
  router_.add("POST", "/v1/join-tokens", {}, [this](const Call& call) { make_join_token(call); });
  router_.add("GET", "/v1/server", {}, [this](const Call& call) { show_server(call); });
  router_.add("GET", "/v1/costs", {"by", "since", "window", "until", "limit"},
              [this](const Call& call) { show_costs(call); });
  router_.add("GET", "/v1/queues", {}, [this](const Call& call) {
    using Seen = std::pair<std::vector<QueueView>, GuaranteeViews>;
    ask<Seen>(
        call,
        [](const auto& core) {
          return Seen{view_queues(core), view_guarantees(core)};
        },
        [](const Seen& seen) {
          JsonText out;
          out.open('{').key("queues").open('[');
          for (const QueueView& queue : seen.first) write_queue(out, queue);
          out.close(']').key("partitions");
          write_guarantees(out, seen.second);
          out.close('}');
          return json_response(std::move(out));
        });
  });
}

void Api::add_meta_routes() {
  router_.add("GET", "/healthz", {}, [this](const Call& call) {
    const auto storage =
        options_.storage != nullptr ? options_.storage->read() : live::Storage::Read{};
    const bool fine = storage.state == live::Storage::State::Ok;
    JsonText out;
    out.open('{').member("status", fine ? "ok" : "degraded").member("version", GYRE_VERSION);
    out.key("storage").open('{').member("status", to_string(storage.state));
    if (!fine) out.member("detail", storage.detail);
    out.close('}').close('}');
    call.answer(json_response(std::move(out)));
  });
  // Ready is who answers: the question goes through the driver, which begins after recovery.
  router_.add("GET", "/readyz", {}, [this](const Call& call) {
    ask<PolicySpec>(
        call, [](const auto& core) { return core.policy(); },
        [](const PolicySpec& policy) {
          JsonText out;
          out.open('{').member("status", "ready").member("policy", policy.name).close('}');
          return json_response(std::move(out));
        });
  });
  router_.add("GET", "/openapi.json", {}, [](const Call& call) {
    http::Response response;
    response.body = openapi_json();
    call.answer(std::move(response));
  });
  router_.add("GET", "/", kAnyParameters,
              [](const Call& call) { call.answer(serve_dashboard("index.html", call.request)); });
  router_.add("GET", "/assets/{id}", {}, [](const Call& call) {
    call.answer(serve_dashboard("assets/" + call.id, call.request));
  });
}

http::Problem bad_parameter(std::string_view name, std::string detail, std::string suggestion) {
  return {400,
          "bad-parameter",
          "A parameter of the query is not valid",
          fmt::format("'{}': {}", name, detail),
          {{fmt::format("query:{}", name), detail, std::move(suggestion)}},
          {}};
}

std::optional<http::Problem> read_number(const http::Request& request, std::string_view name,
                                         std::uint64_t max, std::uint64_t& number) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  if (parse_whole(*text, number) && number <= max) return std::nullopt;
  return bad_parameter(name, fmt::format("'{}' is no whole number from 0 to {}", *text, max));
}

std::optional<http::Problem> read_flag(const http::Request& request, std::string_view name,
                                       bool& flag) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  if (*text != "true" && *text != "false") {
    return bad_parameter(name, fmt::format("'{}' is neither 'true' nor 'false'", *text));
  }
  flag = *text == "true";
  return std::nullopt;
}

std::optional<http::Problem> read_rank(const http::Request& request, std::int32_t& rank) {
  constexpr std::uint64_t kRankMax = 1'000'000;
  std::uint64_t number = 0;
  if (auto wrong = read_number(request, "rank", kRankMax, number)) return wrong;
  rank = static_cast<std::int32_t>(number);
  return std::nullopt;
}

std::optional<http::Problem> read_attempt(const http::Request& request,
                                          std::optional<std::int32_t>& attempt) {
  constexpr std::uint64_t kAttemptMax = 1'000'000'000;
  std::uint64_t number = 0;
  if (auto wrong = read_number(request, "attempt", kAttemptMax, number)) return wrong;
  if (number > 0) attempt = static_cast<std::int32_t>(number);
  return std::nullopt;
}

std::optional<http::Problem> read_names(const http::Request& request, std::string_view name,
                                        const std::vector<std::string>& names, unsigned& bits) {
  const auto text = request.query_value(name);
  if (!text) return std::nullopt;
  bits = 0;
  std::string_view rest = *text;
  for (;;) {
    const std::string_view word = rest.substr(0, rest.find(','));
    const auto found = std::find(names.begin(), names.end(), word);
    if (found == names.end()) {
      return bad_parameter(
          name, fmt::format("'{}' is no {}; there are: {}", word, name, fmt::join(names, ", ")),
          nearest(word, names));
    }
    bits |= 1U << static_cast<unsigned>(found - names.begin());
    if (word.size() == rest.size()) return std::nullopt;
    rest.remove_prefix(word.size() + 1);
  }
}

Result<JobId> read_job_id(const std::string& text) {
  std::uint64_t number = 0;
  if (!parse_whole(text, number)) {
    return fail(ErrorKind::NotFound, "'{}' is no job id; ids are whole numbers", text);
  }
  return JobId{number};
}

Result<const Job*> find_job(const control::Controller& core, JobId id) {
  const Job* job = core.jobs().find(id);
  if (job != nullptr) return job;
  if (id.value > 0 && id <= core.jobs().last()) {
    return fail(ErrorKind::NotFound, "job {} ended long ago and is no longer kept", id.value);
  }
  return fail(ErrorKind::NotFound, "there is no job {}; 'gyre ps -a' lists all", id.value);
}

http::Response json_response(JsonText text) {
  http::Response response;
  response.body = text.take();
  response.body += '\n';
  return response;
}

}  // namespace gyre::server
