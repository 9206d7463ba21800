#include "adapter/process/exec/exec_host.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

using test::shell_task;
using testing::HasSubstr;

const act::TaskKey kTask{JobId{1}, 1, 0};

/// Keeps what is told of one command.
class News {
 public:
  void put(const act::ExecReport& report) {
    const std::lock_guard guard(mutex_);
    if (const auto* one = std::get_if<act::ExecOutput>(&report)) output_ += one->bytes;
    if (std::holds_alternative<act::ExecStarted>(report)) started_ = true;
    if (const auto* took = std::get_if<act::ExecTook>(&report)) taken_ += took->bytes;
    if (const auto* ended = std::get_if<act::ExecEnded>(&report))
      ended_[ended->id] = ended->exit_code;
    changed_.notify_all();
  }
  std::string end_of(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, test::kPatience, [&] { return ended_.contains(id); }))
      return "never";
    const auto& code = ended_.at(id);
    return code ? std::to_string(*code) : code.error().message;
  }
  bool wait_output(std::size_t bytes) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] { return output_.size() >= bytes; });
  }
  bool wait_started() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] { return started_; });
  }
  std::string output() {
    const std::lock_guard guard(mutex_);
    return output_;
  }
  std::uint64_t taken() {
    const std::lock_guard guard(mutex_);
    return taken_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string output_;
  std::uint64_t taken_ = 0;
  bool started_ = false;
  std::map<std::uint64_t, Result<std::int32_t>> ended_;
};

class ExecHostTest : public testing::Test {
 protected:
  void SetUp() override {
    auto executor =
        ProcessExecutor::open({.folder = folder_ / "tasks", .supervisor = {}, .retention = {}});
    ASSERT_TRUE(executor) << executor.error().message;
    executor_ = std::move(*executor);
    executor_->listen(recorder_);
    host_.listen([this](const act::ExecReport& report) { news_.put(report); });
  }
  void TearDown() override {
    executor_->stop(kTask, {});
    recorder_.wait_ended(kTask);
  }

  void run_task() {
    executor_->start(shell_task(kTask, "while true; do sleep 0.1; done"));
    ASSERT_TRUE(recorder_.wait_started(kTask));
  }
  void exec(std::uint64_t id, std::vector<std::string> command, bool terminal = false) {
    host_.obey(act::ExecStart{id, kTask, std::move(command), terminal, {90, 20}, "dumb"});
  }

  test::TemporaryFolder folder_;
  test::Recorder recorder_;
  News news_;
  std::unique_ptr<ProcessExecutor> executor_;
  ExecHost host_{folder_ / "tasks", {.per_task = 2, .in_all = 2}};
};

TEST_F(ExecHostTest, ACommandsOutputAndCodeAreTold) {
  run_task();
  exec(1, {"sh", "-c", "echo $GYRE_TASK; exit 4"});
  EXPECT_EQ(news_.end_of(1), "4");
  EXPECT_THAT(news_.output(), HasSubstr("/1.1.0\n"));
}

TEST_F(ExecHostTest, OutputStopsWhereNoMoreIsWanted) {
  run_task();
  exec(1, {"head", "-c", "400000", "/dev/zero"});
  ASSERT_TRUE(news_.wait_output(act::kExecWindow));
  exec(2, {"true"});
  EXPECT_EQ(news_.end_of(2), "0");  // by now more would have come
  EXPECT_EQ(news_.output().size(), act::kExecWindow);
  host_.obey(act::ExecWant{1, 1'000'000});
  EXPECT_EQ(news_.end_of(1), "0");
  EXPECT_EQ(news_.output().size(), 400'000U);
}

TEST_F(ExecHostTest, InputIsTakenAsTheCommandReads) {
  run_task();
  exec(1, {"sh", "-c", "read line; echo \"got $line\"; wc -c"});
  host_.obey(act::ExecInput{1, "first\n" + std::string(100'000, 'x'), false});
  host_.obey(act::ExecInput{1, "", true});
  EXPECT_EQ(news_.end_of(1), "0");
  EXPECT_EQ(news_.taken(), 100'006U);
  EXPECT_THAT(news_.output(), HasSubstr("got first\n"));
}

TEST_F(ExecHostTest, MoreInputThanTheWindowHasEndsTheCommand) {
  run_task();
  exec(1, {"sleep", "1000"});
  host_.obey(act::ExecInput{1, std::string(act::kExecWindow, 'x'), false});
  host_.obey(act::ExecInput{1, std::string(act::kExecWindow, 'x'), false});
  EXPECT_THAT(news_.end_of(1), HasSubstr("more input than was taken"));
}

TEST_F(ExecHostTest, ATerminalHasItsSizeAndName) {
  run_task();
  exec(1, {"sh", "-c", "stty size; echo $TERM; test -t 2"}, true);
  EXPECT_EQ(news_.end_of(1), "0");
  EXPECT_EQ(news_.output(), "20 90\r\ndumb\r\n");
}

TEST_F(ExecHostTest, WhatIsHungUpHasItsSecondWhateverElseEnds) {
  run_task();
  test::NamedPipe pipe(folder_ / "pipe");
  // The orphan, whose end the holder is told of, dies of the signal at once. Nobody reads any more
  // what the shell would say of that, which would end it.
  exec(1, {"sh", "-c",
           "exec 2>/dev/null; trap 'sleep 0.3; echo whole > " + pipe.path() +
               "; exit' HUP; (sleep 1000 &); echo up; while true; do sleep 0.05; done"});
  ASSERT_TRUE(news_.wait_output(3));
  host_.obey(act::ExecHangUp{1});
  EXPECT_EQ(pipe.line(), "whole");
}

TEST_F(ExecHostTest, WhatCannotRunIsRefused) {
  exec(1, {"true"});
  EXPECT_THAT(news_.end_of(1), HasSubstr("is not on this node"));
  run_task();
  exec(2, {"nonesuch"});
  EXPECT_THAT(news_.end_of(2), HasSubstr("no program 'nonesuch'"));
  exec(3, {"/"});
  EXPECT_THAT(news_.end_of(3), HasSubstr("cannot run '/'"));
  exec(4, {});
  EXPECT_THAT(news_.end_of(4), HasSubstr("no command"));
  exec(5, {std::string(act::kExecCommandMax, 'x')});
  EXPECT_THAT(news_.end_of(5), HasSubstr("are the most"));
  exec(6, {std::string("a\0b", 3)});
  EXPECT_THAT(news_.end_of(6), HasSubstr("no NUL"));
  exec(7, {"sleep", "1000"});
  exec(8, {"sleep", "1000"});
  exec(9, {"true"});
  EXPECT_THAT(news_.end_of(9), HasSubstr("2 commands run in this task already"));
  host_.obey(act::ExecHangUp{7});
  exec(10, {"true"});
  EXPECT_EQ(news_.end_of(10), "0");
}

TEST_F(ExecHostTest, AfterTheTasksEndNobodyIsThere) {
  run_task();
  exec(1, {"sleep", "1000"});
  ASSERT_TRUE(news_.wait_started());
  executor_->stop(kTask, {});
  EXPECT_THAT(news_.end_of(1), HasSubstr("the task has ended"));
  recorder_.wait_ended(kTask);
  exec(2, {"true"});
  EXPECT_THAT(news_.end_of(2), HasSubstr("the task does not run"));
}

}  // namespace
}  // namespace gyre::process
