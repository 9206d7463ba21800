#include "server/api/lab_order.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "codec/policy_text.h"
#include "codec/printable.h"
#include "codec/utc.h"
#include "server/api/views.h"
#include "server/lab/bundled_trace.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

constexpr std::array<std::string_view, 5> kTraceFields{"bundled", "name", "text", "nodes",
                                                       "format"};
constexpr std::size_t kWordBytesMax = 255;

http::Problem bad_order(std::vector<http::ProblemItem> items) {
  const std::string detail = items.front().detail;
  return {422, "invalid-lab-run", "The run is not valid", detail, std::move(items), {}};
}

/// A policy's name, or the text of a policy file, which has a colon.
std::optional<http::Problem> add_policy(const std::string& text, const std::string& pointer,
                                        LabOrder& order) {
  if (text.find_first_of(":\n") == text.npos) {
    const auto policy = policy_by_name(text);
    if (!policy) return bad_lab_order(pointer, policy.error().message);
    order.shown.push_back({policy->name, description_of(*policy), {}});
    order.question.policies.push_back(*policy);
    return std::nullopt;
  }
  const auto policy = codec::parse_policy(text);
  if (!policy) {
    std::vector<http::ProblemItem> items;
    for (const codec::SpecProblem& one : policy.error()) {
      items.push_back({pointer, codec::describe(one), one.suggestion});
    }
    return bad_order(std::move(items));
  }
  order.shown.push_back({policy->name, "a policy file", text});
  order.question.policies.push_back(*policy);
  return std::nullopt;
}

std::optional<http::Problem> read_policies(const Json& list, LabOrder& order) {
  if (!list.is_array() || list.empty() || list.size() > Lab::kPoliciesMax) {
    return bad_lab_order("/policies",
                         fmt::format("\"policies\" is a list of 1 to {} names or texts of "
                                     "policy files",
                                     Lab::kPoliciesMax));
  }
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string pointer = fmt::format("/policies/{}", i);
    if (!list[i].is_string()) return bad_lab_order(pointer, "a policy is a name or a text");
    if (auto problem = add_policy(list[i].get_ref<const std::string&>(), pointer, order)) {
      return problem;
    }
    const auto& policies = order.question.policies;
    for (std::size_t other = 0; other < i; ++other) {
      if (policies[other].name != policies[i].name) continue;
      return bad_lab_order(pointer,
                           fmt::format("the policy '{}' is given twice; a policy needs a name "
                                       "of its own",
                                       policies[i].name));
    }
  }
  return std::nullopt;
}

std::optional<http::Problem> read_moment(const Json& value, const std::string& name, Time now,
                                         std::optional<Time>& moment) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_string()) {
    return bad_lab_order("/" + name, fmt::format("\"{}\" is a time as text, or null", name));
  }
  const std::string& text = value.get_ref<const std::string&>();
  const auto time = codec::parse_utc(text);
  if (!time) {
    return bad_lab_order("/" + name,
                         fmt::format("'{}' is no time in UTC such as 2026-03-01T10:02:11Z", text));
  }
  if (*time > now)
    return bad_lab_order("/" + name, "it is still to come; take a time that has passed");
  moment = *time;
  return std::nullopt;
}

/// A text of at most so many bytes; absent is null, and empty.
std::optional<http::Problem> read_text(const Json& trace, const char* name, std::size_t bytes_max,
                                       std::string& text) {
  const auto found = trace.find(name);
  if (found == trace.end() || found->is_null()) return std::nullopt;
  const std::string pointer = fmt::format("/trace/{}", name);
  if (!found->is_string()) return bad_lab_order(pointer, fmt::format("\"{}\" is a text", name));
  text = found->get<std::string>();
  if (text.size() <= bytes_max) return std::nullopt;
  return bad_lab_order(pointer,
                       fmt::format("\"{}\" has {} bytes; {} can be", name, text.size(), bytes_max));
}

