#include "server/api/spec_body.h"

#include <fmt/format.h>

#include <string>

namespace gyre::server {
namespace {

/// "resources.gpu", "command[2]" as RFC 6901 pointers.
std::string json_pointer(const std::string& path) {
  std::string pointer;
  for (const char c : path) {
    if (pointer.empty()) pointer += '/';
    if (c == '.' || c == '[') {
      pointer += '/';
    } else if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else if (c != ']') {
      pointer += c;
    }
  }
  return pointer;
}

}  // namespace

std::variant<codec::SpecFormat, http::Problem> spec_format(const http::Request& request) {
  const std::string type = request.media_type();
  if (type == "application/json") return codec::SpecFormat::Json;
  if (type == "application/yaml" || type == "application/x-yaml" || type == "text/yaml") {
    return codec::SpecFormat::Yaml;
  }
  return http::Problem{415,
                       "media-type",
                       "The content type is not supported",
                       fmt::format("'{}': send application/json or application/yaml", type),
                       {},
                       {{"Accept-Post", "application/json, application/yaml"}}};
}

http::Problem spec_problem(const std::vector<codec::SpecProblem>& found, std::string_view what) {
  http::Problem problem{422,
                        fmt::format("invalid-{}-spec", what),
                        fmt::format("The {} spec is not valid", what),
                        "",
                        {},
                        {}};
  problem.detail = codec::describe(found.front());
  if (found.size() > 1) problem.detail += fmt::format(" (and {} more)", found.size() - 1);
  for (const codec::SpecProblem& item : found) {
    problem.errors.push_back({json_pointer(item.path), item.message, item.suggestion});
  }
  return problem;
}

http::Response spec_response(Result<std::string> yaml) {
  if (!yaml) return http::respond(http::problem_of(yaml.error()));
  http::Response response;
  response.content_type = "application/yaml";
  response.body = std::move(*yaml);
  return response;
}

}  // namespace gyre::server
