#include "server/api/dashboard.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "server/embedded.h"
#include "server/http/field_text.h"
#include "server/http/problem.h"

namespace gyre::server {
namespace {

/// What the page may do: run its own scripts, wear its own style, speak to this server.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'";

bool is_zero_weight(std::string_view parameters) {
  const std::size_t weight = parameters.find("q=");
  if (weight == parameters.npos) return false;
  return parameters.substr(weight + 2).find_first_not_of("0. \t") == std::string_view::npos;
}

}  // namespace

bool names_etag(std::string_view if_none_match, std::string_view etag) {
  return http::any_element(if_none_match, [&](std::string_view one) {
    if (one.starts_with("W/")) one.remove_prefix(2);
    return one == "*" || one == etag;
  });
}

bool accepts_gzip(std::string_view accept_encoding) {
  return http::any_element(accept_encoding, [](std::string_view one) {
    const std::size_t end = std::min(one.find(';'), one.size());
    const std::string_view name = http::trimmed(one.substr(0, end));
    return (name == "gzip" || name == "*") && !is_zero_weight(one.substr(end));
  });
}

http::Response serve_dashboard(std::string_view path, const http::Request& request) {
  const auto files = dashboard_files();
  const auto file = std::find_if(files.begin(), files.end(),
                                 [&](const EmbeddedFile& one) { return one.path == path; });
  if (file == files.end()) {
    return http::respond(
        {404,
         "no-such-path",
         "There is nothing at this path",
         fmt::format("'{}' is no file of this version's dashboard; reload the page at /", path),
         {},
         {}});
  }
  const bool is_page = path == "index.html";
  const bool packed = accepts_gzip(request.header("accept-encoding"));
  const std::string etag = fmt::format("\"{}{}\"", file->digest, packed ? "-gzip" : "");
  http::Response response;
  response.content_type = file->content_type;
  response.headers = {
      {"ETag", etag},
      {"Vary", "Accept-Encoding"},
      {"Cache-Control", is_page ? "no-cache" : "public, max-age=31536000, immutable"}};
  if (is_page) {
    response.headers.emplace_back("Content-Security-Policy", kPagePolicy);
    response.headers.emplace_back("Referrer-Policy", "no-referrer");
  }
  if (names_etag(request.header("if-none-match"), etag)) {
    response.status = 304;
    return response;
  }
  if (packed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.body = packed ? std::string(file->gzip) : unpacked(*file);
  return response;
}

}  // namespace gyre::server
