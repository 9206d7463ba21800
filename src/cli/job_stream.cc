#include "cli/job_stream.h"

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "cli/print.h"

namespace gyre::cli {

using Json = nlohmann::ordered_json;

Outcome<std::string> job_path(const std::string& id) {
  if (id.empty() || id.size() > 19 || id.find_first_not_of("0123456789") != id.npos) {
    return give_up(kUsage, "'{}' is no job id; ids are whole numbers, see 'gyre ps -a'", id);
  }
  return "/v1/jobs/" + id;
}

Outcome<Json> get_json(HttpClient& client, const std::string& target) {
  const auto body = client.get(target);
  if (!body) return tl::unexpected(body.error());
  Json document = Json::parse(*body, nullptr, false);
  if (document.is_discarded()) {
    return give_up(kError, "what answers at {} is not Gyre", client.address().text());
  }
  return document;
}

Outcome<Json> call_json(HttpClient& client, const HttpCall& call) {
  const auto body = client.call(call);
  if (!body) return tl::unexpected(body.error());
  Json document = Json::parse(*body, nullptr, false);
  if (!document.is_object()) return give_up(kError, "the server's answer is no JSON");
  return document;
}

void follow_log(StreamFollower& follower, const std::string& path, const std::string& query,
                int descriptor) {
  follower.add(path + "/logs?follow=true&" + query, "", [descriptor](const StreamEvent& event) {
    const Json data = Json::parse(event.data, nullptr, false);
    if (!data.is_object()) return;
    if (event.name == "dropped") complain_of_dropped(data.value("bytes", std::uint64_t{0}));
    if (event.name != "log") return;
    if (data.contains("base64")) {
      write_all(descriptor, decode_base64(data.value("base64", "")).value_or(""));
    } else {
      write_all(descriptor, data.value("text", ""));
    }
  });
}

void complain_of_dropped(std::uint64_t bytes) {
  complain(fmt::format("{} bytes of the log are not kept and left out here", bytes));
}

int exit_code_of(const Json& job) {
  const auto& code = job.at("exit_code");
  const std::string state = job.value("state", "");
  if (state == "succeeded") return code.is_number() ? code.get<int>() : kOk;
  const std::string reason = job.at("reason").is_string() ? job.value("reason", "") : "";
  std::string detail = job.value("reason_detail", "");
  if (!detail.empty()) detail = ": " + detail;
  const bool the_node_says = job.contains("exit") && job.at("exit").is_object() &&
                             !job.at("exit").value("message", "").empty();
  if (!code.is_number() || the_node_says) {
    complain(
        terminal_safe(fmt::format("job {} {} ({}){}", job.value("id", 0), state, reason, detail)));
  }
  if (code.is_number()) return code.get<int>();
  return reason == "never_fits" ? kNeverPlaced : kError;
}

}  // namespace gyre::cli
