#include "server/trace/json_log.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <utility>

#include "live/clock.h"
#include "server/api/json_text.h"

namespace gyre::server {
namespace {

Time machine_now() { return live::system_clock_source()().real; }

std::string line_of(const Transition& change, const Job& job) {
  JsonText out;
  const bool failed = change.to == JobState::Failed;
  begin_line(out, change.at, failed ? "warn" : "info",
             fmt::format("job {} is {}", change.job.value, to_string(change.to)));
  out.member("job", change.job.value)
      .member("name", job.spec->name)
      .member("queue", job.spec->queue);
  out.member("state", to_string(change.to)).member("attempt", change.attempt);
  if (change.cause != Termination::None) out.member("cause", to_string(change.cause));
  add_trace(out, job.spec->launch.trace_parent);
  return end_line(out);
}

}  // namespace

Result<std::unique_ptr<JsonLog>> JsonLog::open(const std::string& path) {
  auto lines = JsonLines::open(path);
  if (!lines) return tl::unexpected(lines.error());
  return std::unique_ptr<JsonLog>(new JsonLog(std::move(*lines)));
}

void JsonLog::after(const Event& event, const control::Decisions& decisions,
                    const control::Controller& core) {
  pending_ += fleet_.tell(event, decisions, core);
  for (const Transition& change : decisions.transitions) {
    const Job* job = core.jobs().find(change.job);
    if (job != nullptr) pending_ += line_of(change, *job);
  }
}

void JsonLog::committed(EventSeq) {
  if (pending_.empty()) return;
  lines_->write(std::exchange(pending_, {}));
}

http::Reply JsonLog::logged(const http::Request& request, http::Reply reply) {
  struct Asked {
    std::string method;
    std::string path;
    std::string trace_parent;
    std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
    std::atomic<bool> answered = false;
  };
  const auto asked = std::make_shared<Asked>();
  asked->method = request.method;
  asked->path = request.path;
  asked->trace_parent = request.header("traceparent");
  return [this, asked, reply = std::move(reply)](http::Answer answer) {
    reply([this, asked, answer = std::move(answer)] {
      http::Response response = answer();
      const bool reads = asked->method == "GET" || asked->method == "HEAD";
      if ((reads && response.status < 500) || asked->answered.exchange(true)) return response;
      const auto took = std::chrono::steady_clock::now() - asked->began;
      JsonText out;
      begin_line(out, machine_now(), response.status < 500 ? "info" : "error",
                 fmt::format("{} {} {}", asked->method, asked->path, response.status));
      out.member("method", asked->method).member("path", asked->path);
      out.member("status", response.status);
      out.member("duration_us",
                 std::chrono::duration_cast<std::chrono::microseconds>(took).count());
      add_trace(out, asked->trace_parent);
      lines_->write(end_line(out));
      return response;
    });
  };
}

}  // namespace gyre::server
