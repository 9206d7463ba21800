#include <fmt/format.h>

#include <memory>

#include "server/api/api.h"
#include "server/api/log_search_stream.h"
#include "server/api/log_stream.h"

namespace gyre::server {
namespace {

constexpr std::uint64_t kOffsetMax = std::uint64_t{1} << 62U;
constexpr std::size_t kSearchTextMax = 256;
constexpr std::uint64_t kFoundDefault = 1'000;
constexpr std::uint64_t kFoundMax = 10'000;

/// Which log, and which stream of it.
std::optional<http::Problem> read_log_name(const http::Request& request, act::LogQuery& query) {
  const auto stream = request.query_value("stream").value_or("stdout");
  if (stream != "stdout" && stream != "stderr") {
    return bad_parameter("stream", fmt::format("'{}' is neither 'stdout' nor 'stderr'", stream));
  }
  query.stream = stream == "stdout" ? act::LogStream::Stdout : act::LogStream::Stderr;
  if (auto wrong = read_attempt(request, query.attempt)) return wrong;
  return read_rank(request, query.rank);
}

std::optional<http::Problem> read_search(const http::Request& request, act::LogQuery& query,
                                         std::string& text, std::uint64_t& limit) {
  if (auto wrong = read_log_name(request, query)) return wrong;
  if (auto wrong = read_number(request, "limit", kFoundMax, limit)) return wrong;
  text = request.query_value("text").value_or("");
  if (text.empty() || text.size() > kSearchTextMax || text.find('\n') != text.npos) {
    return bad_parameter(
        "text", fmt::format("it must be a part of a line, of 1 to {} bytes", kSearchTextMax));
  }
  return std::nullopt;
}

std::optional<http::Problem> read_query(const http::Request& request, act::LogQuery& query,
                                        bool& follow) {
  if (auto wrong = read_log_name(request, query)) return wrong;
  if (auto wrong = read_number(request, "offset", kOffsetMax, query.offset)) return wrong;
  if (auto wrong = read_flag(request, "follow", follow)) return wrong;
  const std::string_view resume = request.header("last-event-id");
  if (!resume.empty()) {
    const auto position = parse_log_position(resume);
    if (!position) return bad_parameter("Last-Event-ID", "it must be the 'id' of a log event");
    query.attempt = position->attempt;
    query.offset = position->offset;
  }
  return std::nullopt;
}

http::Response log_response(act::LogChunk chunk) {
  http::Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.headers = {{"X-Attempt", fmt::format("{}", chunk.attempt)},
                      {"X-Next-Offset", fmt::format("{}", chunk.next_offset)},
                      {"X-Log-Size", fmt::format("{}", chunk.size)},
                      {"X-Log-Over", chunk.over ? "true" : "false"},
                      {"X-Log-Dropped", fmt::format("{}", chunk.dropped)},
                      {"Cache-Control", "no-store"}};
  response.body = std::move(chunk.data);
  return response;
}

}  // namespace

void Api::add_log_routes() {
  router_.add("GET", "/v1/jobs/{id}/logs", {"stream", "offset", "follow", "attempt", "rank"},
              [this](const Call& call) { read_log(call); });
  router_.add("GET", "/v1/jobs/{id}/logs/search", {"text", "stream", "attempt", "rank", "limit"},
              [this](const Call& call) { search_log(call); });
}

void Api::read_log(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  act::LogQuery query;
  query.job = *id;
  bool follow = false;
  if (auto wrong = read_query(call.request, query, follow)) return call.fail(*wrong);
  if (follow) return follow_log(call, query);
  // The log of a job that the core has forgotten may still be there; one of a job that waits is
  // not.
  fleet_.read_log(query, [reply = call.reply](Result<act::LogChunk> chunk) {
    reply([chunk = std::move(chunk)]() mutable {
      if (!chunk) return http::respond(http::problem_of(chunk.error()));
      return log_response(std::move(*chunk));
    });
  });
}

void Api::search_log(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  act::LogQuery query;
  query.job = *id;
  std::string text;
  std::uint64_t limit = kFoundDefault;
  if (auto wrong = read_search(call.request, query, text, limit)) return call.fail(*wrong);
  fleet_.read_log(query,
                  [this, query, text, limit, reply = call.reply](Result<act::LogChunk> chunk) {
                    reply([this, query, text, limit, chunk = std::move(chunk)]() mutable {
                      if (!chunk) return http::respond(http::problem_of(chunk.error()));
                      http::Response response;
                      response.content_type = "text/event-stream";
                      response.headers.emplace_back("Cache-Control", "no-store");
                      response.stream = std::make_unique<LogSearchStream>(
                          [this](const act::LogQuery& part, live::Done<act::LogChunk> done) {
                            fleet_.read_log(part, std::move(done));
                          },
                          query, std::move(*chunk), text, limit);
                      return response;
                    });
                  });
}

void Api::follow_log(const Call& call, const act::LogQuery& query) const {
  const FeedPosition after = feed_.last();
  ask<LogStream::Followed>(
      call,
      [id = query.job](const auto& core) {
        return find_job(core, id).map([](const Job* job) {
          const bool gaps = job->spec->retry.on_node_loss == NodeLossAnswer::Task;
          return LogStream::Followed{is_final(job->state), gaps};
        });
      },
      [this, query, after](const LogStream::Followed& job) {
        http::Response response;
        response.content_type = "text/event-stream";
        response.headers.emplace_back("Cache-Control", "no-store");
        response.stream = std::make_unique<LogStream>(
            [this](const act::LogQuery& part, live::Done<act::LogChunk> done) {
              fleet_.read_log(part, std::move(done));
            },
            query, feed_, after, job);
        return response;
      });
}

}  // namespace gyre::server
