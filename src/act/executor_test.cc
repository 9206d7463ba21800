#include "act/executor.h"

#include <gtest/gtest.h>

namespace gyre::act {
namespace {

TEST(TaskKey, IsReadBackFromItsText) {
  const TaskKey key{JobId{123'456'789'012}, 3, 41};
  EXPECT_EQ(to_string(key), "123456789012.3.41");
  const auto read = parse_task_key(to_string(key));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, key);
}

TEST(TaskKey, RefusesEveryOtherText) {
  for (const char* text : {"", ".", "1", "1.1", "1.1.", ".1.1", "1.1.1.", "1.1.1.1", "a.1.1",
                           "1.1.x", "01.1.1", "1.-1.0", "+1.1.1", "1.1.1 ", "1..1",
                           "99999999999999999999.1.1", "1.99999999999.1", "lock"}) {
    EXPECT_FALSE(parse_task_key(text)) << text;
  }
}

}  // namespace
}  // namespace gyre::act
