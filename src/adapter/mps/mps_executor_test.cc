#include "adapter/mps/mps_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace gyre::mps {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

/// What has come so far, and a way to wait for more.
template <class T>
class Arrivals {
 public:
  void add(T one) {
    const std::lock_guard lock(mutex_);
    all_.push_back(std::move(one));
    came_.notify_all();
  }
  std::vector<T> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(
        came_.wait_for(lock, std::chrono::seconds(60), [&] { return all_.size() >= count; }));
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<T> all_;
};

/// An executor that is told to run tasks and ends them when the test says so.
class Recorder final : public act::Executor {
 public:
  void listen(act::TaskListener& listener) override { listener_ = &listener; }
  void start(const act::TaskStart& task) override { starts.add(task); }
  void adopt(const act::TaskKey&) override {}
  void stop(const act::TaskKey& key, const act::StopOptions&) override { stops.add(key); }
  void freeze(const act::TaskKey&, bool) override {}
  void release(const act::TaskKey&) override {}
  std::vector<act::FoundTask> found() const override { return left; }
  void discard(const act::TaskKey&) override {}

  void end(const act::TaskKey& key) { listener_->ended(key, {}); }

  Arrivals<act::TaskStart> starts;
  Arrivals<act::TaskKey> stops;
  std::vector<act::FoundTask> left;

 private:
  act::TaskListener* listener_ = nullptr;
};

class Listener final : public act::TaskListener {
 public:
  void started(const act::TaskKey&, const StartStages&) override {}
  void ended(const act::TaskKey& key, const TaskExit& exit) override { ends.add({key, exit}); }
  Arrivals<std::pair<act::TaskKey, TaskExit>> ends;
};

class Mps : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gyre-mps-XXXXXX";
    folder_ = mkdtemp(name);
    unsetenv("GYRE_MPS_FAILS");
    open();
  }
  void TearDown() override {
    for (const act::TaskStart& task : running_) inner_->end(task.key);
    until([&] { return std::filesystem::is_empty(folder_); });
    executor_.reset();
    std::filesystem::remove_all(folder_);
  }

  void open() {
    inner_ = std::make_unique<Recorder>();
    for (const act::TaskStart& task : running_) inner_->left.push_back({task.key, false});
    executor_ = std::make_unique<MpsExecutor>(
        MpsOptions{std::filesystem::absolute(GYRE_SOURCE_DIR "/tests/live/nvidia-cuda-mps-control"),
                   folder_, [this](const std::string& line) { notices_.add(line); }},
        *inner_);
    executor_->listen(listener_);
  }

  act::TaskStart task(std::uint64_t job, std::int32_t milli, const std::string& device) {
    act::TaskStart start;
    start.key = {JobId{job}, 1, 0};
    start.command = {"true"};
    start.gpu_devices = {device};
    start.gpu_sharing = Sharing::Mps;
    start.gpu_milli = GpuMilli{milli};
    start.gpu_memory = MemoryMib{81'920 * milli / 1000};
    return start;
  }
  void run(const act::TaskStart& start) {
    executor_->start(start);
    running_.push_back(start);
  }
  void end(std::size_t index) {
    inner_->end(running_[index].key);
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  std::string told(const std::string& name) const {
    std::ifstream file(folder_ + "/" + name + "/told");
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  /// For what leaves no other trace than files; only a failure takes as long as it may.
  template <class Condition>
  static void until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      std::this_thread::yield();
    }
  }

  std::string folder_;
  std::unique_ptr<Recorder> inner_;
  Listener listener_;
  Arrivals<std::string> notices_;
  std::unique_ptr<MpsExecutor> executor_;
  std::vector<act::TaskStart> running_;
};

