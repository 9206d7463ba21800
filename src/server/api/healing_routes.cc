#include "codec/healing_text.h"
#include "server/api/api.h"
#include "server/api/spec_body.h"

namespace gyre::server {
namespace {

void write_rule(JsonText& out, const HealingRule& rule) {
  out.open('{').member("on", to_string(rule.on)).key("xid");
  rule.xid != 0 ? out.value(rule.xid) : out.null();
  out.member("times", rule.times)
      .member("within_ms", rule.within.ns / 1'000'000)
      .member("do", to_string(rule.then))
      .key("repair");
  rule.repair != Repair::None ? out.value(to_string(rule.repair)) : out.null();
  out.member("burn_in", rule.burn_in).key("playbook");
  rule.playbook.empty() ? out.null() : out.value(rule.playbook);
  out.close('}');
}

http::Response healing_response(const HealingSpec& spec) {
  JsonText out;
  out.open('{')
      .member("name", spec.name)
      .member("text", codec::to_yaml(spec))
      .key("rules")
      .open('[');
  for (const HealingRule& rule : spec.rules) write_rule(out, rule);
  out.close(']')
      .member("quarantine_first_ms", spec.quarantine.ns / 1'000'000)
      .member("quarantine_longest_ms", spec.quarantine_max.ns / 1'000'000)
      .member("nodes_percent_max", spec.quarantined_percent_max)
      .key("nodes_per_hour_max");
  spec.quarantines_per_hour_max != 0 ? out.value(spec.quarantines_per_hour_max) : out.null();
  out.member("remember_ms", spec.remember.ns / 1'000'000)
      .member("repair_max_ms", spec.repair_max.ns / 1'000'000)
      .member("retry_jitter_percent", spec.backoff_jitter_percent)
      .close('}');
  return json_response(std::move(out));
}

live::Done<EventSeq> answer_with(const http::Reply& reply, const HealingSpec& spec) {
  return [reply, spec](const Result<EventSeq>& done) {
    reply([done, spec] {
      return done ? healing_response(spec) : http::respond(http::problem_of(done.error()));
    });
  };
}

}  // namespace

void Api::add_healing_routes() {
  router_.add("GET", "/v1/incidents", {"limit", "open"},
              [this](const Call& call) { list_incidents(call); });
  router_.add("GET", "/v1/healing", {}, [this](const Call& call) { show_healing(call); });
  router_.add("POST", "/v1/healing", {}, [this](const Call& call) { apply_healing(call); });
  router_.add("DELETE", "/v1/healing", {}, [this](const Call& call) { reset_healing(call); });
}

void Api::show_healing(const Call& call) const {
  ask<HealingSpec>(
      call, [](const auto& core) { return core.healer().spec(); }, healing_response);
}

void Api::apply_healing(const Call& call) const {
  const auto format = spec_format(call.request);
  if (const auto* problem = std::get_if<http::Problem>(&format)) return call.fail(*problem);
  const auto spec = codec::parse_healing(call.request.body);
  if (!spec) return call.fail(spec_problem(spec.error(), "playbook"));
  inbox_.post(HealingSet{*spec}, answer_with(call.reply, *spec));
}

void Api::reset_healing(const Call& call) const {
  const HealingSpec spec = default_healing();
  inbox_.post(HealingSet{spec}, answer_with(call.reply, spec));
}

}  // namespace gyre::server
