#include "server/proxy/heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::server::proxy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string destination_text(std::string_view target) {
  const auto found = destination_of(target);
  return found ? found->service + " " + found->target : "none";
}

TEST(Heads, ThePathNamesTheServiceAndTheRestIsItsOwn) {
  EXPECT_EQ(destination_text("/services/chat/v1/models?x=%2F"), "chat /v1/models?x=%2F");
  EXPECT_EQ(destination_text("/services/chat"), "chat /");
  EXPECT_EQ(destination_text("/services/chat?a"), "chat /?a");
  EXPECT_EQ(destination_text("/services/"), "none");
  EXPECT_EQ(destination_text("/services/../v1"), "none");
  EXPECT_EQ(destination_text("/service/chat"), "none");
  EXPECT_EQ(destination_text("http://x/services/chat"), "none");
}

TEST(Heads, WhatIsMeantForTheNextHopAloneIsTakenOut) {
  Head head;
  head.method = "POST";
  head.length = 5;
  head.fields = {{"Host", "localhost:1"},
                 {"Connection", "keep-alive, X-Mine"},
                 {"X-Mine", "1"},
                 {"TE", "trailers"},
                 {"Content-Length", "5"},
                 {"Expect", "100-continue"},
                 {"X-Forwarded-For", "9.9.9.9"},
                 {"X-Kept", "2"},
                 {"Upgrade", "h2c"}};
  const std::string text =
      request_head(head, {.target = "/b", .service = "a", .client = "127.0.0.1"});
  EXPECT_EQ(text,
            "POST /b HTTP/1.1\r\nHost: localhost:1\r\nX-Kept: 2\r\nContent-Length: 5\r\n"
            "X-Forwarded-For: 9.9.9.9, 127.0.0.1\r\nX-Forwarded-Host: localhost:1\r\n"
            "X-Forwarded-Proto: http\r\nX-Forwarded-Prefix: /services/a\r\nVia: 1.1 gyre\r\n\r\n");
}

TEST(Heads, AnAnswerIsFramedAsTheClientCanReadIt) {
  Head head;
  head.status = 200;
  head.reason = "OK";
  EXPECT_EQ(framing_of(head, false, true), Framing::Chunks);
  EXPECT_EQ(framing_of(head, false, false), Framing::Close);
  EXPECT_EQ(framing_of(head, true, true), Framing::None);
  head.length = 3;
  EXPECT_EQ(framing_of(head, false, true), Framing::Length);
  head.status = 304;
  EXPECT_EQ(framing_of(head, false, true), Framing::None);
  head.status = 200;
  head.fields = {{"Content-Length", "3"}, {"Connection", "X-Hop"}, {"X-Hop", "1"}};
  const std::string text = response_head(head, {.framing = Framing::Length, .keep_alive = false});
  EXPECT_EQ(text,
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\nVia: 1.1 gyre\r\n\r\n");
  EXPECT_THAT(response_head(head, {.framing = Framing::Chunks}),
              AllOf(HasSubstr("Transfer-Encoding: chunked"), Not(HasSubstr("Content-Length"))));
}

TEST(Heads, AnUpgradeIsAskedForAnew) {
  Head head;
  head.method = "GET";
  head.fields = {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}};
  const std::string text =
      request_head(head, {.target = "/", .service = "a", .client = "::1", .upgrade = true});
  EXPECT_THAT(text, HasSubstr("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
}

}  // namespace
}  // namespace gyre::server::proxy
