#include "server/api/standby.h"

#include <fmt/format.h>

#include <utility>

#include "server/api/json_text.h"
#include "server/api/metrics_text.h"
#include "server/http/problem.h"

namespace gyre::server {
namespace {

http::Response health(const StandbyApi::View& view) {
  JsonText out;
  out.open('{').member("status", "standby").member("version", GYRE_VERSION);
  if (!view.leader.empty()) out.member("leader", view.leader);
  if (!view.trouble.empty()) out.member("detail", view.trouble);
  out.close('}');
  http::Response response;
  response.body = std::move(out).take();
  return response;
}

}  // namespace

void StandbyApi::show(View view) {
  const std::lock_guard guard(mutex_);
  view_ = std::move(view);
}

StandbyApi::View StandbyApi::view() const {
  const std::lock_guard guard(mutex_);
  return view_;
}

http::Response standby_metrics() {
  MetricsText out;
  write_server(out, false);
  http::Response response;
  response.content_type = MetricsText::kContentType;
  response.body = out.take();
  return response;
}

http::Response refuse_as_standby(const StandbyApi::View& view) {
  std::string detail =
      view.leader.empty() ? "no server leads just now" : fmt::format("{} leads", view.leader);
  if (!view.trouble.empty()) detail += fmt::format("; {}", view.trouble);
  detail +=
      view.leader.empty() ? "; ask again in a moment" : "; ask that one, or again in a moment";
  return http::respond(
      {503, "standby", "This server is a standby", std::move(detail), {}, {{"Retry-After", "1"}}});
}

void StandbyApi::handle(const http::Request& request, const http::Reply& reply) const {
  const bool reads = request.method == "GET";
  if (reads && request.path == "/metrics") return reply(standby_metrics);
  const bool is_health = reads && request.path == "/healthz";
  reply([seen = view(), is_health] { return is_health ? health(seen) : refuse_as_standby(seen); });
}

}  // namespace gyre::server
