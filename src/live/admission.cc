#include "live/admission.h"

#include <string_view>

namespace gyre::live {
namespace {

Result<void> check_text(std::string_view what, std::string_view text) {
  if (text.find('\0') == std::string_view::npos) return {};
  return fail(ErrorKind::Invalid, "{} holds a NUL byte, which no process can be given", what);
}

Result<void> check_node(NodeId id, const control::Controller& core) {
  if (id.value < core.cluster().nodes().size()) return {};
  return fail(ErrorKind::NotFound, "there is no node {}", id.value);
}

Result<void> check_stop(JobId id, const control::Controller& core) {
  const Job* job = core.jobs().find(id);
  if (job == nullptr) return fail(ErrorKind::NotFound, "there is no job {}", id.value);
  if (!is_final(job->state)) return {};
  return fail(ErrorKind::Conflict, "job {} is over: it has {}", id.value, to_string(job->state));
}

}  // namespace

Result<void> check_launch(const Launch& launch) {
  const bool image_decides = launch.command.empty() && !launch.container.image.empty();
  if (!image_decides && (launch.command.empty() || launch.command.front().empty())) {
    return fail(ErrorKind::Invalid, "the job has no command; say what to run");
  }
  for (const std::string& argument : launch.command) {
    if (auto ok = check_text("the command", argument); !ok) return ok;
  }
  for (const auto& [name, value] : launch.env) {
    if (name.empty() || name.find('=') != std::string::npos) {
      return fail(ErrorKind::Invalid, "'{}' cannot be the name of an environment variable", name);
    }
    if (auto ok = check_text("the environment", name); !ok) return ok;
    if (auto ok = check_text("the environment", value); !ok) return ok;
  }
  return check_text("the working directory", launch.working_directory);
}

Result<void> check_event(const Event::Body& body, const control::Controller& core) {
  if (const auto* stop = std::get_if<JobStopRequested>(&body)) return check_stop(stop->job, core);
  if (const auto* duty = std::get_if<NodeDutySet>(&body)) return check_node(duty->node, core);
  if (const auto* joined = std::get_if<NodeJoined>(&body)) {
    const std::size_t next = core.cluster().nodes().size();
    if (joined->node.value == next) return {};
    return fail(ErrorKind::Conflict, "the next node to join is node {}, not {}", next,
                joined->node.value);
  }
  if (std::holds_alternative<JobSubmitted>(body)) {
    return fail(ErrorKind::Invalid, "a job is submitted with submit(), which gives it its id");
  }
  return {};
}

}  // namespace gyre::live
