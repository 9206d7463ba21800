#include "server/api/replica_use.h"

#include <gtest/gtest.h>

#include "server/api/test_kit.h"

namespace gyre::server {
namespace {

/// A service whose one replica has a GPU of its node.
class ReplicaUseTest : public ::testing::Test {
 protected:
  ReplicaUseTest() {
    node_.read({0, 0});
    ServiceSpec spec;
    spec.replica.name = "chat";
    spec.replica.tasks = {{1, {}}};
    spec.replica.tasks[0].request.gpus = 1;
    spec.replicas.max = 2;
    spec.replicas.target_gpu_activity = 60;
    node_.tell(ServiceApplied{spec});
    node_.tell(TaskStarted{{1}, 1, 0, {}});
    node_.tell(ReplicaProbed{{1}, 1, ReplicaHealth::Ready, ""});
  }

  void pass(int count, std::optional<std::int64_t> ppm) {
    for (int i = 0; i < count; ++i) {
      node_.now = node_.now + seconds(1);
      if (ppm) node_.read({ppm, ppm});
      use_.look(node_.core, node_.telemetry, node_.now);
    }
  }

  test::SeenNode node_{2};
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
  node_.tell(ReplicaProbed{{1}, 1, ReplicaHealth::NotReady, "why"});
  pass(1, 900'000);
  EXPECT_EQ(use_.activity("chat"), std::nullopt);
  node_.tell(ServiceDeleted{"chat"});
  pass(20, 900'000);
  EXPECT_EQ(use_.activity("chat"), std::nullopt);
}

}  // namespace
}  // namespace gyre::server
