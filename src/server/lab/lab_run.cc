#include "server/lab/lab_run.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "server/api/json_text.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kMagic = "gyre-lab ";
constexpr unsigned kVersion = 1;
constexpr std::array<std::string_view, 4> kStates{"queued", "running", "succeeded", "failed"};

std::uint32_t checksum(std::string_view text) {
  return static_cast<std::uint32_t>(
      crc32_z(crc32_z(0, nullptr, 0), reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

tl::unexpected<Error> damaged(std::string_view how) {
  return fail(ErrorKind::Invalid, "it is damaged: {}", how);
}

/// Reads a number to the end of `text`.
template <class Number>
bool read_whole(std::string_view text, Number& number, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size();
}

/// What follows a header that fits it.
Result<std::string_view> check_header(std::string_view text) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(kMagic) || end == text.npos) return damaged("it has no header");
  const std::string_view header = text.substr(kMagic.size(), end - kMagic.size());
  const std::size_t space = header.find(' ');
  unsigned version = 0;
  if (!read_whole(header.substr(0, space), version, 10)) return damaged("it has no version");
  if (version > kVersion) {
    return fail(ErrorKind::Unsupported, "a newer version of Gyre wrote it (format {})", version);
  }
  std::uint32_t sum = 0;
  if (space == header.npos || !read_whole(header.substr(space + 1), sum, 16)) {
    return damaged("it has no checksum");
  }
  const std::string_view content = text.substr(end + 1);
  if (checksum(content) != sum) return damaged("its checksum is another");
  return content;
}

bool read_state(const Json& json, LabRun::State& state) {
  if (!json.is_string()) return false;
  for (std::size_t i = 0; i < kStates.size(); ++i) {
    if (json.get_ref<const std::string&>() != kStates[i]) continue;
    state = static_cast<LabRun::State>(i);
    return true;
  }
  return false;
}

bool read_text(const Json& object, const char* name, std::string& text) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return false;
  text = found->get<std::string>();
  return true;
}

bool read_time(const Json& object, const char* name, std::optional<Time>& time) {
  const auto found = object.find(name);
  if (found == object.end()) return false;
  if (found->is_null()) return true;
  if (!found->is_number_integer()) return false;
  const auto ns = found->get<std::int64_t>();
  if (ns < 0) return false;
  time = Time{ns};
  return true;
}

bool read_policies(const Json& object, std::vector<LabRun::Policy>& policies) {
  const auto found = object.find("policies");
  if (found == object.end() || !found->is_array() || found->empty()) return false;
  for (const Json& one : *found) {
    LabRun::Policy policy;
    if (!one.is_object() || !read_text(one, "name", policy.name) ||
        !read_text(one, "description", policy.description) ||
        !read_text(one, "text", policy.text)) {
      return false;
    }
    policies.push_back(std::move(policy));
  }
  return true;
}

/// Records from before there were traces have none.
bool read_trace(const Json& object, std::optional<LabRun::Trace>& trace) {
  const auto found = object.find("trace");
  if (found == object.end()) return true;
  if (!found->is_object()) return false;
  trace.emplace();
  return read_text(*found, "name", trace->name) && read_text(*found, "nodes", trace->nodes);
}

void write_time(JsonText& out, std::string_view name, const std::optional<Time>& time) {
  out.member(name, time ? std::optional(time->ns) : std::nullopt);
}

}  // namespace

std::string_view to_string(LabRun::State state) { return kStates[static_cast<std::size_t>(state)]; }

std::string to_record(const LabRun& run) {
  JsonText out;
  out.open('{').member("id", run.id).member("state", to_string(run.state));
  write_time(out, "asked_at", run.asked_at);
  write_time(out, "started_at", run.started_at);
  write_time(out, "ended_at", run.ended_at);
  write_time(out, "since", run.since);
  write_time(out, "until", run.until);
  if (run.trace) {
    out.key("trace").open('{').member("name", run.trace->name);
    out.member("nodes", run.trace->nodes).close('}');
  }
  out.key("policies").open('[');
  for (const LabRun::Policy& policy : run.policies) {
    out.open('{').member("name", policy.name).member("description", policy.description);
    out.member("text", policy.text).close('}');
  }
  out.close(']').member("error", run.error).member("report", run.report).close('}');
  const std::string content = out.take() + '\n';
  return fmt::format("{}{} {:08x}\n{}", kMagic, kVersion, checksum(content), content);
}

Result<LabRun> read_record(std::string_view text) {
  const auto content = check_header(text);
  if (!content) return tl::unexpected(content.error());
  const Json json = Json::parse(*content, nullptr, false);
  if (!json.is_object()) return damaged("it is no JSON object");
  LabRun run;
  std::optional<Time> asked_at;
  const bool ends = !json.contains("until") || read_time(json, "until", run.until);
  const auto id = json.find("id");
  if (id == json.end() || !id->is_number_unsigned()) return damaged("it has no id");
  run.id = id->get<std::uint64_t>();
  const auto state = json.find("state");
  const bool whole = ends && state != json.end() && read_state(*state, run.state) &&
                     read_time(json, "asked_at", asked_at) && asked_at &&
                     read_time(json, "started_at", run.started_at) &&
                     read_time(json, "ended_at", run.ended_at) &&
                     read_time(json, "since", run.since) && read_trace(json, run.trace) &&
                     read_policies(json, run.policies) && read_text(json, "error", run.error) &&
                     read_text(json, "report", run.report);
  if (!whole) return damaged("a field is missing or of another kind");
  run.asked_at = *asked_at;
  if (run.state == LabRun::State::Succeeded && !Json::accept(run.report)) {
    return damaged("its report is no JSON");
  }
  return run;
}

}  // namespace gyre::server
