#include "server/api/work_thread.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

namespace gyre::server {
namespace {

TEST(WorkThread, WorksOffInOrderAndHasABound) {
  std::vector<int> done;
  std::promise<void> begun;
  std::promise<void> go;
  std::promise<void> ended;
  WorkThread thread(2);
  EXPECT_TRUE(thread.has_room());
  EXPECT_TRUE(thread.post([&] {
    begun.set_value();
    go.get_future().wait();
    done.push_back(1);
  }));
  begun.get_future().wait();
  EXPECT_TRUE(thread.has_room());
  EXPECT_TRUE(thread.post([&] {
    done.push_back(2);
    ended.set_value();
  }));
  EXPECT_FALSE(thread.has_room());
  EXPECT_FALSE(thread.post([&] { done.push_back(3); }));
  go.set_value();
  ended.get_future().wait();
  EXPECT_EQ(done, (std::vector<int>{1, 2}));
}

TEST(WorkThread, DropsWhatWaitsAtItsEnd) {
  const auto held = std::make_shared<bool>(false);
  std::promise<void> begun;
  std::promise<void> go;
  auto thread = std::make_unique<WorkThread>(2);
  thread->post([&] {
    begun.set_value();
    go.get_future().wait();
  });
  begun.get_future().wait();
  thread->post([held] { *held = true; });
  std::thread ender([&] { thread.reset(); });
  EXPECT_EQ(held.use_count(), 2);
  go.set_value();
  ender.join();
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace gyre::server
