#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "codec/job_spec_text.h"
#include "server/http/message.h"
#include "server/http/problem.h"

namespace gyre::server {

/// In which form the body of a request is a spec, by its Content-Type.
std::variant<codec::SpecFormat, http::Problem> spec_format(const http::Request& request);

/// What is wrong with a spec; `what` it is of: "job", "service". Requires: something is.
http::Problem spec_problem(const std::vector<codec::SpecProblem>& found, std::string_view what);

/// A spec as it was accepted, as YAML.
http::Response spec_response(Result<std::string> yaml);

}  // namespace gyre::server
