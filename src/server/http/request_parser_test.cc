#include "server/http/request_parser.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "server/http/guard.h"
#include "server/http/upload.h"

namespace gyre::server::http {
namespace {

using Status = RequestParser::Status;

Request parse(std::string text) {
  RequestParser parser({});
  EXPECT_EQ(parser.feed(text), Status::Ready);
  return parser.take();
}

int status_of(std::string text, const ParserLimits& limits = {}) {
  RequestParser parser(limits);
  EXPECT_EQ(parser.feed(text), Status::Bad);
  return parser.problem().status;
}

bool is_taken(std::string text, const ParserLimits& limits) {
  RequestParser parser(limits);
  return parser.feed(text) == Status::Ready;
}

TEST(RequestParserTest, ReadsPathQueryHeadersAndBody) {
  const Request request = parse(
      "POST /v1/jobs/1%2F2?state=a%2Cb&x=1+2&flag HTTP/1.1\r\nHost: localhost\r\n"
      "Content-Type: Application/JSON; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.path, "/v1/jobs/1/2");
  EXPECT_EQ(request.query_value("state"), "a,b");
  EXPECT_EQ(request.query_value("x"), "1 2");
  EXPECT_EQ(request.query_value("flag"), "");
  EXPECT_EQ(request.query_value("other"), std::nullopt);
  EXPECT_EQ(request.media_type(), "application/json");
  EXPECT_EQ(request.body, "{}");
  EXPECT_TRUE(request.keep_alive);
}

TEST(RequestParserTest, TakesBytesOneByOneAndRequestsBackToBack) {
  const std::string two =
      "GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  RequestParser parser({});
  std::string input;
  std::vector<Request> requests;
  for (const char c : two) {
    input += c;
    if (parser.feed(input) == Status::Ready) requests.push_back(parser.take());
  }
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].path, "/a");
  EXPECT_EQ(requests[1].path, "/b");
  EXPECT_EQ(requests[1].body, "abc");
  EXPECT_TRUE(input.empty());
  EXPECT_FALSE(parser.started());
}

TEST(RequestParserTest, AnEmptyBodyInChunksMayComeByteByByte) {
  RequestParser parser({});
  std::string input;
  Status status = Status::NeedMore;
  for (const char c : std::string_view("POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked"
                                       "\r\n\r\n0\r\n\r\n")) {
    ASSERT_EQ(status, Status::NeedMore);
    input += c;
    status = parser.feed(input);
  }
  EXPECT_EQ(status, Status::Ready);
  EXPECT_EQ(parser.take().body, "");
}

TEST(RequestParserTest, LeavesWhatBelongsToTheNextRequest) {
  std::string input = "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n";
  RequestParser parser({});
  ASSERT_EQ(parser.feed(input), Status::Ready);
  EXPECT_EQ(parser.take().path, "/a");
  ASSERT_EQ(parser.feed(input), Status::Ready);
  EXPECT_EQ(parser.take().path, "/b");
}

TEST(RequestParserTest, RefusesWhatIsNoRequest) {
  EXPECT_EQ(status_of("HELLO\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n"), 400);
  EXPECT_EQ(status_of("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"), 400);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
            400);
}

TEST(RequestParserTest, KeepsItsLimits) {
  const ParserLimits limits{.header_bytes_max = 100, .body_bytes_max = 10};
  EXPECT_EQ(status_of("GET /" + std::string(200, 'a') + " HTTP/1.1\r\n\r\n", limits), 431);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nContent-Length: 11\r\n\r\n", limits), 413);
  EXPECT_EQ(status_of("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n01234567890\r\n",
                      limits),
            413);
}

TEST(RequestParserTest, OneTargetTakesMore) {
  const ParserLimits limits{.body_bytes_max = 10};
  const std::string uploads(kUploadTarget);
  const auto whole = [](const std::string& target, std::size_t bytes) {
    return fmt::format("POST {} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{}", target, bytes,
                       std::string(bytes, 'x'));
  };
  const auto in_chunks = [](const std::string& target, std::size_t bytes) {
    return fmt::format(
        "POST {} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n", target,
        bytes, std::string(bytes, 'x'));
  };
  EXPECT_TRUE(is_taken(whole(uploads, kUploadBytesMax), limits));
  EXPECT_TRUE(is_taken(in_chunks(uploads, kUploadBytesMax), limits));
  EXPECT_TRUE(is_taken(in_chunks("/other", 10), limits));
  EXPECT_EQ(status_of(whole(uploads, kUploadBytesMax + 1), limits), 413);
  EXPECT_EQ(status_of(in_chunks(uploads, kUploadBytesMax + 1), limits), 413);
  EXPECT_EQ(status_of(whole(uploads + "/1", 11), limits), 413);
  EXPECT_EQ(status_of(in_chunks("/other", 11), limits), 413);
}

TEST(RequestParserTest, SaysOnceThatTheClientWaitsForContinue) {
  std::string input = "POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  RequestParser parser({});
  EXPECT_EQ(parser.feed(input), Status::NeedContinue);
  input += "{";
  EXPECT_EQ(parser.feed(input), Status::NeedMore);
  input += "}";
  EXPECT_EQ(parser.feed(input), Status::Ready);
}

Request with(Pairs headers, std::string method = "GET") {
  Request request;
  request.method = std::move(method);
  request.headers = std::move(headers);
  return request;
}

TEST(GuardTest, LetsLoopbackNamesIn) {
  for (const char* host : {"localhost", "localhost:8642", "127.0.0.1:1", "[::1]", "[::1]:8642"}) {
    EXPECT_FALSE(check_origin(with({{"host", host}}))) << host;
  }
  EXPECT_FALSE(
      check_origin(with({{"host", "localhost:8642"}, {"origin", "http://localhost:8642"}})));
}

TEST(GuardTest, KeepsForeignNamesOut) {
  for (const char* host : {"", "evil.example", "evil.example:8642", "127.0.0.1.evil.example",
                           "localhost:", "localhost:x", "[::1", "127.0.0.2"}) {
    ASSERT_TRUE(check_origin(with({{"host", host}}))) << host;
    EXPECT_EQ(check_origin(with({{"host", host}}))->status, 421) << host;
  }
}

TEST(GuardTest, KeepsForeignOriginsAndFormsOut) {
  for (const char* origin :
       {"http://evil.example", "null", "https://localhost:8642", "http://localhost:3000"}) {
    const auto problem = check_origin(with({{"host", "localhost:8642"}, {"origin", origin}}));
    ASSERT_TRUE(problem) << origin;
    EXPECT_EQ(problem->status, 403);
  }
  for (const char* type :
       {"", "text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"}) {
    const auto problem =
        check_origin(with({{"host", "localhost"}, {"content-type", type}}, "POST"));
    ASSERT_TRUE(problem) << type;
    EXPECT_EQ(problem->status, 415);
  }
}

}  // namespace
}  // namespace gyre::server::http
