#include "adapter/nvml/mig_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "adapter/nvml/test_kit.h"

namespace gyre::nvml {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;

const std::string kInMigMode = "set 0 mig 1\n";

/// Notes what it is told, and ends tasks when the test says so.
class Inner final : public act::Executor {
 public:
  void listen(act::TaskListener& listener) override { listener_ = &listener; }
  void start(const act::TaskStart& task) override {
    const std::lock_guard lock(mutex_);
    starts_.push_back(task);
  }
  void adopt(const act::TaskKey&) override {}
  void stop(const act::TaskKey& key, const act::StopOptions&) override {
    const std::lock_guard lock(mutex_);
    stops_.push_back({key, starts_.size()});
  }
  void freeze(const act::TaskKey&, bool) override {}
  void release(const act::TaskKey&) override {}
  std::vector<act::FoundTask> found() const override { return left; }
  void discard(const act::TaskKey&) override {}

  void end(const act::TaskKey& key) { listener_->ended(key, {}); }
  std::vector<act::TaskStart> starts() {
    const std::lock_guard lock(mutex_);
    return starts_;
  }
  std::vector<std::pair<act::TaskKey, std::size_t>> stops() {
    const std::lock_guard lock(mutex_);
    return stops_;
  }
  std::vector<act::FoundTask> left;

 private:
  act::TaskListener* listener_ = nullptr;
  std::mutex mutex_;
  std::vector<act::TaskStart> starts_;
  std::vector<std::pair<act::TaskKey, std::size_t>> stops_;  // with how many had started
};

class Ends final : public act::TaskListener {
 public:
  void started(const act::TaskKey&, const StartStages&) override {}
  void ended(const act::TaskKey& key, const TaskExit& exit) override {
    const std::lock_guard lock(mutex_);
    all_.push_back({key, exit});
  }
  std::vector<std::pair<act::TaskKey, TaskExit>> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<act::TaskKey, TaskExit>> all_;
};

class MigTasks : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gyre-mig-XXXXXX";
    folder_ = mkdtemp(name);
    open();
  }
  void TearDown() override {
    machine_.become(kInMigMode);
    executor_.reset();
    std::filesystem::remove_all(folder_);
  }
  void open() {
    MigOptions options;
    options.gpu_model = "H100";
    options.gpu_memory = MemoryMib{81'920};
    options.folder = folder_;
    options.library = stand_in();
    options.again = milliseconds(5);
    options.close_max = milliseconds(50);
    executor_ = std::make_unique<MigExecutor>(std::move(options), inner_);
    executor_->listen(ends_);
  }
  static act::TaskStart task(std::uint64_t job, std::int32_t milli) {
    act::TaskStart start;
    start.key = {JobId{job}, 1, 0};
    start.gpu_devices = {"GPU-a"};
    start.gpu_sharing = Sharing::Mig;
    start.gpu_milli = GpuMilli{milli};
    return start;
  }
  /// Only a failure takes as long as it may.
  template <class Condition>
  static void until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  MadeUpMachine machine_{kInMigMode};
  std::string folder_;
  Inner inner_;
  Ends ends_;
  std::unique_ptr<MigExecutor> executor_;
};

TEST_F(MigTasks, ATaskStartsWithItsInstanceAndLeavesNone) {
  executor_->start(task(1, 430));
  until([&] { return inner_.starts().size() == 1; });
  EXPECT_THAT(inner_.starts()[0].env, Contains(Pair("CUDA_VISIBLE_DEVICES", StartsWith("MIG-"))));
  inner_.end({JobId{1}, 1, 0});
  until([&] { return machine_.parts().empty(); });
  EXPECT_THAT(ends_.all(), SizeIs(1));
}

TEST_F(MigTasks, ItsSuccessorFindsItsRoom) {
  for (std::uint64_t job = 1; job <= 8; ++job) {
    executor_->start(task(job, 1000));
    until([&] { return inner_.starts().size() == job; });
    inner_.end({JobId{job}, 1, 0});
  }
  for (const auto& [key, exit] : ends_.all()) EXPECT_EQ(exit.kind, TaskExit::Kind::Exited);
}

