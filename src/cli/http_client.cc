#include "cli/http_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "server/http/field_text.h"

namespace gyre::cli {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr std::chrono::seconds kAnswerMax{60};
constexpr std::chrono::seconds kLookMax{2};  // for one of several to say whether it leads
constexpr std::chrono::seconds kTakeOverMax{15};
constexpr std::chrono::milliseconds kLookPause{100};
constexpr std::uint64_t kBodyMax = std::uint64_t{1} << 30U;

http::request<http::string_body> request_of(const HttpCall& call, const ServerAddress& address) {
  http::request<http::string_body> request{http::string_to_verb(call.method), call.target, 11};
  request.set(http::field::host, address.host + ":" + address.port);
  request.set(http::field::user_agent, "gyre/" GYRE_VERSION);
  const bool has_body = call.method == "POST" || call.method == "PUT";
  if (has_body) request.set(http::field::content_type, call.content_type);
  if (!call.idempotency_key.empty()) request.set("Idempotency-Key", call.idempotency_key);
  if (!call.range.empty()) request.set(http::field::range, call.range);
  request.body() = call.body;
  request.prepare_payload();
  return request;
}

/// One that lives and can record: it leads, or nobody does.
bool leads(const HttpAnswer& health) {
  const auto said = nlohmann::json::parse(health.body, nullptr, false);
  if (health.status != 200 || !said.is_object() || said.value("status", "") == "standby") {
    return false;
  }
  const auto storage = said.find("storage");
  return storage == said.end() || storage->value("status", "") != "away";
}

Outcome<ServerAddress> parse_one_address(const std::string& text);

}  // namespace

bool is_from_standby(int status, const std::string& body) {
  if (status != 503) return false;
  const auto problem = nlohmann::json::parse(body, nullptr, false);
  return problem.is_object() && problem.value("type", "") == "/problems/standby";
}

std::string ServerAddress::bare_host() const {
  return host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
}

std::string ServerAddress::text() const { return "http://" + host + ":" + port; }

Outcome<ServerAddress> parse_server_address(const std::string& text) {
  std::vector<ServerAddress> all;
  for (std::size_t begin = 0, end = 0; end != text.npos; begin = end + 1) {
    end = text.find(',', begin);
    auto one = parse_one_address(text.substr(begin, end == text.npos ? end : end - begin));
    if (!one) return one;
    all.push_back(std::move(*one));
  }
  ServerAddress first = std::move(all.front());
  all.erase(all.begin());
  first.others = std::move(all);
  return first;
}

namespace {

Outcome<ServerAddress> parse_one_address(const std::string& text) {
  std::string rest = text;
  if (rest.starts_with("http://")) rest.erase(0, 7);
  while (rest.ends_with('/')) rest.pop_back();
  ServerAddress address;
  const std::size_t bracket = rest.find(']');
  const std::size_t colon = rest.find(':', bracket == rest.npos ? 0 : bracket);
  address.host = rest.substr(0, colon);
  if (colon != rest.npos) address.port = rest.substr(colon + 1);
  const bool number = !address.port.empty() && address.port.size() <= 5 &&
                      address.port.find_first_not_of("0123456789") == std::string::npos;
  if (address.host.empty() || rest.find("/") != rest.npos || !number) {
    return give_up(kUsage, "'{}' is no server address; it must look like http://127.0.0.1:8642",
                   text);
  }
  return address;
}

}  // namespace

std::string HttpAnswer::header(const std::string& lower_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_name) return value;
  }
  return "";
}

struct HttpClient::Impl {
  asio::io_context context;
  std::optional<beast::tcp_stream> stream;
  beast::flat_buffer buffer;
  std::chrono::seconds answer_max = kAnswerMax;
  bool reached = false;  // the last call was sent to somebody

  /// Runs one operation that was just started to its end.
  void finish() {
    context.restart();
    context.run();
  }
  error_code connect(const ServerAddress& address);
  error_code exchange(const http::request<http::string_body>& request,
                      http::response_parser<http::string_body>& parser);
};

error_code HttpClient::Impl::connect(const ServerAddress& address) {
  error_code result;
  const auto ends = tcp::resolver(context).resolve(address.bare_host(), address.port, result);
  if (result) return result;
  stream.emplace(context);
  buffer.clear();
  stream->expires_after(answer_max);
  stream->async_connect(ends, [&](error_code error, const tcp::endpoint&) { result = error; });
  finish();
  if (!result) stream->socket().set_option(tcp::no_delay(true), result);
  return result;
}

error_code HttpClient::Impl::exchange(const http::request<http::string_body>& request,
                                      http::response_parser<http::string_body>& parser) {
  error_code result;
  reached = true;
  stream->expires_after(answer_max);
  http::async_write(*stream, request, [&](error_code error, std::size_t) { result = error; });
  finish();
  // An answer may be there although not all was taken: the server refuses what is too large.
  error_code read_result;
  http::async_read(*stream, buffer, parser,
                   [&](error_code error, std::size_t) { read_result = error; });
  finish();
  return read_result && result ? result : read_result;
}

