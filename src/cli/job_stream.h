#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/http_client.h"
#include "cli/outcome.h"

namespace gyre::cli {

/// The path of a job, "/v1/jobs/12". Errors: usage, for what is no id.
Outcome<std::string> job_path(const std::string& id);

Outcome<nlohmann::ordered_json> get_json(HttpClient& client, const std::string& target);
/// The same of any call. Errors: also what is no JSON object.
Outcome<nlohmann::ordered_json> call_json(HttpClient& client, const HttpCall& call);

/// Adds one of a job's logs to what is followed; its bytes go to `descriptor` as they are.
void follow_log(StreamFollower& follower, const std::string& job, const std::string& query,
                int descriptor);

/// Says on stderr that a part of a log is missing.
void complain_of_dropped(std::uint64_t bytes);

/// What a program that stands for the job returns: the job's own code where there is one. Says on
/// stderr why a job failed that has none.
int exit_code_of(const nlohmann::ordered_json& job);

}  // namespace gyre::cli