/// Puts a trace of data/ where one is named.
std::optional<http::Problem> unpack_bundled(const std::string& name, LabTrace& trace) {
  if (!trace.text.empty() || !trace.name.empty() || !trace.format.empty()) {
    return bad_lab_order(
        "/trace/bundled",
        R"(beside "bundled" a trace has "nodes" alone: its name and text are known)");
  }
  std::string names;
  for (const BundledTrace& one : bundled_traces()) {
    names += (names.empty() ? "" : ", ") + std::string(one.name);
    if (one.name != name) continue;
    trace.name = one.file->path;
    trace.text = unpacked(*one.file);
    if (trace.nodes.empty()) trace.nodes = one.nodes;
    return std::nullopt;
  }
  return bad_lab_order("/trace/bundled", fmt::format("no trace '{}' comes with Gyre; there is {}",
                                                     codec::printable(name), names));
}

std::optional<http::Problem> check_trace(LabTrace& trace) {
  if (trace.text.empty()) {
    return bad_lab_order("/trace", R"(a trace has its "text", or the name of a "bundled" one)");
  }
  if (trace.nodes.empty()) {
    return bad_lab_order("/trace/nodes",
                         "\"nodes\" is missing: a shape such as 32x8:V100, or a node list");
  }
  if (trace.name.empty()) trace.name = "trace";
  if (codec::printable(trace.name) == trace.name) return std::nullopt;
  return bad_lab_order("/trace/name", "it has control characters, or more than 60 bytes");
}

std::optional<http::Problem> read_trace(const Json& value, LabOrder& order) {
  if (value.is_null()) return std::nullopt;
  if (!value.is_object()) return bad_lab_order("/trace", "\"trace\" is an object, or null");
  for (const auto& [name, ignored] : value.items()) {
    if (std::find(kTraceFields.begin(), kTraceFields.end(), name) != kTraceFields.end()) continue;
    return bad_lab_order("/trace/" + name, fmt::format("of a trace only {} are known",
                                                       fmt::join(kTraceFields, ", ")));
  }
  LabTrace& trace = order.question.trace.emplace();
  std::string bundled;
  const std::array problems{read_text(value, "bundled", kWordBytesMax, bundled),
                            read_text(value, "name", kWordBytesMax, trace.name),
                            read_text(value, "text", Lab::kTraceBytesMax, trace.text),
                            read_text(value, "nodes", Lab::kNodesBytesMax, trace.nodes),
                            read_text(value, "format", kWordBytesMax, trace.format)};
  for (const auto& problem : problems) {
    if (problem) return problem;
  }
  if (!bundled.empty()) {
    if (auto problem = unpack_bundled(bundled, trace)) return problem;
  }
  return check_trace(trace);
}

}  // namespace

http::Problem bad_lab_order(std::string pointer, std::string detail) {
  return bad_order({{std::move(pointer), std::move(detail), {}}});
}

std::variant<LabOrder, http::Problem> read_lab_order(const std::string& body, Time now) {
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_object() || !json.contains("policies")) {
    return bad_lab_order(
        "", R"(the body must be a JSON object with "policies", and may have "since" and "until")"
            R"(, or "trace")");
  }
  LabOrder order;
  for (const auto& [name, value] : json.items()) {
    std::optional<http::Problem> problem;
    if (name == "policies") {
      problem = read_policies(value, order);
    } else if (name == "since" || name == "until") {
      LabQuestion& question = order.question;
      problem = read_moment(value, name, now, name == "since" ? question.since : question.until);
    } else if (name == "trace") {
      problem = read_trace(value, order);
    } else {
      problem =
          bad_lab_order("/" + name, R"(only "policies", "since", "until" and "trace" are known)");
    }
    if (problem) return *problem;
  }
  const auto& [policies, since, until, trace] = order.question;
  if (trace && (since || until)) {
    return bad_lab_order(since ? "/since" : "/until", "a trace is played whole, with no window");
  }
  if (since && until && *since >= *until)
    return bad_lab_order("/until", "it is not after \"since\"");
  return order;
}

}  // namespace gyre::server
