#include "server/api/log_search_stream.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace gyre::server {
namespace {

using Line = LineSearch::Line;

std::vector<Line> search(const std::string& log, const std::string& text, std::size_t piece) {
  LineSearch search(text);
  std::vector<Line> found;
  const auto add = [&](std::vector<Line> lines) {
    found.insert(found.end(), lines.begin(), lines.end());
  };
  for (std::size_t at = 0; at < log.size(); at += piece)
    add(search.take(at, log.substr(at, piece)));
  add(search.end());
  return found;
}

TEST(LineSearch, TellsWhereLinesBeginAndMindsNoCase) {
  const std::vector<Line> both{{4, "An Error"}, {18, "error"}};
  EXPECT_EQ(search("one\nAn Error\r\ntwo\nerror", "ERRor", 5), both);
  EXPECT_TRUE(search("", "a", 1).empty());
}

TEST(LineSearch, OfALongLineTellsWhatStandsAroundThePlace) {
  const std::string log = std::string(3000, '.') + "needle" + std::string(3000, '.') + "\n";
  const auto found = search(log, "needle", 700);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].offset, 0U);
  EXPECT_EQ(found[0].text.size(), LineSearch::kShownMax);
  EXPECT_NE(found[0].text.find("needle"), std::string::npos);
}

TEST(LineSearch, ALineWithoutAnEndIsFoundOnceInEachPart) {
  std::string log(200'000, '.');
  log.replace(LineSearch::kLineMax - 2, 6, "needle");
  log.replace(150'000, 6, "needle");
  EXPECT_EQ(search(log, "needle", 4096).size(), 2U);
}

TEST(LineSearch, WhatIsNotKeptEndsALine) {
  LineSearch search("ab");
  EXPECT_TRUE(search.take(0, "xa").empty());
  EXPECT_TRUE(search.take(100, "b\n").empty()) << "the two do not touch";
  EXPECT_EQ(search.take(102, "ab\n"), (std::vector<Line>{{102, "ab"}}));
}

TEST(LineSearch, FindsWhatLookingAtEachLineFindsHoweverItIsCut) {
  rc::check([] {
    const auto text =
        *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::element('a', 'b')));
    const auto log = *rc::gen::container<std::string>(rc::gen::element('a', 'b', 'A', 'B', '\n'));
    const auto piece = *rc::gen::inRange<std::size_t>(1, 9);
    const std::string wanted = text.substr(0, 3);
    std::vector<Line> expected;
    std::istringstream lines(log);
    std::size_t offset = 0;
    for (std::string line; std::getline(lines, line); offset += line.size() + 1) {
      std::string low = line;
      std::transform(low.begin(), low.end(), low.begin(), [](char c) {
        return c == 'A' ? 'a' : c == 'B' ? 'b' : c;
      });
      if (low.find(wanted) != low.npos) expected.push_back({offset, line});
    }
    RC_ASSERT(search(log, wanted, piece) == expected);
  });
}

struct LogSearchStreamTest : testing::Test {
  std::string log;
  std::size_t reads_that_work = 1000;
  std::vector<std::string> lines;
  nlohmann::json last;
  std::string last_name;

  Result<act::LogChunk> read(const act::LogQuery& query) {
    if (reads_that_work-- == 0) return fail(ErrorKind::Unavailable, "the node is away");
    act::LogChunk chunk;
    chunk.data = log.substr(query.offset, 7);
    chunk.attempt = 3;
    chunk.next_offset = query.offset + chunk.data.size();
    chunk.size = log.size();
    return chunk;
  }
  void run(const std::string& text, std::size_t limit) {
    act::LogQuery query;
    query.job = JobId{1};
    LogSearchStream stream(
        [this](const act::LogQuery& part, const live::Done<act::LogChunk>& done) {
          EXPECT_EQ(part.attempt, 3) << "it stays with the attempt that it began with";
          done(read(part));
        },
        query, *read(query), text, limit);
    stream.open([] {});
    std::string out;
    for (auto state = http::Stream::State::More; state != http::Stream::State::End;) {
      state = stream.read(out);
      ASSERT_NE(state, http::Stream::State::Poll);
    }
    take(out);
  }
  void take(const std::string& out) {
    std::istringstream all(out);
    for (std::string line; std::getline(all, line);) {
      if (line.starts_with("event: ")) last_name = line.substr(7);
      if (!line.starts_with("data: ")) continue;
      last = nlohmann::json::parse(line.substr(6));
      if (last_name == "line") lines.push_back(last["text"]);
    }
  }
};

TEST_F(LogSearchStreamTest, ReadsToTheEndAndSaysHowFar) {
  log = "one hit\nnothing\ntwo hits\n";
  run("HIT", 10);
  EXPECT_EQ(lines, (std::vector<std::string>{"one hit", "two hits"}));
  EXPECT_EQ(last_name, "end");
  EXPECT_EQ(last.dump(), R"({"attempt":3,"dropped":0,"more":false,"searched":25,"size":25})");
}

TEST_F(LogSearchStreamTest, StopsAtSoManyLinesAndSaysThatThereMayBeMore) {
  log = "hit\nhit\nhit\nhit\nhit\nhit\n";
  run("hit", 2);
  EXPECT_EQ(lines.size(), 2U);
  EXPECT_TRUE(last["more"].get<bool>());
  EXPECT_LT(last["searched"].get<int>(), 24);
}

TEST_F(LogSearchStreamTest, ALogThatCannotBeReadOnIsNoEnd) {
  log = std::string(100, 'x');
  reads_that_work = 3;
  run("hit", 2);
  EXPECT_EQ(last_name, "failed");
  EXPECT_EQ(last["detail"], "the node is away");
}

TEST_F(LogSearchStreamTest, AnEmptyLogEndsAtOnce) {
  run("hit", 2);
  EXPECT_EQ(last_name, "end");
}

}  // namespace
}  // namespace gyre::server
