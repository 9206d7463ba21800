#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/time.h"
#include "server/http/problem.h"
#include "server/lab/lab.h"

namespace gyre::server {

/// What a body asks the policy lab.
struct LabOrder {
  LabQuestion question;
  std::vector<LabRun::Policy> shown;
};

/// Reads the body of POST /v1/lab/runs. What is wrong in a trace is not looked for: Lab::ask()
/// does.
std::variant<LabOrder, http::Problem> read_lab_order(const std::string& body, Time now);

/// 422, with what is wrong and where.
http::Problem bad_lab_order(std::string pointer, std::string detail);

}  // namespace gyre::server
