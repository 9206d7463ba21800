#include "server/trace/fleet_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "server/trace/json_lines.h"

namespace gyre::server {
namespace {

constexpr const char* kInfo = "info";
constexpr const char* kWarn = "warn";

std::string node_name(NodeId node, const control::Controller& core) {
  const auto nodes = core.cluster().nodes();
  return node.value < nodes.size() ? nodes[node.value].spec.name
                                   : fmt::format("number {}", node.value);
}

bool is_open(const Incident& incident) {
  return incident.outcome == Incident::Outcome::Open || incident.outcome == Incident::Outcome::Held;
}

const Incident* find(const std::vector<Incident>& incidents, std::uint64_t id) {
  const auto at =
      std::lower_bound(incidents.begin(), incidents.end(), id,
                       [](const Incident& one, std::uint64_t wanted) { return one.id < wanted; });
  return at == incidents.end() || at->id != id ? nullptr : &*at;
}

}  // namespace

/// Tells what one event has led to.
class FleetLines::Story {
 public:
  Story(const Event& event, const control::Controller& core) : at_(event.at), core_(core) {}

  template <class Body>
  void tell(const Body&) {}
  void tell(const NodeJoined& event) { node(event.node, kInfo, "has joined", ""); }
  void tell(const NodeReturned& event) { node(event.node, kInfo, "is back", ""); }
  void tell(const NodeLost& event) { node(event.node, kWarn, "is lost", event.cause); }
  void tell(const NodeContact& event) {
    node(event.node, event.silent ? kWarn : kInfo,
         event.silent ? "is silent: nothing new is put there" : "is heard again", "");
  }
  void tell(const NodeDutySet& event) {
    const std::string_view what = event.duty == NodeDuty::Cordoned   ? "is cordoned"
                                  : event.duty == NodeDuty::Draining ? "is drained"
                                                                     : "is open to tasks";
    node(event.node, kInfo, what, "");
  }
  void tell(const QuarantineNode& command) {
    node(command.node, kWarn,
         command.evacuate ? "is in quarantine, and is emptied" : "is in quarantine", "",
         command.incident);
  }
  void tell(const ReleaseNode& command) {
    node(command.node, kInfo, "is out of quarantine", "", command.incident);
  }
  void tell(const ReplaceTask& anew) {
    const std::string to = node_name(anew.task.node, core_);
    const std::string from = node_name(anew.lost, core_);
    JsonText out;
    begin_line(out, at_, kInfo,
               fmt::format("task {} of job {} is started anew on node {}: {} was lost",
                           anew.task.rank, anew.job.value, to, from));
    out.member("rank", anew.task.rank).member("attempt", anew.attempt);
    out.member("node", to).member("lost_node", from).member("cause", anew.cause);
    finish(out, anew.job);
  }

  void opened(const Incident& one) {
    JsonText out = begin(one, kWarn, fmt::format("{} {}", to_string(one.symptom), where(one)));
    out.member("evidence", one.evidence);
    finish(out, one.job);
  }

  /// What was done since `told`.
  void acted(const Incident& one, const Told& told) {
    for (std::size_t i = told.steps; i < one.steps.size(); ++i) {
      JsonText out = begin(one, kInfo,
                           fmt::format("{} begins {}", to_string(one.steps[i].repair), where(one)));
      finish(out, std::nullopt);
    }
    for (std::size_t i = told.steps_ended; i < all_of(one).steps_ended; ++i) {
      const RepairStep& step = one.steps[i];
      JsonText out = begin(one, step.good ? kInfo : kWarn,
                           fmt::format("{} {} {}", to_string(step.repair),
                                       step.good ? "was good" : "has failed", where(one)));
      out.member("detail", step.detail);
      finish(out, std::nullopt);
    }
    for (std::size_t i = told.moved; i < one.moved.size(); ++i) {
      const JobId job = one.moved[i].job;
      JsonText out = begin(one, kInfo, fmt::format("job {} is moved {}", job.value, where(one)));
      out.member("kept_by", to_string(one.moved[i].kept));
      finish(out, job);
    }
  }

  void ended(const Incident& one) {
    const bool failed = one.outcome == Incident::Outcome::Failed;
    JsonText out =
        begin(one, failed ? kWarn : kInfo,
              fmt::format("{} {}: {}", to_string(one.symptom), where(one), to_string(one.outcome)));
    if (one.closed_at) out.key("after_s").thousandths((*one.closed_at - one.at).ns / 1'000'000);
    finish(out, one.job);
  }

  std::string take() { return std::move(lines_); }

 private:
  void node(NodeId id, const char* level, std::string_view what, const std::string& cause,
            std::uint64_t incident = 0) {
    const std::string name = node_name(id, core_);
    JsonText out;
    begin_line(out, at_, level, fmt::format("node {} {}", name, what));
    out.member("node", name);
    if (!cause.empty()) out.member("cause", cause);
    if (incident != 0) out.member("incident", incident);
    lines_ += end_line(out);
  }

  std::string where(const Incident& one) const {
    if (one.node) return "on node " + node_name(*one.node, core_);
    return one.job ? fmt::format("of job {}", one.job->value) : std::string("of the server");
  }

  JsonText begin(const Incident& one, const char* level, const std::string& message) const {
    JsonText out;
    begin_line(out, at_, level, fmt::format("incident {}: {}", one.id, message));
    out.member("incident", one.id).member("symptom", to_string(one.symptom));
    out.member("outcome", to_string(one.outcome));
    out.member("remedy", one.job ? "retry" : to_string(one.remedy));
    if (one.node) out.member("node", node_name(*one.node, core_));
    return out;
  }

  void finish(JsonText& out, const std::optional<JobId>& about) {
    if (about) {
      out.member("job", about->value);
      const Job* job = core_.jobs().find(*about);
      if (job != nullptr) add_trace(out, job->spec->launch.trace_parent);
    }
    lines_ += end_line(out);
  }

  const Time at_;
  const control::Controller& core_;
  std::string lines_;
};

FleetLines::Told FleetLines::all_of(const Incident& incident) {
  const auto ended = [](const RepairStep& step) { return step.ended_at.has_value(); };
  const auto count = std::count_if(incident.steps.begin(), incident.steps.end(), ended);
  return {incident.steps.size(), static_cast<std::size_t>(count), incident.moved.size()};
}

void FleetLines::take_up(const control::Controller& core) {
  open_.clear();
  for (const Incident& one : core.healer().incidents()) {
    last_ = one.id;
    if (is_open(one)) open_.emplace(one.id, all_of(one));
  }
}

std::string FleetLines::tell(const Event& event, const control::Decisions& decisions,
                             const control::Controller& core) {
  Story story(event, core);
  std::visit([&](const auto& body) { story.tell(body); }, event.body);
  const auto& incidents = core.healer().incidents();
  const auto first_new =
      std::find_if(incidents.rbegin(), incidents.rend(), [this](const Incident& one) {
        return one.id <= last_;
      }).base();
  for (auto one = first_new; one != incidents.end(); ++one) {
    story.opened(*one);
    last_ = one->id;
    open_.try_emplace(one->id);
  }
  for (const Command& command : decisions.commands) {
    std::visit([&](const auto& intent) { story.tell(intent); }, command.body);
  }
  for (auto at = open_.begin(); at != open_.end();) {
    const Incident* one = find(incidents, at->first);
    if (one != nullptr) {
      story.acted(*one, at->second);
      at->second = all_of(*one);
      if (!is_open(*one)) story.ended(*one);
    }
    at = one != nullptr && is_open(*one) ? std::next(at) : open_.erase(at);
  }
  return story.take();
}

}  // namespace gyre::server
