#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <variant>

#include "act/gang_start.h"
#include "server/api/api.h"
#include "server/api/exec_channel.h"
#include "server/api/exec_frames.h"
#include "server/http/web_socket.h"

namespace gyre::server {
namespace {

constexpr std::uint64_t kSizeMax = std::numeric_limits<std::uint16_t>::max();

std::optional<http::Problem> check_upgrade(const http::Request& request) {
  if (!http::is_web_socket_request(request)) {
    return http::Problem{426,
                         "upgrade-required",
                         "This is for WebSockets",
                         "connect by WebSocket (RFC 6455, version 13); 'gyre exec' does",
                         {},
                         {{"Upgrade", "websocket"}}};
  }
  if (!http::offers_subprotocol(request, kExecSubprotocol)) {
    return http::Problem{400,
                         "bad-header",
                         "A header is not valid",
                         fmt::format("Sec-WebSocket-Protocol: offer '{}'", kExecSubprotocol),
                         {},
                         {}};
  }
  return std::nullopt;
}

bool is_terminal_name(std::string_view name) {
  return name.size() <= act::kExecTermMax && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_' || c == '+';
         });
}

/// What is run, and of which rank; the rest of the task's key is not known yet.
std::optional<http::Problem> read_exec_query(const http::Request& request, act::ExecStart& start) {
  for (const auto& [name, value] : request.query) {
    if (name == "command") start.command.push_back(value);
  }
  if (start.command.empty() || start.command.front().empty()) {
    return bad_parameter("command", "it is missing; give it once for each word of the command");
  }
  std::uint64_t columns = start.size.columns;
  std::uint64_t rows = start.size.rows;
  if (auto wrong = read_rank(request, start.key.rank)) return wrong;
  if (auto wrong = read_flag(request, "tty", start.terminal)) return wrong;
  if (auto wrong = read_number(request, "columns", kSizeMax, columns)) return wrong;
  if (auto wrong = read_number(request, "rows", kSizeMax, rows)) return wrong;
  start.size = {static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows)};
  start.term = request.query_value("term").value_or("xterm");
  if (!is_terminal_name(start.term)) {
    return bad_parameter("term", "it is no name of a terminal, such as 'xterm-256color'");
  }
  return std::nullopt;
}

/// The task that the command is to run in, and where it runs. Errors: NotFound; Conflict, it does
/// not run.
Result<std::pair<act::TaskKey, NodeId>> find_task(const control::Controller& core, JobId id,
                                                  std::int32_t rank) {
  const auto found = find_job(core, id);
  if (!found) return tl::unexpected(found.error());
  const Job& job = **found;
  if (is_final(job.state)) {
    return fail(ErrorKind::Conflict, "job {} has ended ({}): no task of it runs", id.value,
                to_string(job.state));
  }
  if (!is_placed(job.state)) {
    return fail(ErrorKind::Conflict, "job {} waits ({}): no task of it runs; see 'gyre explain {}'",
                id.value, view_job(core, job, false).reason, id.value);
  }
  const auto at = static_cast<std::size_t>(rank);
  if (at >= job.placement.size()) {
    return fail(ErrorKind::NotFound, "job {} has {} tasks; there is none of rank {}", id.value,
                job.placement.size(), rank);
  }
  if (job.tasks[at] != TaskState::Running) {
    return fail(ErrorKind::Conflict, "task {} of job {} {}", rank, id.value,
                job.tasks[at] == TaskState::Starting ? "is being started; try again in a moment"
                                                     : "has ended; other tasks of the job run");
  }
  return std::pair{act::key_of(job, rank), job.placement[at].node};
}

http::Response exec_response(const std::shared_ptr<ExecHandle>& command,
                             const std::shared_ptr<ExecMailbox>& mailbox) {
  http::Response response;
  response.status = 101;
  response.channel = std::make_unique<ExecChannel>(command, mailbox);
  response.subprotocol = kExecSubprotocol;
  return response;
}

/// Answers with what the node says first; all else is for the channel.
live::Fleet::ExecListener answer_by(live::Fleet& fleet, http::Reply reply) {
  const auto mailbox = std::make_shared<ExecMailbox>();
  return [&fleet, reply = std::move(reply), mailbox](act::ExecReport report) {
    if (const auto* started = std::get_if<act::ExecStarted>(&report)) {
      // Whoever drops the answer, since the client has gone, ends the command.
      const auto command = std::make_shared<ExecHandle>(fleet, started->id);
      return reply([command, mailbox] { return exec_response(command, mailbox); });
    }
    const auto* ended = std::get_if<act::ExecEnded>(&report);
    if (ended != nullptr && !ended->exit_code) {
      // Counts only where nothing was answered before.
      reply([error = ended->exit_code.error()] { return http::respond(http::problem_of(error)); });
    }
    mailbox->put(std::move(report));
  };
}

}  // namespace

void Api::add_exec_routes() {
  router_.add("GET", "/v1/jobs/{id}/exec", {"command", "rank", "tty", "columns", "rows", "term"},
              [this](const Call& call) { exec_in_job(call); });
}

void Api::exec_in_job(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  act::ExecStart start;
  if (auto wrong = check_upgrade(call.request)) return call.fail(*wrong);
  if (auto wrong = read_exec_query(call.request, start)) return call.fail(*wrong);
  const auto asked = inbox_.ask([this, id = *id, start, reply = call.reply](const auto& core) {
    const auto task = find_task(core, id, start.key.rank);
    const auto refuse = [&](const Error& error) {
      reply([error] { return http::respond(http::problem_of(error)); });
    };
    if (!task) return refuse(task.error());
    act::ExecStart whole = start;
    whole.key = task->first;
    const auto started =
        fleet_.start_exec(task->second, std::move(whole), answer_by(fleet_, reply));
    if (!started) refuse(started.error());
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