HttpClient::HttpClient(ServerAddress address)
    : address_(std::move(address)), impl_(std::make_unique<Impl>()) {}

HttpClient::~HttpClient() = default;
HttpClient::HttpClient(HttpClient&&) noexcept = default;

void HttpClient::turn_to(std::size_t other) {
  ServerAddress next = std::move(address_.others[other]);
  std::vector<ServerAddress> others = std::move(address_.others);
  others.erase(others.begin() + static_cast<std::ptrdiff_t>(other));
  others.push_back(std::move(address_));
  address_ = std::move(next);
  address_.others = std::move(others);
  impl_->stream.reset();
}

Outcome<void> HttpClient::locate() {
  if (address_.others.empty()) return {};
  const auto deadline = std::chrono::steady_clock::now() + kTakeOverMax;
  HttpCall question;
  question.target = "/healthz";
  for (std::size_t looks = 1;; ++looks) {
    impl_->answer_max = kLookMax;
    const auto health = send_once(question);
    impl_->answer_max = kAnswerMax;
    if (health && leads(*health)) return {};
    if (std::chrono::steady_clock::now() > deadline) {
      return give_up(kError, "none of the {} servers leads; {} {}", address_.others.size() + 1,
                     address_.text(), health ? "does not lead" : "does not answer");
    }
    turn_to(0);
    if (looks % (address_.others.size() + 1) == 0) std::this_thread::sleep_for(kLookPause);
  }
}

Outcome<HttpAnswer> HttpClient::send(const HttpCall& call) {
  impl_->reached = false;
  auto answer = send_once(call);
  if (address_.others.empty()) return answer;
  const bool standby = answer && is_from_standby(answer->status, answer->body);
  const bool repeatable = !impl_->reached || call.method == "GET" || !call.idempotency_key.empty();
  if (!standby && (answer || !repeatable)) return answer;
  if (auto found = locate(); !found) return tl::unexpected(found.error());
  return send_once(call);
}

Outcome<HttpAnswer> HttpClient::send_once(const HttpCall& call) {
  const auto request = request_of(call, address_);
  for (bool reused = impl_->stream.has_value();; reused = false) {
    if (!reused) {
      if (const error_code error = impl_->connect(address_)) {
        impl_->stream.reset();
        return give_up(kError, "no server answers at {} ({}): start one with 'gyre up'",
                       address_.text(), error.message());
      }
    }
    http::response_parser<http::string_body> parser;
    parser.body_limit(kBodyMax);
    const error_code error = impl_->exchange(request, parser);
    if (!parser.is_done() || !parser.get().keep_alive()) impl_->stream.reset();
    // A kept connection may have been closed meanwhile; a GET can be asked again.
    if (error && reused && call.method == "GET") continue;
    if (error) {
      return give_up(kError, "the server at {} broke off: {}", address_.text(), error.message());
    }
    auto message = parser.release();
    HttpAnswer answer;
    answer.status = static_cast<int>(message.result_int());
    for (const auto& field : message) {
      const auto name = field.name_string();
      answer.headers.emplace_back(server::http::lowered(std::string_view(name.data(), name.size())),
                                  std::string(field.value()));
    }
    answer.body = std::move(message.body());
    return answer;
  }
}

Outcome<std::string> HttpClient::call(const HttpCall& call) {
  auto answer = send(call);
  if (!answer) return tl::unexpected(answer.error());
  if (answer->status >= 300) return tl::unexpected(failure_of(*answer));
  return std::move(answer->body);
}

Outcome<std::string> HttpClient::get(const std::string& target) {
  HttpCall request;
  request.target = target;
  return call(request);
}

Failure failure_of(const HttpAnswer& answer) {
  const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
  if (!problem.is_object() || !problem.contains("detail") || !problem["detail"].is_string()) {
    return {kError, fmt::format("the server answers {} and no reason; is it Gyre?", answer.status)};
  }
  Failure failure{kError, problem["detail"].get<std::string>()};
  const std::string type = problem.value("type", "");
  if (type == "/problems/never-fits") failure.exit_code = kNeverPlaced;
  if (answer.status == 403) failure.exit_code = kNotAllowed;
  if (type == "/problems/invalid-job-spec" || type == "/problems/invalid")
    failure.exit_code = kUsage;
  const auto errors = problem.find("errors");
  if (errors == problem.end() || !errors->is_array() || errors->size() < 2) return failure;
  failure.message = problem.value("title", "");
  for (const auto& error : *errors) {
    failure.message += "\n  " + error.value("pointer", "") + ": " + error.value("detail", "");
    const std::string suggestion = error.value("suggestion", "");
    if (!suggestion.empty()) failure.message += fmt::format(" (did you mean '{}'?)", suggestion);
  }
  return failure;
}

}  // namespace gyre::cli
