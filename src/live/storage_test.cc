#include "live/storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/inbox.h"
#include "live/test_kit.h"

namespace gyre::live {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kMib = 1ULL << 20U;

struct StorageTest : testing::Test {
  DiskRoom room{1000 * kMib, 2000 * kMib};
  ClockReading clock{Time{0}, Duration{0}};
  Storage storage{
      {.look = [this] { return std::optional(room); }, .clock = [this] { return clock; }}};

  void pass(Duration time) {
    clock.real = clock.real + time;
    clock.monotonic = clock.monotonic + time;
  }
};

TEST_F(StorageTest, TakesNoJobsWhileLittleRoomIsLeftAndSaysSoAfterwards) {
  EXPECT_TRUE(storage.takes_jobs());
  EXPECT_FALSE(storage.healed());
  room.free_bytes = 63 * kMib;
  pass(seconds(1));
  const auto refused = storage.takes_jobs();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::NoRoom);
  EXPECT_THAT(refused.error().message, HasSubstr("63 MiB"));
  EXPECT_EQ(storage.read().state, Storage::State::Low);
  EXPECT_TRUE(storage.is_short());
  EXPECT_FALSE(storage.healed());
  room.free_bytes = 128 * kMib;
  pass(seconds(2));
  EXPECT_TRUE(storage.takes_jobs());
  const auto healed = storage.healed();
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->symptom, Symptom::StorageFull);
  EXPECT_THAT(healed->evidence, HasSubstr("2.0s, and 1 new jobs were refused"));
  EXPECT_FALSE(storage.healed());
  EXPECT_EQ(storage.read().state, Storage::State::Ok);
}

TEST_F(StorageTest, ADiskThatHoversAtTheLimitIsOneShortage) {
  for (int i = 0; i < 10; ++i) {
    room.free_bytes = 63 * kMib;
    pass(seconds(1));
    EXPECT_FALSE(storage.takes_jobs());
    room.free_bytes = 127 * kMib;
    pass(seconds(1));
    EXPECT_TRUE(storage.takes_jobs());
    EXPECT_FALSE(storage.healed());
  }
  EXPECT_EQ(storage.read().state, Storage::State::Ok);
  room.free_bytes = 128 * kMib;
  pass(seconds(1));
  const auto healed = storage.healed();
  ASSERT_TRUE(healed);
  EXPECT_THAT(healed->evidence, HasSubstr("20.0s, and 10 new jobs were refused"));
  EXPECT_FALSE(storage.healed());
}

TEST_F(StorageTest, OfASmallDiskATwentiethIsKept) {
  room = {4 * kMib, 100 * kMib};
  EXPECT_FALSE(storage.takes_jobs());
  room.free_bytes = 6 * kMib;
  pass(seconds(1));
  EXPECT_TRUE(storage.takes_jobs());
}

TEST_F(StorageTest, IsFullWhileCommitsFindNoRoom) {
  EXPECT_TRUE(storage.fails({ErrorKind::NoRoom, "the disk is full"}));
  EXPECT_FALSE(storage.fails({ErrorKind::NoRoom, "the disk is full"}));
  EXPECT_EQ(storage.read().state, Storage::State::Full);
  EXPECT_THAT(storage.refusal().message, HasSubstr("the disk is full"));
  EXPECT_FALSE(storage.healed());
  EXPECT_TRUE(storage.works());
  EXPECT_FALSE(storage.works());
  EXPECT_TRUE(storage.healed());
}

TEST_F(StorageTest, ADatabaseThatIsAwayIsToldApartFromAFullDisk) {
  EXPECT_TRUE(storage.fails({ErrorKind::Unavailable, "it does not answer"}));
  EXPECT_FALSE(storage.fails({ErrorKind::Unavailable, "it does not answer"}));
  EXPECT_EQ(storage.read().state, Storage::State::Away);
  EXPECT_EQ(storage.refusal().kind, ErrorKind::Unavailable);
  EXPECT_THAT(storage.refusal().message, HasSubstr("it does not answer"));
  EXPECT_TRUE(storage.is_short());
  pass(seconds(7));
  EXPECT_FALSE(storage.healed());
  EXPECT_TRUE(storage.works());
  const auto healed = storage.healed();
  ASSERT_TRUE(healed);
  EXPECT_EQ(healed->symptom, Symptom::StoreAway);
  EXPECT_THAT(healed->evidence, HasSubstr("7.0s"));
  EXPECT_FALSE(storage.healed());
  EXPECT_FALSE(storage.is_short());
}

TEST_F(StorageTest, IsAwayWhereTheStoreSaysSoBeforeACommitHasFailed) {
  std::optional<std::string> why = "the lease is over";
  Storage asked({.look = {}, .away = [&why] { return why; }});
  EXPECT_EQ(asked.read().state, Storage::State::Away);
  EXPECT_EQ(asked.read().detail, "the lease is over");
  why.reset();
  EXPECT_EQ(asked.read().state, Storage::State::Ok);
}

TEST_F(StorageTest, IsSlowDuringALongCommitAndForAWhileAfterIt) {
  storage.commit_begins();
  EXPECT_EQ(storage.read().state, Storage::State::Ok);
  pass(seconds(2));
  EXPECT_EQ(storage.read().state, Storage::State::Slow);
  EXPECT_THAT(storage.read().detail, HasSubstr("has been under way for 2.0s"));
  storage.commit_ends();
  EXPECT_EQ(storage.read().state, Storage::State::Slow);
  pass(seconds(11));
  EXPECT_EQ(storage.read().state, Storage::State::Ok);
}

TEST(Inbox, WhileItIsClosedWhoeverWaitsIsToldWhyAndTheRestStays) {
  Inbox inbox;
  std::vector<std::string> told;
  const auto tell = [&told](const auto& done) {
    told.push_back(done ? "done" : done.error().message);
  };
  inbox.submit(test::gpu_job("a"), "", tell);
  inbox.post(Tick{}, nullptr);
  inbox.post(Tick{}, tell);
  inbox.close({ErrorKind::NoRoom, "full"});
  EXPECT_EQ(told, (std::vector<std::string>{"full", "full"}));
  inbox.submit(test::gpu_job("b"), "", tell);
  EXPECT_EQ(told.size(), 3U);
  EXPECT_EQ(inbox.ask([](const auto&) {}).error().kind, ErrorKind::NoRoom);
  inbox.post(Tick{}, nullptr);
  inbox.reopen();
  inbox.submit(test::gpu_job("c"), "", tell);
  EXPECT_EQ(told.size(), 3U);
  int left = 0;
  while (inbox.take()) ++left;
  EXPECT_EQ(left, 3);
}

}  // namespace
}  // namespace gyre::live
