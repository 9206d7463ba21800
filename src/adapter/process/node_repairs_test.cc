#include "adapter/process/node_repairs.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Time now() {
  return Time{std::chrono::duration_cast<std::chrono::nanoseconds>(
                  std::chrono::system_clock::now().time_since_epoch())
                  .count()};
}

struct NodeRepairsTest : ::testing::Test {
  NodeRepairsTest() {
    path = std::filesystem::temp_directory_path() /
           ("gyre-repairs-" + std::to_string(::getpid()) + "-" +
            ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(path);
  }
  ~NodeRepairsTest() override { std::filesystem::remove_all(path); }

  void open(std::map<Repair, std::string> commands) {
    repairs.reset();
    heard.clear();
    auto opened = NodeRepairs::open(
        {path, std::move(commands), [this](bool on) { looks += on ? '+' : '-'; }, 2});
    ASSERT_TRUE(opened) << opened.error().message;
    repairs = std::move(*opened);
    repairs->listen([this](act::RepairOver over) {
      const std::lock_guard guard(mutex);
      heard.push_back(std::move(over));
      changed.notify_all();
    });
  }
  act::RepairOver wait(std::size_t count = 1) {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, std::chrono::seconds(60), [&] { return heard.size() >= count; });
    return heard.size() >= count ? heard[count - 1] : act::RepairOver{};
  }
  act::RepairOrder order(Repair repair, std::uint64_t id = 1) const {
    return {CommandId{id}, asked_at, repair, "GPU-a", seconds(3600)};
  }
  std::size_t lines(const std::string& name) const {
    std::ifstream file(path + "/" + name);
    return static_cast<std::size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
  }

  std::string path;
  Time asked_at = now();
  std::string looks;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<act::RepairOver> heard;
  std::unique_ptr<NodeRepairs> repairs;
};

TEST_F(NodeRepairsTest, TheNodesOwnCommandIsRunOnceAndItsLastLineKept) {
  open({{Repair::Reset,
         "echo more >> " + path + "/ran; echo one; echo $GYRE_REPAIR of $GYRE_GPU of $GYRE_GPUS"}});
  repairs->carry_out(order(Repair::Reset), "");
  const auto over = wait();
  EXPECT_TRUE(over.good);
  EXPECT_EQ(over.detail, "reset of GPU-a of 2");
  EXPECT_EQ(looks, "-+") << "nobody looks at the GPUs meanwhile";
  repairs->carry_out(order(Repair::Reset), "");
  EXPECT_EQ(wait(2), over) << "asked again it says the same";
  open({{Repair::Reset, "false"}});
  repairs->carry_out(order(Repair::Reset), "task 1.1.0 still runs");
  EXPECT_EQ(wait(), over) << "also in its next life";
  EXPECT_EQ(lines("ran"), 1U);
}

TEST_F(NodeRepairsTest, TheAgentsEnvironmentChangesNothingAndItsJoinTokenStaysHere) {
  ::setenv("GYRE_GPU", "GPU-b", 1);
  ::setenv("GYRE_JOIN_TOKEN", "secret", 1);
  open({{Repair::Reset, "echo $GYRE_GPU ${GYRE_JOIN_TOKEN:-none}"}});
  repairs->carry_out(order(Repair::Reset), "");
  EXPECT_EQ(wait().detail, "GPU-a none");
  ::unsetenv("GYRE_GPU");
  ::unsetenv("GYRE_JOIN_TOKEN");
}

