#include "server/chaos/fault_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "live/files.h"

namespace gyre::server {
namespace {

using ::testing::HasSubstr;

constexpr Time kNow{seconds(1'780'000'000).ns};

class FaultLogTest : public ::testing::Test {
 protected:
  FaultLogTest()
      : folder_(std::filesystem::temp_directory_path() /
                ("gyre-fault-log-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~FaultLogTest() override { std::filesystem::remove_all(folder_); }
  std::string path() const { return (folder_ / "chaos.json").string(); }

  static FaultRecord cut(const std::string& node) {
    FaultRecord fault;
    fault.kind = ChaosFault::Kind::CutNode;
    fault.way = ChaosFault::Way::ToServer;
    fault.node = node;
    fault.task = act::TaskKey{JobId{12}, 3, 1};
    fault.lasts = seconds(7);
    fault.at = kNow;
    fault.by = "somebody \"else\"";
    return fault;
  }

  const std::filesystem::path folder_;
};

TEST_F(FaultLogTest, WhatCannotBeSharedMustNotHappen) {
  std::string shared;
  bool leads = true;
  const auto share = [&](const std::string& content) -> Result<void> {
    if (!leads) return fail(ErrorKind::Conflict, "another server leads");
    shared = content;
    return {};
  };
  FaultLog log(path(), share);
  ASSERT_TRUE(log.add(cut("one")));
  EXPECT_EQ(shared, *live::read_private_file(path()));
  leads = false;
  EXPECT_EQ(log.add(cut("two")).error().message, "another server leads");
  EXPECT_EQ(log.faults().size(), 1U);
  EXPECT_EQ(shared, *live::read_private_file(path())) << "nor is it kept here";
}

TEST_F(FaultLogTest, WhatIsKeptIsThereInTheNextLife) {
  FaultRecord first;
  {
    FaultLog log(path());
    EXPECT_TRUE(log.on());
    first = *log.add(cut("one"));
    EXPECT_EQ(first.id, 1U);
    first.state = FaultRecord::State::Recovered;
    first.ended_at = kNow + seconds(7);
    first.recovered_at = kNow + seconds(8);
    log.update(first);
    ASSERT_TRUE(log.add(cut("two")));
    ASSERT_TRUE(log.turn(false, "root", kNow));
  }
  FaultLog again(path());
  EXPECT_EQ(again.trouble(), "");
  EXPECT_FALSE(again.on());
  EXPECT_EQ(again.turned_by(), "root");
  EXPECT_EQ(again.turned_at(), kNow);
  ASSERT_EQ(again.faults().size(), 2U);
  EXPECT_EQ(again.faults().front(), first);
  EXPECT_EQ(again.counts().at("cut-node"), 2U);
  EXPECT_EQ(again.add(cut("three"))->id, 3U);
}

TEST_F(FaultLogTest, ADamagedRecordAllowsNothing) {
  ASSERT_TRUE(live::write_private_file(path(), R"({"on": true, "turned_by": 1})"));
  FaultLog log(path());
  EXPECT_FALSE(log.on());
  EXPECT_THAT(log.trouble(), HasSubstr("is damaged"));
  EXPECT_TRUE(std::filesystem::exists(path() + ".damaged"));
  EXPECT_FALSE(FaultLog(path()).on()) << "until a person turns it on";
  ASSERT_TRUE(log.turn(true, "root", kNow));
  EXPECT_TRUE(FaultLog(path()).on());
}

TEST_F(FaultLogTest, WhatCannotBeRecordedMustNotHappenAndOffCountsAllTheSame) {
  FaultLog log((folder_ / "missing" / "chaos.json").string());
  EXPECT_FALSE(log.add(cut("one")));
  EXPECT_TRUE(log.faults().empty());
  EXPECT_FALSE(log.turn(false, "root", kNow));
  EXPECT_FALSE(log.on());
  EXPECT_FALSE(log.turn(true, "root", kNow));
  EXPECT_FALSE(log.on());
}

}  // namespace
}  // namespace gyre::server