TEST_F(MigTasks, WhatHasNoRoomIsRefusedWithTheReason) {
  machine_.set_parts("gi 0 1 19 1\ngi 0 2 19 5\n");
  executor_->start(task(1, 430));
  until([&] { return ends_.all().size() == 1; });
  EXPECT_EQ(ends_.all()[0].second.kind, TaskExit::Kind::StartFailed);
  EXPECT_THAT(ends_.all()[0].second.message, HasSubstr("no room for a MIG instance 3g.40gb"));
  EXPECT_THAT(machine_.parts(), SizeIs(2));
  EXPECT_THAT(inner_.starts(), IsEmpty());
}

TEST_F(MigTasks, ARepeatedStartMakesNoSecondInstance) {
  executor_->start(task(1, 142));
  executor_->start(task(1, 142));
  until([&] { return inner_.starts().size() == 1; });
  executor_->start(task(1, 142));
  until([&] { return inner_.starts().size() == 2; });  // it reports its state
  EXPECT_THAT(machine_.parts(), SizeIs(2));
}

TEST_F(MigTasks, OtherTasksPassAtOnceWhileTheDriverHangs) {
  machine_.become(kInMigMode + "hang 0\n");
  executor_->start(task(1, 430));
  act::TaskStart plain;
  plain.key = {JobId{2}, 1, 0};
  executor_->start(plain);
  ASSERT_THAT(inner_.starts(), SizeIs(1));
  EXPECT_EQ(inner_.starts()[0].key.job, JobId{2});
}

TEST_F(MigTasks, AStopGoesBehindItsStart) {
  machine_.become(kInMigMode + "hang 0\n");
  executor_->start(task(1, 430));
  executor_->stop({JobId{1}, 1, 0}, {0, seconds(1)});
  EXPECT_THAT(inner_.stops(), IsEmpty());
  machine_.become(kInMigMode);
  until([&] { return inner_.stops().size() == 1; });
  EXPECT_EQ(inner_.stops()[0].second, 1U);
}

TEST_F(MigTasks, ADriverThatHangsDoesNotHoldTheEnd) {
  machine_.become(kInMigMode + "hang 0\n");
  executor_->start(task(1, 430));
  executor_->close();
  machine_.become(kInMigMode);
  EXPECT_THAT(inner_.starts(), IsEmpty()) << "nothing is told once it is closed";
}

TEST_F(MigTasks, ALaterLifeKeepsThoseThatRunAndDestroysTheOthers) {
  executor_->start(task(1, 430));
  executor_->start(task(2, 430));
  until([&] { return inner_.starts().size() == 2; });
  executor_.reset();
  EXPECT_THAT(machine_.parts(), SizeIs(4)) << "tasks go on";
  inner_.left = {{{JobId{1}, 1, 0}, false}, {{JobId{2}, 1, 0}, true}};
  open();
  until([&] { return machine_.parts().size() == 2; });
  executor_->start(task(1, 430));
  until([&] { return inner_.starts().size() == 3; });
  EXPECT_THAT(machine_.parts(), SizeIs(2)) << "its own is still there";
  inner_.end({JobId{1}, 1, 0});
  until([&] { return machine_.parts().empty(); });
}

TEST_F(MigTasks, WhatIsInUseIsTriedAgain) {
  executor_->start(task(1, 430));
  until([&] { return inner_.starts().size() == 1; });
  machine_.become(kInMigMode + "mig_fails end_gpu 19\n");
  inner_.end({JobId{1}, 1, 0});
  until([&] { return machine_.parts().size() == 1; });  // no longer computes
  machine_.become(kInMigMode);
  until([&] { return machine_.parts().empty(); });
}

}  // namespace
}  // namespace gyre::nvml
