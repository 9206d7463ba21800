#include "server/api/task_uses.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

act::TaskUse use(std::uint64_t job, std::int64_t cpu_s) {
  return {{JobId{job}, 1, 0}, {seconds(cpu_s), MemoryMib{64}}};
}

TEST(TaskUsesTest, ANodesWordIsAllOfItsTasksAndOfNoOthers) {
  TaskUses uses;
  uses.told("a", {use(1, 10), use(2, 20)});
  uses.told("b", {use(3, 30)});
  EXPECT_EQ(uses.usage({JobId{2}, 1, 0}).cpu, seconds(20));
  EXPECT_EQ(uses.usage({JobId{2}, 2, 0}), act::TaskUsage{}) << "another attempt";
  uses.told("a", {use(2, 21)});
  EXPECT_EQ(uses.usage({JobId{1}, 1, 0}), act::TaskUsage{}) << "it does not run any more";
  EXPECT_EQ(uses.usage({JobId{2}, 1, 0}).cpu, seconds(21));
  uses.forget("a");
  EXPECT_EQ(uses.usage({JobId{2}, 1, 0}), act::TaskUsage{});
  EXPECT_EQ(uses.usage({JobId{3}, 1, 0}).memory_peak, MemoryMib{64});
}

}  // namespace
}  // namespace gyre::server
