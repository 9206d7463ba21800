#include "server/proxy/message_reader.h"

#include <gtest/gtest.h>

#include <string>

namespace gyre::server::proxy {
namespace {

using Side = MessageReader::Side;

constexpr std::string_view kChunked =
    "POST /services/a/b HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    "Connection: X-One, Upgrade\r\n\r\n4\r\nwiki\r\n6;x=y\r\npedia!\r\n0\r\nTrailer: x\r\n\r\n";

TEST(MessageReader, ABodyComesOutWithoutItsFramingHoweverItIsCut) {
  for (std::size_t cut = 1; cut <= kChunked.size(); ++cut) {
    MessageReader reader(Side::Request, 1024);
    std::string body;
    std::string input;
    for (std::size_t at = 0; at < kChunked.size(); at += cut) {
      input += kChunked.substr(at, cut);
      ASSERT_TRUE(reader.feed(input)) << reader.error();
      body += reader.take_body();
    }
    EXPECT_TRUE(reader.done());
    EXPECT_EQ(body, "wikipedia!");
    EXPECT_EQ(reader.head().method, "POST");
    EXPECT_EQ(reader.head().field("trailer"), "");
    EXPECT_EQ(reader.head().fields.size(), 3U);
    EXPECT_TRUE(reader.head().chunked);
    EXPECT_TRUE(reader.head().lists("connection", "upgrade"));
    EXPECT_FALSE(reader.head().lists("connection", "upgrad"));
    EXPECT_EQ(input, "");
  }
}

TEST(MessageReader, AnEmptyBodyInChunksMayComeByteByByte) {
  for (const std::string_view last : {"0\r\n\r\n", "000;a=b\r\n\r\n", "0\r\nA: b\r\n\r\n"}) {
    const std::string text =
        "POST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n" + std::string(last);
    MessageReader reader(Side::Request, 1024);
    std::string input;
    for (const char c : text) {
      input += c;
      ASSERT_TRUE(reader.feed(input)) << reader.error();
    }
    EXPECT_TRUE(reader.done());
    EXPECT_EQ(reader.take_body(), "");
    EXPECT_EQ(input, "");
  }
}

TEST(MessageReader, WhatBelongsToTheNextMessageIsLeft) {
  MessageReader reader(Side::Request, 1024);
  std::string input = "GET /a HTTP/1.1\r\nHost: b\r\n\r\nGET /c HTTP/1.1\r\n\r\n";
  ASSERT_TRUE(reader.feed(input));
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(input, "GET /c HTTP/1.1\r\n\r\n");
  reader.restart();
  EXPECT_FALSE(reader.started());
  ASSERT_TRUE(reader.feed(input));
  EXPECT_EQ(reader.head().target, "/c");
}

TEST(MessageReader, AnAnswerWithoutALengthEndsWithTheConnection) {
  MessageReader reader(Side::Response, 1024);
  std::string input = "HTTP/1.1 200 Fine\r\n\r\nto the end";
  ASSERT_TRUE(reader.feed(input));
  EXPECT_FALSE(reader.done());
  EXPECT_TRUE(reader.end());
  EXPECT_TRUE(reader.done());
  EXPECT_FALSE(reader.head().keep_alive);
  EXPECT_EQ(reader.head().reason, "Fine");
  EXPECT_EQ(reader.take_body(), "to the end");
}

TEST(MessageReader, AnAnswerThatIsCutOffIsNone) {
  MessageReader reader(Side::Response, 1024);
  std::string input = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
  ASSERT_TRUE(reader.feed(input));
  EXPECT_FALSE(reader.end());
  MessageReader none(Side::Response, 1024);
  EXPECT_FALSE(none.end());
}

TEST(MessageReader, TheAnswerToAHeadHasNoBody) {
  MessageReader reader(Side::Response, 1024);
  reader.restart(true);
  std::string input = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
  ASSERT_TRUE(reader.feed(input));
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.head().length, 9U);
}

TEST(MessageReader, WhatCouldBeReadInTwoWaysIsRefused) {
  for (const std::string_view text :
       {"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -3\r\n\r\n", "GET / HTTP/9\r\n\r\n", "\1\2\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n"}) {
    MessageReader reader(Side::Request, 1024);
    std::string input(text);
    EXPECT_FALSE(reader.feed(input)) << text;
    EXPECT_NE(reader.error(), "");
  }
}

TEST(MessageReader, AHeadHasALimit) {
  MessageReader reader(Side::Request, 1024);
  std::string input = "GET / HTTP/1.1\r\nA: " + std::string(2000, 'a') + "\r\n\r\n";
  EXPECT_FALSE(reader.feed(input));
  EXPECT_TRUE(reader.head_too_large());
}

TEST(MessageReader, SoHaveAChunksExtensionsAndTrailers) {
  const std::string head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view begin : {"1;x=", "1\r\na\r\n0\r\nTrailer: ", "0;x="}) {
    MessageReader reader(Side::Request, 1024);
    std::string input = head + std::string(begin);
    bool good = reader.feed(input);
    for (int i = 0; good && i < 20; ++i) {
      EXPECT_LE(input.size(), 1024U);
      input += std::string(100, 'a');
      good = reader.feed(input);
    }
    EXPECT_FALSE(good) << begin;
    EXPECT_TRUE(reader.head_too_large());
    EXPECT_LE(input.size(), 1124U);
  }
}

}  // namespace
}  // namespace gyre::server::proxy
