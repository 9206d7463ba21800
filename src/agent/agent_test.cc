#include "agent/agent.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace gyre::agent {
namespace {

act::TaskStart start_of(const act::TaskKey& key) {
  act::TaskStart start;
  start.key = key;
  return start;
}

class Idle : public act::Executor {
 public:
  void listen(act::TaskListener&) override {}
  void start(const act::TaskStart&) override {}
  void adopt(const act::TaskKey&) override {}
  void stop(const act::TaskKey&, const act::StopOptions&) override {}
  void freeze(const act::TaskKey&, bool) override {}
  void release(const act::TaskKey&) override {}
  std::vector<act::FoundTask> found() const override { return {}; }
  void discard(const act::TaskKey&) override {}
};

class NoLogs final : public act::TaskLogs {
 public:
  Result<act::LogChunk> read(const act::LogQuery&) const override { return act::LogChunk{}; }
  std::vector<act::TaskKey> kept() const override { return {}; }
};

struct Heard final : act::ReportSink {
  void say(act::Report report) override {
    if (auto* seen = std::get_if<act::GpusSeen>(&report)) gpus.push_back(std::move(*seen));
  }
  std::vector<act::GpusSeen> gpus;
};

struct GpuAgentTest : ::testing::Test {
  static std::vector<GpuReading> readings() {
    GpuReading gpu;
    gpu.facts.uuid = "GPU-a";
    gpu.fresh = true;
    return {gpu};
  }
  Idle idle;
  NoLogs no_logs;
  Agent agent{idle, no_logs};
  Heard server;
};

TEST_F(GpuAgentTest, AServerThatDoesNotKnowTheWordIsNotToldIt) {
  agent.gpus_seen(readings());
  agent.report_to(&server);
  agent.gpus_seen(readings());
  agent.obey(act::GrantLease{0, seconds(60), act::kProtocolGpus - 1});
  agent.gpus_seen(readings());
  EXPECT_TRUE(server.gpus.empty());
  agent.obey(act::GrantLease{0, seconds(60), act::kProtocolGpus});
  agent.gpus_seen(readings());
  EXPECT_EQ(server.gpus.size(), 1U);
}

TEST_F(GpuAgentTest, FactsAreToldOnceToEachServerAndSamplesOnce) {
  const act::GrantLease grant{0, seconds(60), act::kProtocolGpus};
  agent.report_to(&server);
  agent.obey(grant);
  std::vector<GpuReading> gpus = readings();
  agent.gpus_seen(gpus);
  EXPECT_EQ(server.gpus.back().gpus.at(0).facts->uuid, "GPU-a");
  gpus[0].fresh = false;
  agent.gpus_seen(gpus);
  EXPECT_EQ(server.gpus.back().gpus.at(0), act::GpuNews{});
  gpus[0].facts.driver = "550";
  gpus[0].sample.health = GpuHealth::Lost;
  agent.gpus_seen(gpus);
  EXPECT_EQ(server.gpus.back().gpus.at(0).facts->driver, "550");
  EXPECT_TRUE(server.gpus.back().gpus.at(0).sample) << "a fault is said again";
  Heard another;
  agent.report_to(&another);
  agent.obey(grant);
  agent.gpus_seen(gpus);
  EXPECT_EQ(another.gpus.at(0).gpus.at(0).facts->driver, "550");
}

TEST_F(GpuAgentTest, WhatIsSaidIsBounded) {
  std::vector<GpuReading> gpus(act::kGpusSeenMax + 1, readings().front());
  gpus[0].facts.product = std::string(10'000, 'x');
  gpus[0].facts.links.resize(1'000);
  gpus[0].sample.processes.resize(10'000);
  agent.report_to(&server);
  agent.obey(act::GrantLease{0, seconds(60), act::kProtocolGpus});
  agent.gpus_seen(gpus);
  const act::GpusSeen& said = server.gpus.at(0);
  ASSERT_EQ(said.gpus.size(), act::kGpusSeenMax);
  EXPECT_EQ(said.gpus[0].facts->product.size(), act::kGpuTextMax);
  EXPECT_EQ(said.gpus[0].facts->links.size(), act::kGpuLinksMax);
  EXPECT_EQ(said.gpus[0].sample->processes.size(), act::kGpuProcessesMax);
}

/// Logs that have something once they are told to.
class SomeLogs final : public act::TaskLogs {
 public:
  Result<act::LogChunk> read(const act::LogQuery& query) const override {
    act::LogChunk chunk;
    chunk.size = written && query.stream == act::LogStream::Stderr ? 1 : 0;
    return chunk;
  }
  std::vector<act::TaskKey> kept() const override { return {}; }
  std::atomic<bool> written = false;
};

/// Tells what tasks use.
struct Uses final : act::TaskUsages {
  act::TaskUsage usage(const act::TaskKey& key) const override {
    return {seconds(static_cast<std::int64_t>(key.job.value)), {}};
  }
};

/// Keeps the order of what is said.
struct Words final : act::ReportSink {
  void say(act::Report report) override {
    const std::lock_guard guard(mutex);
    if (const auto* one = std::get_if<act::TasksUsed>(&report)) {
      said.push_back("used");
      for (const act::TaskUse& task : one->tasks) said.back() += " " + act::to_string(task.key);
    }
    if (std::holds_alternative<act::TaskBegun>(report)) said.push_back("begun");
    if (std::holds_alternative<act::TaskOver>(report)) said.push_back("over");
    if (std::holds_alternative<act::TaskSpoke>(report)) said.push_back("spoke");
  }
  std::vector<std::string> take() {
    const std::lock_guard guard(mutex);
    return std::exchange(said, {});
  }
  std::mutex mutex;
  std::vector<std::string> said;
};

struct TaskAgentTest : ::testing::Test {
  void connect(std::uint32_t protocol) {
    agent.report_to(&server);
    agent.obey(act::GrantLease{0, seconds(60), protocol});
  }
  Idle idle;
  SomeLogs logs;
  Uses uses;
  Agent agent{idle, logs, nullptr, nullptr, nullptr, nullptr, nullptr, &uses};
  Words server;
  const act::TaskKey key{JobId{7}, 1, 0};
};

TEST_F(TaskAgentTest, AnOlderServerIsToldNothingOfWhatTasksUseAndSay) {
  connect(act::kProtocolTasks - 1);
  agent.obey(start_of(key));
  agent.started(key, {});
  logs.written = true;
  agent.tell_usage();
  agent.ended(key, {});
  EXPECT_EQ(server.take(), (std::vector<std::string>{"begun", "over"}));
}

TEST_F(TaskAgentTest, WhatRunningTasksUseIsToldAndThatNoneRunsOnce) {
  connect(act::kProtocolTasks);
  agent.tell_usage();
  EXPECT_TRUE(server.take().empty());
  agent.obey(start_of(key));
  agent.started(key, {});
  server.take();
  const auto heard = [&] {
    for (;;) {  // what reading took is waited for fifty times
      agent.tell_usage();
      if (auto said = server.take(); !said.empty()) return said;
    }
  };
  EXPECT_EQ(heard(), std::vector<std::string>{"used 7.1.0"});
  agent.ended(key, {});
  server.take();
  EXPECT_EQ(heard(), std::vector<std::string>{"used"});
}

TEST_F(TaskAgentTest, TheFirstOutputIsToldBeforeTheEndAndAgainToTheNextServer) {
  connect(act::kProtocolTasks);
  agent.obey(start_of(key));
  agent.started(key, {});
  logs.written = true;
  agent.ended(key, {});
  EXPECT_EQ(server.take(), (std::vector<std::string>{"begun", "spoke", "over"}));
  connect(act::kProtocolTasks);
  agent.obey(act::AdoptTask{key});
  EXPECT_EQ(server.take(), (std::vector<std::string>{"begun", "spoke", "over"}));
}

TEST_F(TaskAgentTest, NothingIsSaidOfASilentTaskNorOfOneWhoseStartWasNotSeen) {
  connect(act::kProtocolTasks);
  agent.obey(start_of(key));
  agent.started(key, {});
  agent.ended(key, {});
  logs.written = true;
  const act::TaskKey adopted{JobId{8}, 1, 0};
  agent.obey(act::AdoptTask{adopted});
  agent.started(adopted, {});
  agent.ended(adopted, {});
  EXPECT_EQ(server.take(), (std::vector<std::string>{"begun", "over", "begun", "over"}));
}

struct Repairs final : act::NodeRepairs {
  void listen(std::function<void(act::RepairOver)> told) override { listener = std::move(told); }
  void carry_out(const act::RepairOrder& order, const std::string& why_not) override {
    obstacle = why_not;
    listener({order.id, why_not.empty(), why_not});
  }
  bool busy() const override { return is_busy; }
  std::function<void(act::RepairOver)> listener;
  std::string obstacle;
  bool is_busy = false;
};

struct Outcomes final : act::ReportSink {
  void say(act::Report report) override {
    if (const auto* over = std::get_if<act::RepairOver>(&report)) repairs.push_back(*over);
    if (const auto* over = std::get_if<act::TaskOver>(&report)) tasks.push_back(*over);
  }
  std::vector<act::RepairOver> repairs;
  std::vector<act::TaskOver> tasks;
};

TEST(AgentRepairs, TheHardwareIsLeftAloneWhileATaskRuns) {
  Idle idle;
  NoLogs no_logs;
  Repairs repairs;
  Agent agent(idle, no_logs, nullptr, nullptr, nullptr, &repairs);
  Outcomes server;
  agent.report_to(&server);
  act::TaskStart task;
  task.key = {JobId{4}, 1, 0};
  agent.obey(task);
  agent.obey(act::RepairOrder{CommandId{1}, {}, Repair::Reset, "GPU-a", seconds(1)});
  EXPECT_EQ(repairs.obstacle, "task 4.1.0 still runs on the node");
  agent.ended(task.key, {});
  agent.obey(act::RepairOrder{CommandId{2}, {}, Repair::Reset, "GPU-a", seconds(1)});
  EXPECT_EQ(repairs.obstacle, "");
  ASSERT_EQ(server.repairs.size(), 2U);
  EXPECT_FALSE(server.repairs[0].good);
  EXPECT_TRUE(server.repairs[1].good);
}

TEST(AgentRepairs, NothingStartsOnAMachineThatIsBeingRepaired) {
  Idle idle;
  NoLogs no_logs;
  Repairs repairs;
  Agent agent(idle, no_logs, nullptr, nullptr, nullptr, &repairs);
  Outcomes server;
  agent.report_to(&server);
  repairs.is_busy = true;
  act::TaskStart task;
  task.key = {JobId{4}, 1, 0};
  agent.obey(task);
  ASSERT_EQ(server.tasks.size(), 1U);
  EXPECT_EQ(server.tasks[0].exit.kind, TaskExit::Kind::StartFailed);
  agent.obey(task);
  EXPECT_EQ(server.tasks.size(), 2U) << "the same is said again";
}

/// Says of a task that it stops that it was lost, as one that never ran is.
struct Stopping final : Idle {
  void listen(act::TaskListener& told) override { listener = &told; }
  void stop(const act::TaskKey& key, const act::StopOptions&) override {
    listener->ended(key, {TaskExit::Kind::Lost, 0, true, "never ran"});
  }
  act::TaskListener* listener = nullptr;
};

struct Ends final : act::TaskListener {
  void started(const act::TaskKey&, const StartStages&) override {}
  void ended(const act::TaskKey&, const TaskExit& exit) override { kinds.push_back(exit.kind); }
  std::vector<TaskExit::Kind> kinds;
};

TEST(AgentRepairs, ATaskThatIsRefusedEndsOnce) {
  Stopping executor;
  NoLogs no_logs;
  Repairs repairs;
  Ends ends;
  Agent agent(executor, no_logs, nullptr, nullptr, &ends, &repairs);
  Outcomes server;
  agent.report_to(&server);
  repairs.is_busy = true;
  act::TaskStart task;
  task.key = {JobId{4}, 1, 0};
  agent.obey(task);
  agent.obey(act::StopTask{task.key, {}});
  EXPECT_EQ(ends.kinds, std::vector{TaskExit::Kind::StartFailed});
  for (const act::TaskOver& over : server.tasks) {
    EXPECT_EQ(over.exit.kind, TaskExit::Kind::StartFailed) << "the first end is the true one";
  }
}

TEST(AgentRepairs, OneThatRepairsNothingSaysSo) {
  Idle idle;
  NoLogs no_logs;
  Agent agent(idle, no_logs);
  Outcomes server;
  agent.report_to(&server);
  agent.obey(act::RepairOrder{CommandId{1}, {}, Repair::Reboot, "", seconds(1)});
  ASSERT_EQ(server.repairs.size(), 1U);
  EXPECT_FALSE(server.repairs[0].good);
}

}  // namespace
}  // namespace gyre::agent
