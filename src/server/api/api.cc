#include "server/api/api.h"

#include <openssl/evp.h>

#include <charconv>

#include "server/api/base64.h"
#include "server/embedded.h"

namespace gyre::server {
namespace {

/// The source expression for what stands between <tag> and </tag> (CSP Level 3, "hash-source").
std::string hash_source(std::string_view page, std::string_view tag) {
  const std::size_t begin = page.find(fmt::format("<{}>", tag)) + tag.size() + 2;
  const std::string_view text = page.substr(begin, page.find(fmt::format("</{}>", tag)) - begin);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return fmt::format("'sha256-{}'", encode_base64({reinterpret_cast<const char*>(digest), size}));
}

/// What the page may do: run its own script, wear its own style, speak to this server.
std::string page_policy(std::string_view page) {
  return fmt::format(
      "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; "
      "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
      hash_source(page, "script"), hash_source(page, "style"));
}

}  // namespace

Api::Api(live::Inbox& inbox, const act::TaskLogs& logs, EventFeed& feed, const ApiOptions& options)
    : inbox_(inbox), logs_(logs), feed_(feed), options_(options) {
  add_job_routes();
  add_cluster_routes();
  add_event_routes();
  add_log_routes();
  add_meta_routes();
}

void Api::add_cluster_routes() {
  router_.add("GET", "/v1/nodes", {}, [this](const Call& call) {
    ask<std::vector<NodeView>>(
        call, [](const auto& core) { return view_nodes(core); },
        [](const auto& nodes) {
          JsonText out;
          out.open('{').key("nodes").open('[');
          for (const NodeView& node : nodes) write_node(out, node);
          out.close(']').close('}');
          return json_response(std::move(out));
        });
  });
  router_.add("POST", "/v1/nodes/{id}/actions", {},
              [this](const Call& call) { act_on_node(call); });
  router_.add("GET", "/v1/queues", {}, [this](const Call& call) {
    ask<std::vector<QueueView>>(
        call, [](const auto& core) { return view_queues(core); },
        [](const auto& queues) {
          JsonText out;
          out.open('{').key("queues").open('[');
          for (const QueueView& queue : queues) write_queue(out, queue);
          out.close(']').close('}');
          return json_response(std::move(out));
        });
  });
}

void Api::add_meta_routes() {
  router_.add("GET", "/healthz", {}, [](const Call& call) {
    JsonText out;
    out.open('{').member("status", "ok").member("version", GYRE_VERSION).close('}');
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
  router_.add("GET", "/", {}, [](const Call& call) {
    static const std::string policy = page_policy(index_html());
    http::Response response;
    response.content_type = "text/html; charset=utf-8";
    response.headers = {{"Content-Security-Policy", policy},
                        {"Referrer-Policy", "no-referrer"},
                        {"Cache-Control", "no-cache"}};
    response.body = index_html();
    call.answer(std::move(response));
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
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error == std::errc{} && end == text->data() + text->size() && number <= max) {
    return std::nullopt;
  }
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

Result<JobId> read_job_id(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) {
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
