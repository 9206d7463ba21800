#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "server/api/event_feed.h"
#include "server/api/log_stream.h"

namespace gyre::server {
namespace {

struct FeedTest : testing::Test {
  control::Controller core{control::Config{}};
  EventFeed feed{4, EventSeq{10}};

  void tell(std::uint64_t seq, std::uint64_t job, JobState to, bool commit = true) {
    control::Decisions decisions;
    Transition change;
    change.job = JobId{job};
    change.from = JobState::Queued;
    change.to = to;
    decisions.transitions.push_back(change);
    feed.after({Time{}, EventSeq{seq}, Tick{}}, decisions, core);
    if (commit) feed.committed(EventSeq{seq});
  }
};

TEST_F(FeedTest, ShowsNothingBeforeItIsDurable) {
  int woken = 0;
  const EventFeed::Subscription subscription(feed, [&] { ++woken; });
  tell(11, 1, JobState::Running, false);
  EXPECT_TRUE(feed.read(std::nullopt, std::nullopt, 10).events.empty());
  EXPECT_EQ(woken, 0);
  feed.committed(EventSeq{11});
  EXPECT_EQ(feed.read(std::nullopt, std::nullopt, 10).events.size(), 1U);
  EXPECT_EQ(woken, 1);
  feed.committed(EventSeq{12});
  EXPECT_EQ(woken, 1);
}

TEST_F(FeedTest, PagesAndFilters) {
  for (std::uint64_t i = 0; i < 4; ++i) tell(11 + i, i % 2 + 1, JobState::Running);
  const auto first = feed.read(std::nullopt, std::nullopt, 3);
  EXPECT_EQ(first.events.size(), 3U);
  EXPECT_TRUE(first.more);
  EXPECT_FALSE(first.missed);
  const auto second = feed.read(first.last, std::nullopt, 3);
  EXPECT_EQ(second.events.size(), 1U);
  EXPECT_FALSE(second.more);
  EXPECT_EQ(feed.read(std::nullopt, JobId{2}, 10).events.size(), 2U);
}

TEST_F(FeedTest, SaysWhatIsNoLongerKept) {
  for (std::uint64_t i = 0; i < 6; ++i) tell(11 + i, 1, JobState::Running);
  const auto page = feed.read(FeedPosition{EventSeq{11}, 0}, std::nullopt, 10);
  EXPECT_TRUE(page.missed);
  EXPECT_EQ(page.events.size(), 4U);
  EXPECT_TRUE(feed.read(FeedPosition{EventSeq{5}, 0}, std::nullopt, 10).missed);
  EXPECT_TRUE(feed.read(FeedPosition{EventSeq{99}, 0}, std::nullopt, 10).missed);
  EXPECT_FALSE(feed.read(feed.last(), std::nullopt, 10).missed);
}

TEST(FeedPositionTest, ReadsWhatItWrites) {
  const FeedPosition position{EventSeq{117}, 3};
  EXPECT_EQ(parse_feed_position(to_string(position)), position);
  for (const char* wrong : {"", "1", "1.", ".1", "1.x", "-1.0", "1.2.3"}) {
    EXPECT_FALSE(parse_feed_position(wrong)) << wrong;
  }
}

/// The logs of one job, by attempt.
struct Attempts {
  std::map<std::int32_t, std::pair<std::string, bool>> attempts;  // text, over
  Result<act::LogChunk> read(const act::LogQuery& query) const {
    if (attempts.empty()) return fail(ErrorKind::NotFound, "no log");
    const auto found = attempts.find(query.attempt.value_or(attempts.rbegin()->first));
    if (found == attempts.end()) return fail(ErrorKind::NotFound, "no log");
    const auto& [text, over] = found->second;
    act::LogChunk chunk;
    chunk.data = text.substr(query.offset, query.bytes_max);
    chunk.attempt = found->first;
    chunk.next_offset = query.offset + chunk.data.size();
    chunk.size = text.size();
    chunk.over = over;
    return chunk;
  }
};

struct LogStreamTest : FeedTest {
  Attempts logs;
  std::string bytes;
  std::string last_id;
  bool ended = false;

