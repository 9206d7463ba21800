#include <fmt/format.h>

#include "base/units.h"
#include "domain/xid.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

constexpr std::uint64_t kLimitDefault = 100;

struct IncidentView {
  Incident incident;
  std::string node_name;  // empty: none
};

bool is_open(const Incident& incident) {
  return incident.outcome == Incident::Outcome::Open || incident.outcome == Incident::Outcome::Held;
}

/// The latest first.
std::vector<IncidentView> view_incidents(const control::Controller& core, std::uint64_t limit,
                                         bool only_open) {
  std::vector<IncidentView> views;
  const auto& incidents = core.healer().incidents();
  for (auto at = incidents.rbegin(); at != incidents.rend() && views.size() < limit; ++at) {
    if (only_open && !is_open(*at)) continue;
    views.push_back({*at, at->node ? core.cluster().node(*at->node).spec.name : ""});
  }
  return views;
}

void write_step(JsonText& out, const RepairStep& step) {
  out.open('{').member("step", to_string(step.repair)).key("gpu");
  step.device >= 0 ? out.value(step.device) : out.null();
  out.member("began_at", format_utc(step.at));
  write_time(out, "ended_at", step.ended_at);
  out.key("good");
  step.ended_at ? out.value(step.good) : out.null();
  out.member("detail", step.detail).close('}');
}

void write_move(JsonText& out, const Move& move) {
  out.open('{').member("job", move.job.value).member("kept_by", to_string(move.kept)).close('}');
}

/// What NVIDIA says is to be done.
void write_advice(JsonText& out, std::int32_t xid) {
  out.key("advice");
  const XidMeaning meaning = meaning_of_xid(xid);
  if (xid == 0 || meaning.action.empty()) {
    out.null();
    return;
  }
  out.open('{').member("immediate", meaning.action).key("follow_up");
  meaning.follow_up.empty() ? out.null() : out.value(meaning.follow_up);
  out.close('}');
}

void write_incident(JsonText& out, const IncidentView& view) {
  const Incident& incident = view.incident;
  out.open('{')
      .member("id", incident.id)
      .member("detected_at", format_utc(incident.at))
      .member("symptom", to_string(incident.symptom));
  out.key("node");
  view.node_name.empty() ? out.null() : out.value(view.node_name);
  out.key("job");
  incident.job ? out.value(incident.job->value) : out.null();
  out.key("xid");
  incident.xid != 0 ? out.value(incident.xid) : out.null();
  out.member("evidence", incident.evidence).member("diagnosis", diagnosis(incident.symptom));
  write_advice(out, incident.xid);
  out.key("playbook");
  incident.playbook.empty() ? out.null() : out.value(incident.playbook);
  out.member("remedy", incident.job ? "retry" : to_string(incident.remedy))
      .member("outcome", to_string(incident.outcome))
      .member("repeats", incident.repeats);
  write_time(out, "closed_at", incident.closed_at);
  out.key("recovery_ms");
  const bool recovered = incident.outcome == Incident::Outcome::Recovered && incident.closed_at;
  recovered ? out.value((*incident.closed_at - incident.at).ns / 1'000'000) : out.null();
  out.key("steps").open('[');
  for (const RepairStep& step : incident.steps) write_step(out, step);
  out.close(']').key("moved").open('[');
  for (const Move& move : incident.moved) write_move(out, move);
  out.close(']').key("undo");
  const bool out_of_service = is_open(incident) || incident.outcome == Incident::Outcome::Failed;
  const bool undoable = out_of_service && incident.remedy != Remedy::Note;
  undoable ? out.value("gyre node uncordon " + view.node_name) : out.null();
  out.close('}');
}

}  // namespace

void Api::list_incidents(const Call& call) const {
  std::uint64_t limit = kLimitDefault;
  bool only_open = false;
  if (auto wrong = read_number(call.request, "limit", kIncidentsMax, limit)) {
    return call.fail(*wrong);
  }
  if (auto wrong = read_flag(call.request, "open", only_open)) return call.fail(*wrong);
  ask<std::vector<IncidentView>>(
      call, [limit, only_open](const auto& core) { return view_incidents(core, limit, only_open); },
      [](const auto& incidents) {
        JsonText out;
        out.open('{').key("incidents").open('[');
        for (const IncidentView& one : incidents) write_incident(out, one);
        out.close(']').close('}');
        return json_response(std::move(out));
      });
}

}  // namespace gyre::server
