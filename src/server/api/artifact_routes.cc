// GET /v1/jobs/{id}/artifacts and /v1/jobs/{id}/artifacts/content
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "server/api/api.h"
#include "server/api/artifact_stream.h"

namespace gyre::server {
namespace {

std::optional<http::Problem> read_query(const Call& call, act::ArtifactQuery& query) {
  const auto id = read_job_id(call.id);
  if (!id) return http::problem_of(id.error());
  query.job = *id;
  if (auto wrong = read_attempt(call.request, query.attempt)) return wrong;
  return read_rank(call.request, query.rank);
}

http::Response list_response(const act::ArtifactQuery& query, const act::ArtifactList& list) {
  JsonText out;
  out.open('{').member("job", query.job.value).member("rank", query.rank);
  out.member("attempt", list.attempt).key("files").open('[');
  for (const act::Artifact& file : list.files) {
    out.open('{').member("path", file.path).member("size", file.size).close('}');
  }
  out.close(']').key("left_out").open('[');
  for (const act::LeftOut& one : list.left_out) {
    out.open('{').member("path", one.path).member("why", one.why).close('}');
  }
  out.close(']').close('}');
  return json_response(std::move(out));
}

/// `part`: of a file of piece.size bytes. It is given as bytes to be saved, never as a page.
http::Response content_response(ArtifactReader read, act::ArtifactQuery query,
                                const act::ArtifactPiece& piece, std::string_view range,
                                std::string_view if_range) {
  const std::string tag =
      fmt::format("\"{}.{}.{}.{}\"", query.job.value, piece.attempt, query.rank, piece.size);
  const bool same = if_range.empty() || if_range == tag;
  const auto part = byte_range(same ? range : "", piece.size);
  if (!part) {
    return http::respond({416,
                          "range-not-satisfiable",
                          "There is no such part",
                          part.error().message,
                          {},
                          {{"Content-Range", fmt::format("bytes */{}", piece.size)}}});
  }
  http::Response response;
  response.status = part->partial ? 206 : 200;
  response.content_type = "application/octet-stream";
  response.headers = {{"Accept-Ranges", "bytes"},
                      {"Cache-Control", "no-store"},
                      {"Content-Disposition", "attachment"},
                      {"ETag", tag},
                      {"X-Attempt", fmt::format("{}", piece.attempt)}};
  if (part->partial) {
    response.headers.emplace_back(
        "Content-Range", fmt::format("bytes {}-{}/{}", part->begin, part->end - 1, piece.size));
  }
  if (part->begin == part->end) return response;
  query.attempt = piece.attempt;
  query.offset = part->begin;
  response.stream_bytes = part->end - part->begin;
  response.stream = std::make_unique<ArtifactStream>(std::move(read), std::move(query), part->end);
  return response;
}

}  // namespace

void Api::add_artifact_routes() {
  router_.add("GET", "/v1/jobs/{id}/artifacts", {"attempt", "rank"},
              [this](const Call& call) { list_artifacts(call); });
  router_.add("GET", "/v1/jobs/{id}/artifacts/content", {"path", "attempt", "rank"},
              [this](const Call& call) { read_artifact(call); });
}

void Api::list_artifacts(const Call& call) const {
  act::ArtifactQuery query;
  if (auto wrong = read_query(call, query)) return call.fail(*wrong);
  fleet_.read_artifact(query, [query, reply = call.reply](auto answer) {
    reply([query, answer = std::move(answer)] {
      if (!answer) return http::respond(http::problem_of(answer.error()));
      return list_response(query, std::get<act::ArtifactList>(*answer));
    });
  });
}

void Api::read_artifact(const Call& call) const {
  act::ArtifactQuery query;
  if (auto wrong = read_query(call, query)) return call.fail(*wrong);
  query.path = call.request.query_value("path").value_or("");
  if (const auto named = check_artifact(query.path, false); !named) {
    return call.fail(bad_parameter("path", named.error().message));
  }
  ArtifactReader read = [this](const act::ArtifactQuery& part, auto done) {
    fleet_.read_artifact(part, std::move(done));
  };
  // First how large it is.
  fleet_.read_artifact(query, [query, read = std::move(read), reply = call.reply,
                               range = std::string(call.request.header("range")),
                               if_range =
                                   std::string(call.request.header("if-range"))](auto answer) {
    reply([=, answer = std::move(answer)] {
      if (!answer) return http::respond(http::problem_of(answer.error()));
      return content_response(read, query, std::get<act::ArtifactPiece>(*answer), range, if_range);
    });
  });
}

}  // namespace gyre::server
