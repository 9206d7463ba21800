#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "server/http/message.h"

namespace gyre::server::http {

/// One thing wrong with a request: where (a JSON pointer or a parameter), what, and how to mend it.
struct ProblemItem {
  std::string pointer;
  std::string detail;
  std::string suggestion;  // empty: none
};

/// An error as RFC 9457 "problem details" (application/problem+json). `type` is a relative
/// reference that names the kind of problem: /problems/KIND.
struct Problem {
  int status = 500;
  std::string kind;
  std::string title;
  std::string detail;
  std::vector<ProblemItem> errors;
  Pairs headers;
};

Response respond(const Problem& problem);

/// The problem that fits an error of the inner layers.
Problem problem_of(const Error& error);

}  // namespace gyre::server::http
