#include "server/api/artifact_stream.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

TEST(ByteRanges, AreReadAsHttpHasThem) {
  const auto range = [](std::string_view header) { return byte_range(header, 100).value(); };
  EXPECT_EQ(range("bytes=0-"), (ByteRange{0, 100, true}));
  EXPECT_EQ(range("bytes=10-19"), (ByteRange{10, 20, true}));
  EXPECT_EQ(range("bytes=10-500"), (ByteRange{10, 100, true}));
  EXPECT_EQ(range("bytes=-7"), (ByteRange{93, 100, true}));
  EXPECT_EQ(range("bytes=-700"), (ByteRange{0, 100, true}));
  const ByteRange all{0, 100, false};
  for (const char* odd : {"", "bytes", "lines=1-2", "bytes=1-2,5-6", "bytes=9-3", "bytes=a-b",
                          "bytes=-", "bytes=1", "bytes=99999999999999999999-", "bytes= 1-2"}) {
    EXPECT_EQ(range(odd), all) << odd;
  }
  EXPECT_FALSE(byte_range("bytes=100-", 100));
  EXPECT_FALSE(byte_range("bytes=0-", 0));
  EXPECT_FALSE(byte_range("bytes=-0", 100));
}

struct Node {
  void read(const act::ArtifactQuery& query, live::Done<act::ArtifactAnswer> done) {
    if (broken) return done(fail(ErrorKind::Unavailable, "gone"));
    done(act::ArtifactPiece{1,
                            content.substr(query.offset, std::min<std::size_t>(query.bytes_max, 3)),
                            content.size()});
  }
  std::string content = "0123456789";
  bool broken = false;
};

TEST(ArtifactStreams, GiveThePartAndEndWhereTheNodeDoes) {
  Node node;
  act::ArtifactQuery part;
  part.path = "a";
  part.offset = 2;
  ArtifactStream stream([&](const auto& query, auto done) { node.read(query, std::move(done)); },
                        part, 9);
  stream.open([] {});
  std::string all;
  while (stream.read(all) == http::Stream::State::More) {
  }
  EXPECT_EQ(all, "2345678");
  ArtifactStream other([&](const auto& query, auto done) { node.read(query, std::move(done)); },
                       part, 9);
  other.open([] {});
  std::string some;
  EXPECT_EQ(other.read(some), http::Stream::State::More);
  node.broken = true;
  EXPECT_EQ(other.read(some), http::Stream::State::End);
  EXPECT_EQ(some, "234");
}

}  // namespace
}  // namespace gyre::server