TEST_F(NodeRepairsTest, WhatNobodyHearsAnyMoreGoesOn) {
  const std::string gate = path + "/gate";
  const std::string end = path + "/end";
  ASSERT_EQ(::mkfifo(gate.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(end.c_str(), 0600), 0);
  const Fd told(::open(end.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  open({{Repair::Reset, "read go < " + gate + "; echo said; echo more > " + end}});
  repairs->carry_out(order(Repair::Reset), "");
  repairs.reset();
  std::ofstream(gate) << "go\n";
  pollfd wait{told.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&wait, 1, 60'000), 1);
  EXPECT_NE(wait.revents & POLLIN, 0);
}

TEST_F(NodeRepairsTest, AFailureIsToldWithItsCode) {
  open({{Repair::Reset, "echo 'in use by another client' >&2; exit 3"}});
  repairs->carry_out(order(Repair::Reset), "");
  EXPECT_FALSE(wait().good);
  EXPECT_EQ(wait().detail, "exit code 3: in use by another client");
}

TEST_F(NodeRepairsTest, WhatMustNotBeginDoesNot) {
  open({{Repair::Reset, "echo more >> " + path + "/ran"}});
  repairs->carry_out(order(Repair::Reset), "task 4.1.0 still runs on the node");
  EXPECT_FALSE(wait().good);
  EXPECT_EQ(wait().detail, "left alone: task 4.1.0 still runs on the node");
  repairs->carry_out(order(Repair::Reset), "");
  EXPECT_FALSE(wait(2).good) << "the server has heard that it was not";
  EXPECT_EQ(lines("ran"), 0U);
}

TEST_F(NodeRepairsTest, WithoutACommandItIsSaid) {
  open({});
  repairs->carry_out(order(Repair::Reboot), "");
  EXPECT_FALSE(wait().good);
  EXPECT_THAT(wait().detail, HasSubstr("--repair reboot=COMMAND"));
}

TEST_F(NodeRepairsTest, OneThatDoesNotEndIsEnded) {
  open({{Repair::BurnIn, "sleep 1000"}});
  act::RepairOrder short_one = order(Repair::BurnIn);
  short_one.limit = milliseconds(200);
  repairs->carry_out(short_one, "");
  EXPECT_FALSE(wait().good);
  EXPECT_THAT(wait().detail, HasSubstr("did not end in time"));
  EXPECT_FALSE(repairs->busy());
}

TEST_F(NodeRepairsTest, OneAtATime) {
  open({{Repair::BurnIn, "sleep 1000"}});
  repairs->carry_out(order(Repair::BurnIn), "");
  EXPECT_TRUE(repairs->busy());
  repairs->carry_out(order(Repair::Reset, 2), "");
  EXPECT_THAT(wait().detail, StartsWith("another repair is underway"));
}

TEST_F(NodeRepairsTest, WhatRanWhenTheAgentEndedIsNotGood) {
  open({{Repair::BurnIn, "sleep 1000"}});
  repairs->carry_out(order(Repair::BurnIn), "");
  open({{Repair::BurnIn, "true"}});
  repairs->carry_out(order(Repair::BurnIn), "");
  EXPECT_FALSE(wait().good);
  EXPECT_THAT(wait().detail, HasSubstr("nobody knows"));
}

TEST_F(NodeRepairsTest, ARebootIsGoodWhenTheMachineWasStartedAnew) {
  open({{Repair::Reboot, "true"}});
  repairs->carry_out(order(Repair::Reboot), "");
  repairs.reset();  // the machine goes down
  std::ifstream file(path + "/repair");
  std::string record(std::istreambuf_iterator<char>(file), {});
  file.close();
  open({{Repair::Reboot, "true"}});
  repairs->carry_out(order(Repair::Reboot), "");
  EXPECT_FALSE(wait().good) << "only the agent was started anew";

  const auto boot = record.find("boot");
  ASSERT_NE(boot, std::string::npos);
  record[boot + 6] = record[boot + 6] == 'x' ? 'y' : 'x';
  std::ofstream(path + "/repair", std::ios::trunc) << record;
  open({{Repair::Reboot, "true"}});
  repairs->carry_out(order(Repair::Reboot), "");
  EXPECT_TRUE(wait().good) << wait().detail;
}

TEST_F(NodeRepairsTest, AMachineThatCameLaterIsNotStartedAnewAgain) {
  open({{Repair::Replace, "echo more >> " + path + "/ran"}});
  act::RepairOrder before_boot = order(Repair::Replace);
  before_boot.asked_at = Time{} + seconds(1);
  repairs->carry_out(before_boot, "");
  EXPECT_TRUE(wait().good);
  EXPECT_EQ(lines("ran"), 0U);
}

TEST_F(NodeRepairsTest, ADamagedRecordIsSaid) {
  std::ofstream(path + "/repair") << "not a record";
  const auto opened = NodeRepairs::open({path, {}, {}});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message, HasSubstr("damaged"));
}

}  // namespace
}  // namespace gyre::process
