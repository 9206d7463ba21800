#include "server/chaos/fault_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/units.h"
#include "codec/chaos_text.h"
#include "codec/utc.h"
#include "live/files.h"
#include "server/api/views.h"

namespace gyre::server {
namespace {

using Json = nlohmann::json;

constexpr Duration kMillisecond = milliseconds(1);

std::optional<Time> moment_of(const Json& json, const char* name) {
  const Json& value = json.at(name);
  if (value.is_null()) return std::nullopt;
  const auto at = codec::parse_utc(value.get<std::string>());
  if (!at) throw Json::other_error::create(501, "no time", &value);
  return at;
}

/// Throws: what is not so.
template <class Names>
std::size_t index_of(const Names& names, const Json& json) {
  const auto word = json.get<std::string>();
  const auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end()) throw Json::other_error::create(501, "unknown word", &json);
  return static_cast<std::size_t>(found - names.begin());
}

FaultRecord read_fault(const Json& json) {
  FaultRecord fault;
  fault.id = json.at("id").get<std::uint64_t>();
  fault.kind = static_cast<ChaosFault::Kind>(index_of(chaos_fault_names(), json.at("do")));
  fault.way = static_cast<ChaosFault::Way>(index_of(codec::kChaosWays, json.at("way")));
  fault.node = json.at("node").get<std::string>();
  if (!json.at("job").is_null()) {
    fault.task =
        act::TaskKey{JobId{json.at("job").get<std::uint64_t>()},
                     json.at("attempt").get<std::int32_t>(), json.at("task").get<std::int32_t>()};
  }
  fault.lasts = milliseconds(json.at("for_ms").get<std::int64_t>());
  fault.jump = milliseconds(json.value("jump_ms", std::int64_t{0}));
  fault.delay = milliseconds(json.value("delay_ms", std::int64_t{0}));
  fault.at = moment_of(json, "at").value_or(Time{});
  fault.state = static_cast<FaultRecord::State>(index_of(kFaultStates, json.at("state")));
  fault.ended_at = moment_of(json, "ended_at");
  fault.recovered_at = moment_of(json, "recovered_at");
  fault.by = json.at("by").get<std::string>();
  fault.detail = json.at("detail").get<std::string>();
  return fault;
}

}  // namespace

void write_fault(JsonText& out, const FaultRecord& fault) {
  out.open('{').member("id", fault.id).member("do", fault.name());
  out.member("way", codec::kChaosWays.at(static_cast<std::size_t>(fault.way)));
  out.member("node", fault.node).key("job");
  fault.task ? out.value(fault.task->job.value) : out.null();
  out.key("attempt");
  fault.task ? out.value(fault.task->attempt) : out.null();
  out.key("task");
  fault.task ? out.value(fault.task->rank) : out.null();
  out.member("for_ms", fault.lasts.ns / kMillisecond.ns);
  out.member("jump_ms", fault.jump.ns / kMillisecond.ns);
  out.member("delay_ms", fault.delay.ns / kMillisecond.ns).member("at", format_utc(fault.at));
  out.member("state", kFaultStates.at(static_cast<std::size_t>(fault.state)));
  write_time(out, "ended_at", fault.ended_at);
  write_time(out, "recovered_at", fault.recovered_at);
  out.key("recovery_ms");
  fault.recovered_at ? out.value((*fault.recovered_at - fault.at).ns / kMillisecond.ns)
                     : out.null();
  out.member("by", fault.by).member("detail", fault.detail).close('}');
}

FaultLog::FaultLog(std::string path, Share share)
    : path_(std::move(path)), share_(std::move(share)) {
  const auto text = live::read_private_file(path_);
  if (!text && text.error().kind == ErrorKind::NotFound) return;
  const auto good = text ? read(*text) : Result<void>(tl::unexpected(text.error()));
  if (good) return;
  trouble_ = fmt::format(
      "{} is damaged ({}): it is put aside as {}.damaged, and no faults are allowed until 'gyre "
      "chaos on'",
      path_, good.error().message, path_);
  const bool aside = std::rename(path_.c_str(), (path_ + ".damaged").c_str()) == 0;
  on_ = false;
  turned_by_ = "the server, since its record was damaged";
  last_ = 0;
  faults_.clear();
  counts_.clear();
  turned_at_.reset();
  if (aside) static_cast<void>(keep());  // off in the next life, too
}

Result<void> FaultLog::read(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    on_ = json.at("on").get<bool>();
    turned_by_ = json.at("turned_by").get<std::string>();
    turned_at_ = moment_of(json, "turned_at");
    last_ = json.at("last").get<std::uint64_t>();
    counts_ = json.at("counts").get<std::map<std::string, std::uint64_t>>();
    for (const Json& fault : json.at("faults")) faults_.push_back(read_fault(fault));
    return {};
  } catch (const Json::exception& error) {
    return fail(ErrorKind::Invalid, "{}", error.what());
  }
}

Result<void> FaultLog::keep() const {
  JsonText out;
  out.open('{').member("on", on_).member("turned_by", turned_by_);
  write_time(out, "turned_at", turned_at_);
  out.member("last", last_).key("counts").open('{');
  for (const auto& [name, count] : counts_) out.member(name, count);
  out.close('}').key("faults").open('[');
  for (const FaultRecord& fault : faults_) write_fault(out, fault);
  out.close(']').close('}');
  const std::string content = out.take() + "\n";
  if (share_) {
    if (auto shared = share_(content); !shared) return shared;
  }
  return live::write_private_file(path_, content);
}

Result<void> FaultLog::turn(bool on, const std::string& by, Time at) {
  const bool before = std::exchange(on_, on);
  turned_by_ = by;
  turned_at_ = at;
  auto kept = keep();
  if (!kept && on) on_ = before;
  return kept;
}

Result<FaultRecord> FaultLog::add(FaultRecord fault) {
  fault.id = ++last_;
  faults_.push_back(fault);
  std::uint64_t& count = counts_[std::string(fault.name())];
  ++count;
  if (auto kept = keep(); !kept) {
    faults_.pop_back();
    --count;
    return tl::unexpected(kept.error());
  }
  if (faults_.size() > kFaultsKept) faults_.pop_front();
  return fault;
}

void FaultLog::update(const FaultRecord& fault) {
  const auto found = std::find_if(faults_.begin(), faults_.end(),
                                  [&](const FaultRecord& one) { return one.id == fault.id; });
  if (found == faults_.end() || *found == fault) return;
  *found = fault;
  static_cast<void>(keep());
}

}  // namespace gyre::server
