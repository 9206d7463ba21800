#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/units.h"
#include "codec/service_spec_text.h"
#include "server/api/api.h"
#include "server/api/service_view.h"
#include "server/api/spec_body.h"

namespace gyre::server {
namespace {

using Stats = std::vector<proxy::ServiceStats>;

const proxy::ServiceStats* find(const Stats& stats, const std::string& name) {
  const auto at = std::find_if(stats.begin(), stats.end(),
                               [&name](const auto& one) { return one.name == name; });
  return at == stats.end() ? nullptr : &*at;
}

http::Response services_response(const std::vector<ServiceView>& views, const Stats& stats,
                                 const std::string& base, bool one) {
  JsonText out;
  if (!one) out.open('{').key("services").open('[');
  for (const ServiceView& view : views) {
    const std::string& name = view.service.name();
    const std::string url = base.empty() ? "" : fmt::format("{}/services/{}/", base, name);
    write_service(out, view, find(stats, name), url);
  }
  if (!one) out.close(']').close('}');
  return json_response(std::move(out));
}

void write_event(JsonText& out, const ServiceEvent& event) {
  out.open('{')
      .member("id", to_string(event.position))
      .member("at", format_utc(event.at))
      .member("event", to_string(event.change))
      .member("revision", event.revision)
      .key("replica");
  event.replica == JobId{} ? out.null() : out.value(event.replica.value);
  out.member("detail", event.detail).close('}');
}

http::Response events_response(const ServiceLog::Page& page) {
  JsonText out;
  out.open('{').key("events").open('[');
  for (const ServiceEvent& event : page.events) write_event(out, event);
  out.close(']').member("missed", page.missed).member("next_cursor", to_string(page.last));
  out.member("more", page.more).close('}');
  return json_response(std::move(out));
}

}  // namespace

void Api::add_service_routes() {
  router_.add("GET", "/v1/services", {},
              [this](const Call& call) { show_services(call, std::nullopt); });
  router_.add("POST", "/v1/services", {}, [this](const Call& call) { apply_service(call); });
  router_.add("GET", "/v1/services/{id}", {},
              [this](const Call& call) { show_services(call, call.id); });
  router_.add("DELETE", "/v1/services/{id}", {},
              [this](const Call& call) { delete_service(call); });
  router_.add("GET", "/v1/services/{id}/spec", {},
              [this](const Call& call) { show_service_spec(call); });
  router_.add("GET", "/v1/services/{id}/events", {"cursor", "limit"},
              [this](const Call& call) { list_service_events(call); });
}

void Api::apply_service(const Call& call) const {
  const auto format = spec_format(call.request);
  if (const auto* problem = std::get_if<http::Problem>(&format)) return call.fail(*problem);
  auto spec = codec::parse_service_spec(call.request.body, std::get<codec::SpecFormat>(format));
  if (!spec) return call.fail(spec_problem(spec.error(), "service"));
  const std::string name = spec->replica.name;
  inbox_.post(ServiceApplied{std::move(*spec)},
              [reply = call.reply, name](const Result<EventSeq>& done) {
                reply([done, name] {
                  if (!done) return http::respond(http::problem_of(done.error()));
                  JsonText out;
                  out.open('{').member("name", name).close('}');
                  http::Response response = json_response(std::move(out));
                  response.headers.emplace_back("Location", "/v1/services/" + name);
                  return response;
                });
              });
}

void Api::delete_service(const Call& call) const {
  inbox_.post(ServiceDeleted{call.id},
              [reply = call.reply, name = call.id](const Result<EventSeq>& done) {
                reply([done, name] {
                  if (!done) return http::respond(http::problem_of(done.error()));
                  JsonText out;
                  out.open('{').member("name", name).member("deleted", true).close('}');
                  http::Response response = json_response(std::move(out));
                  response.status = 202;
                  return response;
                });
              });
}

/// Half of what is shown is the core's, half the proxy's.
void Api::show_services(const Call& call, std::optional<std::string> name) const {
  const auto asked = inbox_.ask([proxy = proxy(), reply = call.reply,
                                 name = std::move(name)](const control::Controller& core) {
    auto views = view_services(core, name);
    if (!views) {
      return reply([error = views.error()] { return http::respond(http::problem_of(error)); });
    }
    const auto shared = std::make_shared<const std::vector<ServiceView>>(std::move(*views));
    const bool one = name.has_value();
    if (proxy == nullptr) {
      return reply([shared, one] { return services_response(*shared, {}, "", one); });
    }
    proxy->ask([shared, reply, one, base = proxy->url()](const Stats& stats) {
      reply([shared, one, base, stats] { return services_response(*shared, stats, base, one); });
    });
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

void Api::show_service_spec(const Call& call) const {
  ask<ServiceSpec>(
      call,
      [name = call.id](const auto& core) -> Result<ServiceSpec> {
        const auto service = find_service(core, name);
        if (!service) return tl::unexpected(service.error());
        return (*service)->spec;
      },
      [](const ServiceSpec& spec) { return spec_response(codec::to_yaml(spec)); });
}

/// Of a service that is gone, too, as long as they are kept.
void Api::list_service_events(const Call& call) const {
  std::optional<FeedPosition> after;
  const std::string_view cursor = call.request.query_value("cursor").value_or("");
  if (!cursor.empty()) {
    after = parse_feed_position(cursor);
    if (!after) return call.fail(bad_parameter("cursor", "it must be the 'id' of an event"));
  }
  std::uint64_t limit = options_.page_default;
  if (auto wrong = read_number(call.request, "limit", options_.page_max, limit)) {
    return call.fail(*wrong);
  }
  ask<ServiceLog::Page>(
      call,
      [this, name = call.id, after, limit](const auto& core) -> Result<ServiceLog::Page> {
        auto page = watch_.services.read(name, after, limit);
        if (!page.events.empty()) return page;
        if (const auto service = find_service(core, name); !service) {
          return tl::unexpected(service.error());
        }
        return page;
      },
      events_response);
}

}  // namespace gyre::server
