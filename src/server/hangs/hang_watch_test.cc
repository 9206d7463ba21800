#include "server/hangs/hang_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "server/api/test_kit.h"

namespace gyre::server {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A job of one task on a node of one GPU, with a heartbeat of a minute; its log and its clock are
/// the test's.
class HangWatchTest : public ::testing::Test {
 protected:
  HangWatchTest() { node_.tell(HealingSet{default_healing()}); }

  void submit(std::string line = "", int gpus = 0) {
    JobSpec spec;
    spec.progress = Progress{seconds(60), std::move(line)};
    run(std::move(spec), gpus);
  }

  void run(JobSpec spec, int gpus = 0) {
    node_.run(std::move(spec), gpus);
    watch_.after(node_.last, {}, node_.core);
  }

  HangPorts ports() {
    HangPorts ports;
    ports.ask = [this](const live::Query& query) {
      query(node_.core);
      return Result<void>();
    };
    ports.read_log = [this](const act::LogQuery& query, const live::Done<act::LogChunk>& done) {
      if (silent_) return unanswered_.push_back(done);
      if (away_) return done(fail(ErrorKind::Unavailable, "not connected"));
      const std::string& log = query.stream == act::LogStream::Stdout ? log_ : empty_;
      const std::size_t length = std::min(query.bytes_max, log.size() - query.offset);
      act::LogChunk chunk;
      chunk.data = log.substr(query.offset, length);
      chunk.next_offset = query.offset + length;
      chunk.size = log.size();
      chunk.stuck = full_;
      done(std::move(chunk));
    };
    ports.tell = [this](Event::Body body) { told_.push_back(std::get<TaskStalled>(body)); };
    ports.clock = [this] { return clock_; };
    return ports;
  }

  /// Seconds, a look after each; the GPU as busy as that, where anybody reads it.
  void pass(int count, std::optional<std::int64_t> gpu_ppm = std::nullopt) {
    for (int i = 0; i < count; ++i) {
      clock_ = clock_ + seconds(1);
      node_.now = node_.now + seconds(1);
      if (gpu_ppm) node_.read({gpu_ppm});
      watch_.look();
    }
  }

  Duration clock_ = seconds(1000);
  test::SeenNode node_{1};
  HangWatch watch_{node_.core, node_.telemetry, ports()};
  std::string log_;
  const std::string empty_;
  bool away_ = false;
  bool full_ = false;
  bool silent_ = false;
  std::vector<live::Done<act::LogChunk>> unanswered_;
  std::vector<TaskStalled> told_;
};

TEST_F(HangWatchTest, WhoWritesNothingForSoLongHangs) {
  submit();
  pass(5);
  log_ = "step 1\n";
  pass(60);
  EXPECT_THAT(told_, IsEmpty());
  pass(25);
  ASSERT_THAT(told_, SizeIs(1));
  EXPECT_EQ(told_[0].job, JobId{1});
  EXPECT_EQ(told_[0].attempt, 1);
  EXPECT_GT(told_[0].idle, seconds(60));
  node_.tell(told_[0]);
  EXPECT_EQ(node_.core.jobs().find({1})->state, JobState::Stopping);
  pass(200);
  EXPECT_THAT(told_, SizeIs(1)) << "nobody waits for it any more";
}

TEST_F(HangWatchTest, OneLookAloneDoesNotCondemn) {
  submit();
  pass(2);
  clock_ = clock_ + seconds(600);  // all of it, the server too, stood still
  pass(3);
  log_ = "awake\n";
  pass(60);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(HangWatchTest, WithoutATextAllThatItWritesIsLife) {
  submit();
  for (int i = 0; i < 200; ++i) {
    log_ += "\rtrain " + std::to_string(i) + "%";
    pass(1);
  }
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(HangWatchTest, WhatIsLeftOutOfALogMayHaveBeenAHeartbeat) {
  submit("step ");
  for (int i = 0; i < 200; ++i) {
    log_ += std::string(400'000, 'x');
    pass(1);
  }
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(HangWatchTest, LinesWithItsTextAloneCount) {
  submit("step ");
  for (int i = 0; i < 120; ++i) {
    log_ += "still here\n";
    if (i < 40) log_ += "step\nstep " + std::to_string(i) + "\n";
    pass(1);
    if (i < 90) {
      EXPECT_THAT(told_, IsEmpty()) << i;
    }
  }
  EXPECT_THAT(told_, SizeIs(1));
}

TEST_F(HangWatchTest, AGpuThatWorksIsLife) {
  node_.read({std::nullopt});
  submit("", 1);
  pass(300, 200'000);
  EXPECT_THAT(told_, IsEmpty());
  pass(100, 2'000);
  EXPECT_THAT(told_, SizeIs(1));
}

TEST_F(HangWatchTest, AGpuThatNobodyReadsJustNowMayWork) {
  submit("", 1);
  pass(10, 200'000);
  pass(300);
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(HangWatchTest, WhereNobodySeesItsGpusTheLogDecides) {
  submit("", 1);
  pass(100);
  EXPECT_THAT(told_, SizeIs(1));
}

TEST_F(HangWatchTest, WhatANodeDoesNotSayCondemnsNobody) {
  submit();
  pass(5);
  away_ = true;
  pass(300);
  EXPECT_THAT(told_, IsEmpty()) << "it is not connected";
  away_ = false;
  silent_ = true;
  pass(300);
  EXPECT_THAT(told_, IsEmpty()) << "it does not answer";
  EXPECT_THAT(unanswered_, SizeIs(2)) << "and is not asked again meanwhile";
}

TEST_F(HangWatchTest, WhoSaysNothingOfHeartbeatsIsNotWatched) {
  run({});
  silent_ = true;
  pass(300);
  EXPECT_THAT(told_, IsEmpty());
  EXPECT_THAT(unanswered_, IsEmpty());
}

TEST_F(HangWatchTest, ANewServerTakesUpWithWhatRuns) {
  submit();
  HangWatch next{node_.core, node_.telemetry, ports()};
  for (int i = 0; i < 100; ++i) {
    clock_ = clock_ + seconds(1);
    next.look();
  }
  EXPECT_THAT(told_, SizeIs(1));
}

TEST_F(HangWatchTest, ALogWithoutRoomSaysNothingOfItsTask) {
  submit("step ");
  pass(50);
  full_ = true;
  pass(600);
  EXPECT_THAT(told_, IsEmpty());
  full_ = false;  // from then on it counts
  pass(50);
  EXPECT_THAT(told_, IsEmpty());
  pass(40);
  EXPECT_THAT(told_, SizeIs(1));
}

}  // namespace
}  // namespace gyre::server
