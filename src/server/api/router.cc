#include "server/api/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/units.h"

namespace gyre::server {
namespace {

constexpr std::string_view kList = "/openapi.json";

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(1);
  for (;;) {
    const std::size_t end = path.find('/');
    segments.emplace_back(path.substr(0, end));
    if (end == path.npos) return segments;
    path.remove_prefix(end + 1);
  }
}

/// What stands for {id}, empty if the pattern has none; nullopt where the path does not match.
std::optional<std::string> match(const std::vector<std::string>& pattern,
                                 const std::vector<std::string>& path) {
  if (pattern.size() != path.size()) return std::nullopt;
  std::string id;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == "{id}") {
      id = path[i];
    } else if (pattern[i] != path[i]) {
      return std::nullopt;
    }
  }
  return id;
}

std::optional<http::Problem> check_query(const http::Request& request,
                                         const std::vector<std::string>& known) {
  http::Problem problem{400, "unknown-parameter", "The query has an unknown parameter", "", {}, {}};
  for (const auto& [name, value] : request.query) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    problem.errors.push_back(
        {"query:" + name, "there is no such parameter here", nearest(name, known)});
  }
  if (problem.errors.empty()) return std::nullopt;
  problem.detail = known.empty() ? "this resource has no parameters"
                                 : fmt::format("known are: {}", fmt::join(known, ", "));
  return problem;
}

}  // namespace

void Call::answer(http::Response response) const {
  const auto shared = std::make_shared<http::Response>(std::move(response));
  reply([shared] { return std::move(*shared); });
}

void Call::fail(http::Problem problem) const {
  reply([problem = std::move(problem)] { return http::respond(problem); });
}

void Router::add(std::string method, std::string pattern, std::vector<std::string> parameters,
                 Handler handler) {
  Route route{std::move(method), split(pattern), std::move(parameters), std::move(handler)};
  if (pattern == kList) {
    where_to_look_ = fmt::format("{} lists them all", kList);
    listed_ = true;
  } else if (!listed_ && (routes_.empty() || routes_.back().segments != route.segments)) {
    where_to_look_ += (routes_.empty() ? "there is " : ", ") + pattern;
  }
  routes_.push_back(std::move(route));
}

void Router::handle(http::Request request, http::Reply reply) const {
  const std::vector<std::string> path = split(request.path);
  std::vector<std::string> allowed;
  for (const Route& route : routes_) {
    auto id = match(route.segments, path);
    if (!id) continue;
    if (route.method != request.method) {
      allowed.push_back(route.method);
      continue;
    }
    Call call{std::move(request), std::move(*id), std::move(reply)};
    if (route.parameters != kAnyParameters) {
      if (auto problem = check_query(call.request, route.parameters)) return call.fail(*problem);
    }
    return route.handler(std::move(call));
  }
  const Call call{std::move(request), {}, std::move(reply)};
  if (allowed.empty()) {
    return call.fail(
        {404,
         "no-such-path",
         "There is nothing at this path",
         fmt::format("'{}' is no path of this server; {}", call.request.path, where_to_look_),
         {},
         {}});
  }
  if (allowed.front() == "GET") allowed.emplace_back("HEAD");
  call.fail(
      {405,
       "method-not-allowed",
       "The method is not allowed here",
       fmt::format("'{}' is not, these are: {}", call.request.method, fmt::join(allowed, ", ")),
       {},
       {{"Allow", fmt::format("{}", fmt::join(allowed, ", "))}}});
}

}  // namespace gyre::server
