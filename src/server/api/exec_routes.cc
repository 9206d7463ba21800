#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <variant>

#include "server/api/api.h"
#include "server/api/exec_channel.h"
#include "server/api/exec_frames.h"
#include "server/http/web_socket.h"

namespace gyre::server {
namespace {

constexpr std::uint64_t kRankMax = 1'000'000;
constexpr std::uint64_t kSizeMax = 65'535;
constexpr std::size_t kTermMax = 64;

/// What is run, still without the task.
struct ExecQuery {
  std::int32_t rank = 0;
  act::ExecStart start;
};

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
  return name.size() <= kTermMax && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '.' || c == '_' || c == '+';
         });
}

std::optional<http::Problem> read_exec_query(const http::Request& request, ExecQuery& query) {
  for (const auto& [name, value] : request.query) {
    if (name == "command") query.start.command.push_back(value);
  }
  if (query.start.command.empty() || query.start.command.front().empty()) {
    return bad_parameter("command", "it is missing; give it once for each word of the command");
  }
  std::uint64_t rank = 0;
  std::uint64_t columns = query.start.size.columns;
  std::uint64_t rows = query.start.size.rows;
  if (auto wrong = read_number(request, "rank", kRankMax, rank)) return wrong;
  if (auto wrong = read_flag(request, "tty", query.start.terminal)) return wrong;
  if (auto wrong = read_number(request, "columns", kSizeMax, columns)) return wrong;
  if (auto wrong = read_number(request, "rows", kSizeMax, rows)) return wrong;
  query.rank = static_cast<std::int32_t>(rank);
  query.start.size = {static_cast<std::uint16_t>(columns), static_cast<std::uint16_t>(rows)};
  query.start.term = request.query_value("term").value_or("xterm");
  if (!is_terminal_name(query.start.term)) {
    return bad_parameter("term", "it is no name of a terminal, such as 'xterm-256color'");
  }
  return std::nullopt;
}

/// Where the task runs that the command is to run in. Errors: NotFound; Conflict, it does not run.
Result<TaskPlacement> find_task(const control::Controller& core, JobId id, ExecQuery& query) {
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
  const auto rank = static_cast<std::size_t>(query.rank);
  if (rank >= job.placement.size()) {
    return fail(ErrorKind::NotFound, "job {} has {} tasks; there is none of rank {}", id.value,
                job.placement.size(), query.rank);
  }
  if (job.tasks[rank] != TaskState::Running) {
    return fail(ErrorKind::Conflict, "task {} of job {} {}", query.rank, id.value,
                job.tasks[rank] == TaskState::Starting ? "is being started; try again in a moment"
                                                       : "has ended; other tasks of the job run");
  }
  query.start.key = {id, job.attempt, query.rank};
  return job.placement[rank];
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
  ExecQuery query;
  if (auto wrong = check_upgrade(call.request)) return call.fail(*wrong);
  if (auto wrong = read_exec_query(call.request, query)) return call.fail(*wrong);
  const auto asked = inbox_.ask([this, id = *id, query, reply = call.reply](const auto& core) {
    ExecQuery one = query;
    const auto task = find_task(core, id, one);
    const auto refuse = [&](const Error& error) {
      reply([error] { return http::respond(http::problem_of(error)); });
    };
    if (!task) return refuse(task.error());
    const auto started = fleet_.start_exec(task->node, one.start, answer_by(fleet_, reply));
    if (!started) refuse(started.error());
  });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
