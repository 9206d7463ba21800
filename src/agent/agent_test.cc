#include "agent/agent.h"

#include <gtest/gtest.h>

namespace gyre::agent {
namespace {

class Idle final : public act::Executor {
 public:
  void listen(act::TaskListener&) override {}
  void start(const act::TaskStart&) override {}
  void adopt(const act::TaskKey&) override {}
  void stop(const act::TaskKey&, const act::StopOptions&) override {}
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

}  // namespace
}  // namespace gyre::agent
