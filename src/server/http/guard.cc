#include "server/http/guard.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace gyre::server::http {
namespace {

bool is_loopback_name(std::string_view host) {
  static constexpr std::array<std::string_view, 3> kNames = {"localhost", "127.0.0.1", "[::1]"};
  return std::find(kNames.begin(), kNames.end(), host_name(host)) != kNames.end();
}

/// What a page can send to another origin without a preflight (Fetch standard, "CORS-safelisted").
bool is_form_type(const std::string& type) {
  return type.empty() || type == "text/plain" || type == "multipart/form-data" ||
         type == "application/x-www-form-urlencoded";
}

}  // namespace

std::string_view host_name(std::string_view host) {
  const std::size_t end = host.starts_with('[') ? host.find(']') + 1 : host.find(':');
  const std::string_view name = host.substr(0, end);
  const std::string_view rest = host.substr(name.size());
  const bool port = rest.empty() || (rest.size() > 1 && rest[0] == ':' &&
                                     rest.find_first_not_of("0123456789", 1) == rest.npos);
  return port ? name : std::string_view{};
}

std::optional<Problem> check_host(std::string_view host) {
  if (!is_loopback_name(host)) {
    return Problem{421,
                   "wrong-host",
                   "This server answers to loopback names only",
                   fmt::format("the Host header is '{}'; use localhost, 127.0.0.1 or [::1]", host),
                   {},
                   {}};
  }
  return std::nullopt;
}

std::optional<Problem> check_origin(std::string_view origin, std::string_view host,
                                    std::string_view scheme) {
  if (!origin.empty() && origin != fmt::format("{}://{}", scheme, host)) {
    return Problem{
        403,
        "foreign-origin",
        "A page of another origin may not do this",
        fmt::format("the Origin header is '{}', this server is {}://{}", origin, scheme, host),
        {},
        {}};
  }
  return std::nullopt;
}

std::optional<Problem> check_origin(const Request& request) {
  const std::string_view host = request.header("host");
  if (auto problem = check_host(host)) return problem;
  if (auto problem = check_origin(request.header("origin"), host, "http")) {
    return problem;
  }
  if (request.method == "POST" && is_form_type(request.media_type())) {
    return Problem{415,
                   "media-type",
                   "The content type is not supported",
                   "a POST needs 'Content-Type: application/json' (or application/yaml for a job)",
                   {},
                   {{"Accept-Post", "application/json"}}};
  }
  return std::nullopt;
}

}  // namespace gyre::server::http
