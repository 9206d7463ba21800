#include "server/http/problem.h"

#include <nlohmann/json.hpp>

namespace gyre::server::http {

using Json = nlohmann::ordered_json;

Response respond(const Problem& problem) {
  Json body{{"type", "/problems/" + problem.kind},
            {"title", problem.title},
            {"status", problem.status},
            {"detail", problem.detail}};
  if (!problem.errors.empty()) {
    Json items = Json::array();
    for (const ProblemItem& item : problem.errors) {
      Json entry{{"pointer", item.pointer}, {"detail", item.detail}};
      if (!item.suggestion.empty()) entry["suggestion"] = item.suggestion;
      items.push_back(std::move(entry));
    }
    body["errors"] = std::move(items);
  }
  // Part of the text may come from the client and be no UTF-8.
  std::string text = body.dump(-1, ' ', false, Json::error_handler_t::replace);
  return {problem.status, "application/problem+json", problem.headers, std::move(text) + "\n", {}};
}

Problem problem_of(const Error& error) {
  const auto make = [&](int status, const char* kind, const char* title) {
    return Problem{status, kind, title, error.message, {}, {}};
  };
  switch (error.kind) {
    case ErrorKind::Invalid:
      return make(422, "invalid", "The request is not valid");
    case ErrorKind::NeverFits:
      return make(422, "never-fits", "It can never be placed");
    case ErrorKind::NotFound:
      return make(404, "not-found", "There is no such thing");
    case ErrorKind::Conflict:
      return make(409, "conflict", "Its state does not allow this");
    case ErrorKind::Unavailable: {
      Problem problem = make(503, "unavailable", "Not now; try again");
      problem.headers.emplace_back("Retry-After", "1");
      return problem;
    }
    case ErrorKind::Unsupported:
      return make(501, "unsupported", "This server cannot do it");
    case ErrorKind::NoRoom: {
      Problem problem = make(507, "no-room", "The server's disk has no room");
      problem.headers.emplace_back("Retry-After", "5");
      return problem;
    }
    case ErrorKind::Internal:
      break;
  }
  return make(500, "internal", "The server failed");
}

}  // namespace gyre::server::http
