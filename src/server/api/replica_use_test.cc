#include "server/api/replica_use.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

/// A service whose one replica has a GPU of its node.
class ReplicaUseTest : public ::testing::Test {
 protected:
  ReplicaUseTest() {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{{0}, {"n", "", "H100", 2, {81'920}, {64'000}, {524'288}, false}});
    read(0);
    ServiceSpec spec;
    spec.replica.name = "chat";
    spec.replica.tasks = {{1, {}}};
    spec.replica.tasks[0].request.gpus = 1;
    spec.replicas.max = 2;
    spec.replicas.target_gpu_activity = 60;
    tell(ServiceApplied{spec});
    tell(TaskStarted{{1}, 1, 0, {}});
    tell(ReplicaProbed{{1}, 1, ReplicaHealth::Ready, ""});
  }

  void tell(Event::Body body) {
    const Event event{now_, EventSeq{++seq_}, std::move(body)};
    const control::Decisions& decisions = core_.step(event);
    telemetry_.after(event, decisions, core_);
  }

  void read(std::int64_t ppm) {
    std::vector<GpuReading> readings(2);
    for (GpuReading& reading : readings) {
      reading.fresh = true;
      reading.sample.at = now_;
      reading.sample.health = GpuHealth::Ok;
      reading.sample.values[static_cast<std::size_t>(GpuMetric::SmActive)] = ppm;
    }
    telemetry_.gpus.report("n", readings);
  }

  void pass(int count, std::optional<std::int64_t> ppm) {
    for (int i = 0; i < count; ++i) {
      now_ = now_ + seconds(1);
      if (ppm) read(*ppm);
      use_.look(core_, telemetry_, now_);
    }
  }

  Time now_{seconds(1'700'000'000).ns};
  std::uint64_t seq_ = 0;
  control::Controller core_{control::Config{}};
  Telemetry telemetry_{core_};
  ReplicaUse use_;
};

TEST_F(ReplicaUseTest, IsTheShareOfTheLastWholeWindow) {
  pass(15, 900'000);
  EXPECT_EQ(use_.activity("chat"), std::nullopt) << "no window is over";
  pass(1, 900'000);
  ASSERT_TRUE(use_.activity("chat"));
  EXPECT_NEAR(static_cast<double>(*use_.activity("chat")), 900'000, 1'000);
  pass(15, 100'000);
  EXPECT_NEAR(static_cast<double>(*use_.activity("chat")), 100'000, 1'000);
  EXPECT_EQ(use_.activity("draw"), std::nullopt);
}

TEST_F(ReplicaUseTest, SaysNothingWhereItWasNotSeen) {
  pass(16, 900'000);
  ASSERT_TRUE(use_.activity("chat"));
  pass(8, 900'000);
  pass(7, std::nullopt);
  EXPECT_EQ(use_.activity("chat"), std::nullopt);
}

TEST_F(ReplicaUseTest, OtherReplicasAreAnotherWindow) {
  pass(16, 900'000);
  tell(ReplicaProbed{{1}, 1, ReplicaHealth::NotReady, "why"});
  pass(1, 900'000);
  EXPECT_EQ(use_.activity("chat"), std::nullopt);
  tell(ServiceDeleted{"chat"});
  pass(20, 900'000);
  EXPECT_EQ(use_.activity("chat"), std::nullopt);
}

}  // namespace
}  // namespace gyre::server
