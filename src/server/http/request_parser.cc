#include "server/http/request_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <optional>
#include <utility>

#include "server/http/field_text.h"
#include "server/http/last_chunk.h"
#include "server/http/upload.h"

namespace gyre::server::http {

namespace beast_http = boost::beast::http;
using Parser = beast_http::request_parser<beast_http::string_body>;

struct RequestParser::Impl {
  std::optional<Parser> parser;
  Request request;
  bool started = false;
  bool starved = false;  // it has asked for more

  void restart(const ParserLimits& limits) {
    parser.emplace();
    parser->header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    parser->body_limit(std::max(limits.body_bytes_max, kUploadBytesMax));
    parser->eager(true);
    started = false;
    starved = false;
  }
};

namespace {

std::string lowered_text(boost::beast::string_view text) {
  return lowered(std::string_view(text.data(), text.size()));
}

Problem bad_request(std::string detail) {
  return {400, "bad-request", "The request is not valid HTTP", std::move(detail), {}, {}};
}

std::string_view target_of(const Parser& parser) {
  const auto target = parser.get().target();
  return {target.data(), target.size()};
}

std::size_t bytes_max_of(const Parser& parser, const ParserLimits& limits) {
  return target_of(parser) == kUploadTarget ? kUploadBytesMax : limits.body_bytes_max;
}

bool too_large(const Parser& parser, const ParserLimits& limits) {
  if (!parser.is_header_done()) return false;
  const std::size_t bytes_max = bytes_max_of(parser, limits);
  return parser.content_length().value_or(0) > bytes_max || parser.get().body().size() > bytes_max;
}

Problem body_too_large(std::size_t bytes_max) {
  return {413,
          "too-large",
          "The body is too large",
          fmt::format("a body may have {} bytes at most", bytes_max),
          {},
          {}};
}

Problem problem_of(const boost::system::error_code& error, const ParserLimits& limits) {
  if (error == beast_http::error::header_limit) {
    return {431,
            "header-too-large",
            "The header is too large",
            fmt::format("a header may have {} bytes at most", limits.header_bytes_max),
            {},
            {}};
  }
  return bad_request(error.message());
}

/// False where an escape is broken.
bool split_target(std::string_view target, Request& request) {
  const std::size_t mark = target.find('?');
  auto path = percent_decode(target.substr(0, mark), false);
  if (!path) return false;
  request.path = std::move(*path);
  std::string_view query = mark == target.npos ? std::string_view{} : target.substr(mark + 1);
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    auto name = percent_decode(pair.substr(0, equals), true);
    auto value = percent_decode(equals == pair.npos ? "" : pair.substr(equals + 1), true);
    if (!name || !value) return false;
    request.query.emplace_back(std::move(*name), std::move(*value));
  }
  return true;
}

}  // namespace

RequestParser::RequestParser(const ParserLimits& limits)
    : limits_(limits), impl_(std::make_unique<Impl>()) {
  impl_->restart(limits_);
}

RequestParser::~RequestParser() = default;

bool RequestParser::started() const { return impl_->started; }

RequestParser::Status RequestParser::bad(Problem problem) {
  problem_ = std::move(problem);
  return Status::Bad;
}

RequestParser::Status RequestParser::feed(std::string& input) {
  Parser& parser = *impl_->parser;
  std::size_t used = 0;
  while (used < input.size() && !parser.is_done()) {
    const bool in_chunks = parser.is_header_done() && parser.chunked();
    if (in_chunks && impl_->starved && input.size() - used < kLastChunkBytes) break;
    boost::system::error_code error;
    const std::size_t size =
        parser.put(boost::asio::buffer(input.data() + used, input.size() - used), error);
    impl_->started = true;
    used += size;
    if (error == beast_http::error::body_limit || too_large(parser, limits_)) {
      return bad(body_too_large(bytes_max_of(parser, limits_)));
    }
    impl_->starved = error == beast_http::error::need_more;
    if (impl_->starved) break;
    if (error) return bad(problem_of(error, limits_));
    if (size == 0) break;
  }
  input.erase(0, used);
  if (parser.is_done()) return finish();
  if (parser.is_header_done() && !continue_sent_ &&
      lowered_text(parser.get()[beast_http::field::expect]) == "100-continue") {
    continue_sent_ = true;
    return Status::NeedContinue;
  }
  return Status::NeedMore;
}

RequestParser::Status RequestParser::finish() {
  auto message = impl_->parser->release();
  Request& request = impl_->request;
  request = Request{};
  const auto method = message.method_string();
  request.method.assign(method.data(), method.size());
  const auto target = message.target();
  // Only the origin form: there is nothing to proxy here.
  if (target.empty() || target[0] != '/') return bad(bad_request("the target must start with '/'"));
  if (!split_target({target.data(), target.size()}, request)) {
    return bad(bad_request("the target has a broken percent escape"));
  }
  if (message.count(beast_http::field::host) > 1) return bad(bad_request("more than one Host"));
  for (const auto& field : message) {
    request.headers.emplace_back(lowered_text(field.name_string()), std::string(field.value()));
  }
  request.keep_alive = message.keep_alive();
  request.chunks_allowed = message.version() >= 11;
  request.body = std::move(message.body());
  return Status::Ready;
}

Request RequestParser::take() {
  impl_->restart(limits_);
  continue_sent_ = false;
  return std::move(impl_->request);
}

}  // namespace gyre::server::http