TEST_F(Mps, ATaskIsHeldToItsShareByADaemonOfItsDevice) {
  run(task(1, 500, "GPU-0000-aa01"));
  const auto start = inner_->starts.wait_for(1)[0];
  EXPECT_THAT(start.env, Contains(Pair("CUDA_MPS_PIPE_DIRECTORY", folder_ + "/aa01")));
  EXPECT_THAT(start.env, Contains(Pair("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "50")));
  EXPECT_THAT(start.env, Contains(Pair("CUDA_MPS_PINNED_DEVICE_MEM_LIMIT", "0=40960M")));
  EXPECT_EQ(told("aa01"), "start device=GPU-0000-aa01\n");
  EXPECT_TRUE(find_daemon(folder_ + "/aa01"));
}

TEST_F(Mps, TasksOfOneDeviceShareItsDaemonAndTheLastEndsIt) {
  run(task(1, 500, "GPU-0000-aa01"));
  run(task(2, 255, "GPU-0000-aa01"));
  run(task(3, 500, "GPU-0000-aa02"));
  const auto starts = inner_->starts.wait_for(3);
  EXPECT_THAT(starts[1].env, Contains(Pair("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", "25.5")));
  EXPECT_EQ(told("aa01"), "start device=GPU-0000-aa01\n") << "started once";
  end(2);
  until([&] { return !std::filesystem::exists(folder_ + "/aa02"); });
  end(1);
  end(0);
  until([&] { return !std::filesystem::exists(folder_ + "/aa01"); });
}

TEST_F(Mps, OtherTasksPassThrough) {
  auto plain = task(1, 1000, "GPU-0000-aa01");
  plain.gpu_sharing = Sharing::Exclusive;
  executor_->start(plain);
  EXPECT_EQ(inner_->starts.wait_for(1)[0], plain);
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

TEST_F(Mps, AContainerSeesTheDaemon) {
  auto start = task(1, 500, "GPU-0000-aa01");
  start.container.image = "/images/train";
  run(start);
  const auto volumes = inner_->starts.wait_for(1)[0].container.volumes;
  ASSERT_EQ(volumes.size(), 1U);
  EXPECT_EQ(volumes[0].source, folder_ + "/aa01");
  EXPECT_EQ(volumes[0].target, folder_ + "/aa01");
}

TEST_F(Mps, AStopComesBehindTheStartThatItIsFor) {
  run(task(1, 500, "GPU-0000-aa01"));
  executor_->stop(running_[0].key, {});
  EXPECT_EQ(inner_->stops.wait_for(1)[0], running_[0].key);
  EXPECT_EQ(inner_->starts.wait_for(1).size(), 1U);
}

TEST_F(Mps, ADaemonThatCannotStartRefusesTheTask) {
  setenv("GYRE_MPS_FAILS", "An instance of this daemon is already running", 1);
  executor_->start(task(1, 500, "GPU-0000-aa01"));
  const auto [key, exit] = listener_.ends.wait_for(1)[0];
  unsetenv("GYRE_MPS_FAILS");
  EXPECT_EQ(exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_THAT(exit.message, HasSubstr("already running"));
  std::filesystem::remove_all(folder_ + "/aa01");
}

TEST_F(Mps, TheDeathOfADaemonIsSaidAndTheNextTaskGetsANewOne) {
  run(task(1, 500, "GPU-0000-aa01"));
  inner_->starts.wait_for(1);
  const pid_t first = find_daemon(folder_ + "/aa01")->pid;
  kill(first, SIGKILL);
  EXPECT_THAT(notices_.wait_for(1)[0],
              HasSubstr("the MPS daemon of GPU aa01 (process " + std::to_string(first)));
  run(task(2, 500, "GPU-0000-aa01"));
  inner_->starts.wait_for(2);
  EXPECT_NE(find_daemon(folder_ + "/aa01")->pid, first);
}

TEST_F(Mps, ALaterLifeTakesUpTheDaemonAndEndsItWithTheLastTask) {
  run(task(1, 500, "GPU-0000-aa01"));
  inner_->starts.wait_for(1);
  const pid_t first = find_daemon(folder_ + "/aa01")->pid;
  executor_.reset();
  EXPECT_EQ(kill(first, 0), 0) << "like the task, it goes on";
  open();
  EXPECT_EQ(find_daemon(folder_ + "/aa01")->pid, first);
  end(0);
  until([&] { return !std::filesystem::exists(folder_ + "/aa01"); });
}

TEST_F(Mps, ALaterLifeEndsDaemonsThatNobodyNeeds) {
  run(task(1, 500, "GPU-0000-aa01"));
  inner_->starts.wait_for(1);
  executor_.reset();
  running_.clear();  // the task is gone, and nobody was there to hear it
  open();
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
}

}  // namespace
}  // namespace gyre::mps