  LogStream stream(LogStream::Followed job = {}, std::int32_t attempt = 0,
                   std::uint64_t offset = 0) {
    act::LogQuery query;
    query.job = JobId{1};
    if (attempt > 0) query.attempt = attempt;
    query.offset = offset;
    const auto read = [this](const act::LogQuery& part, const live::Done<act::LogChunk>& done) {
      done(logs.read(part));
    };
    return LogStream(read, query, feed, feed.last(), job);
  }

  /// Reads until there is nothing more for now.
  void drain(LogStream& stream) {
    for (;;) {
      std::string piece;
      const auto state = stream.read(piece);
      take(piece);
      if (state != http::Stream::State::More) return;
    }
  }
  void take(const std::string& piece) {
    std::istringstream lines(piece);
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("id: ")) last_id = line.substr(4);
      if (line == "event: end") ended = true;
      if (!line.starts_with("data: {\"")) continue;
      const auto data = nlohmann::json::parse(line.substr(6));
      bytes += data.contains("text") ? data["text"].get<std::string>()
                                     : *decode_base64(data["base64"].get<std::string>());
    }
  }
};

TEST_F(LogStreamTest, FollowsGrowthToTheEnd) {
  auto follow = stream();
  drain(follow);
  EXPECT_EQ(bytes, "");
  logs.attempts[1] = {"one\n", false};
  drain(follow);
  EXPECT_EQ(bytes, "one\n");
  EXPECT_EQ(last_id, "1.4");
  logs.attempts[1] = {"one\ntwo\n", true};
  tell(11, 1, JobState::Succeeded);
  drain(follow);
  EXPECT_EQ(bytes, "one\ntwo\n");
  EXPECT_TRUE(ended);
}

TEST_F(LogStreamTest, GoesOnWithTheNextAttempt) {
  logs.attempts[1] = {"first\n", true};
  auto follow = stream({}, 1);
  drain(follow);
  logs.attempts[2] = {"second\n", true};
  tell(11, 1, JobState::Failed);
  drain(follow);
  EXPECT_EQ(bytes, "first\nsecond\n");
  EXPECT_EQ(last_id, "2.7");
  EXPECT_TRUE(ended);
}

TEST_F(LogStreamTest, GoesOnPastAttemptsThatWereOtherTasks) {
  logs.attempts[1] = {"first\n", true};
  auto follow = stream({.gaps = true}, 1);
  drain(follow);
  drain(follow);
  EXPECT_EQ(bytes, "first\n");
  logs.attempts[4] = {"fourth\n", true};
  drain(follow);
  EXPECT_EQ(bytes, "first\nfourth\n");
  logs.attempts[5] = {"fifth\n", true};
  tell(11, 1, JobState::Failed);
  drain(follow);
  EXPECT_EQ(bytes, "first\nfourth\nfifth\n");
  EXPECT_TRUE(ended);
}

TEST_F(LogStreamTest, ResumesWhereItStopped) {
  logs.attempts[1] = {"first\n", true};
  auto follow = stream({.over = true}, 1, 3);
  drain(follow);
  EXPECT_EQ(bytes, "st\n");
  EXPECT_TRUE(ended);
}

TEST_F(LogStreamTest, AnyBytesArriveAsTheyAre) {
  logs.attempts[1] = {std::string("\xff\x00\xc3", 3), false};
  auto follow = stream({}, 1);
  drain(follow);
  logs.attempts[1] = {std::string("\xff\x00\xc3\xa9 \xe2\x82", 7), false};
  drain(follow);
  EXPECT_EQ(bytes, std::string("\xff\x00\xc3\xa9 ", 5));  // a character that has only begun waits
  logs.attempts[1].second = true;
  tell(11, 1, JobState::Succeeded);
  drain(follow);
  EXPECT_EQ(bytes, std::string("\xff\x00\xc3\xa9 \xe2\x82", 7));
  EXPECT_TRUE(ended);
}

TEST_F(LogStreamTest, AJobThatNeverRanEndsAtOnce) {
  auto follow = stream({.over = true});
  drain(follow);
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace gyre::server
