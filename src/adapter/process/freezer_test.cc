#include "adapter/process/freezer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

using test::NamedPipe;
using test::shell_task;

const act::TaskKey kTask{JobId{1}, 1, 0};

class FreezerTest : public testing::Test {
 protected:
  FreezerTest() { open(); }

  void open() {
    auto executor =
        ProcessExecutor::open({.folder = folder_ / "tasks", .supervisor = {}, .retention = {}});
    GYRE_ASSERT(executor);
    executor_ = std::move(*executor);
    executor_->listen(*recorder_);
  }

  test::TemporaryFolder folder_;
  NamedPipe pipe_{folder_ / "pipe"};
  NamedPipe go_{folder_ / "go"};
  std::unique_ptr<test::Recorder> recorder_ = std::make_unique<test::Recorder>();
  std::unique_ptr<ProcessExecutor> executor_;
};

/// Its state in /proc: 'T' where it is halted.
char state_of(const std::string& pid) {
  const std::string stat = read_control("/proc/" + pid + "/stat");
  const auto at = stat.rfind(") ");
  return at == std::string::npos ? '?' : stat[at + 2];
}

bool becomes(const std::string& pid, bool halted) {
  const auto until = std::chrono::steady_clock::now() + test::kPatience;
  while ((state_of(pid) == 'T') != halted) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

TEST_F(FreezerTest, FreezesAllOfATaskAndLetsItGoOn) {
  executor_->start(shell_task(kTask, "(sleep 1000 & echo $! > " + pipe_.path() + "); echo $$ > " +
                                         pipe_.path() + "; read x < " + go_.path() + "; exit 7"));
  const std::string orphan = pipe_.line();
  const std::string command = pipe_.line();
  ASSERT_TRUE(recorder_->wait_started(kTask));
  executor_->freeze(kTask, true);
  EXPECT_TRUE(becomes(command, true));
  EXPECT_TRUE(becomes(orphan, true)) << "what detached itself is the task's too";
  go_.write("on\n");
  executor_.reset();
  recorder_ = std::make_unique<test::Recorder>();
  open();
  executor_->adopt(kTask);
  EXPECT_EQ(state_of(command), 'T') << "it is not the server that keeps it so";
  executor_->freeze(kTask, false);
  EXPECT_EQ(recorder_->wait_ended(kTask).code, 7);
}

TEST_F(FreezerTest, AFrozenTaskEndsItselfOnSigterm) {
  executor_->start(shell_task(
      kTask, "trap 'exit 5' TERM; echo $$ > " + pipe_.path() + "; read x < " + go_.path()));
  const std::string command = pipe_.line();
  ASSERT_TRUE(recorder_->wait_started(kTask));
  executor_->freeze(kTask, true);
  ASSERT_TRUE(becomes(command, true));
  executor_->stop(kTask, {.checkpoint_signal = 0, .grace = seconds(1000)});
  EXPECT_EQ(recorder_->wait_ended(kTask),
            (TaskExit{TaskExit::Kind::Exited, 5, true, "stopped on request"}));
}

}  // namespace
}  // namespace gyre::process
