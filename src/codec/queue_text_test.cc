#include "codec/queue_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::codec {
namespace {

using ::testing::HasSubstr;

TEST(QueueText, ParentsComeBeforeTheirChildren) {
  const auto queues = read_queues(
      "version: 1\nhalf_life: 1d\nqueues:\n"
      "  - {name: vision, parent: research, limits: {gpus: 12, jobs: 9, gpu_hours: 0.5, per: 7d}}\n"
      "  - {name: research, weight: 2, guaranteed: {gpus: 6.5, cpu: 48, memory: 2GB}}\n");
  ASSERT_TRUE(queues) << queues.error().message;
  QueueSpec research{"research", ""};
  research.weight = 2;
  research.weighted = true;
  research.guaranteed = {6500, 48'000, 2048};
  research.half_life = seconds(86'400);
  QueueSpec vision{"vision", ""};
  vision.parent = "research";
  vision.gpu_milli_max = 12'000;
  vision.jobs_max = 9;
  vision.gpu_seconds_max = 1800;
  vision.gpu_time_window = seconds(7 * 86'400);
  vision.half_life = seconds(86'400);
  EXPECT_EQ(*queues, (std::vector<QueueSpec>{research, vision}));
}

TEST(QueueText, EveryMistakeIsNamed) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "the queue file is empty"},
      {"- a", "expected a map"},
      {"version: 1", "'queues' is missing"},
      {"queues: [{name: a}]", "'version' is missing"},
      {"version: 2\nqueues: [{name: a}]", "version 1 of queue files"},
      {"version: 1\nqueues: []", "expected a list of queues"},
      {"version: 1\nqueues: [{weight: 1}]", "queues[0]: 'name' is missing"},
      {"version: 1\nqueues: [{name: a, wieght: 1}]", "did you mean 'weight'?"},
      {"version: 1\nqueues: [{name: a, weight: 0}]", "a weight of 0 is out of bounds"},
      {"version: 1\nqueues: [{name: a, weight: -3}]", "a weight of -3 is out of bounds"},
      {"version: 1\nqueues: [{name: a, weight: .nan}]", "weight: expected a whole number"},
      {"version: 1\nqueues: [{name: a, guaranteed: {gpus: -1}}]", "expected a number of GPUs"},
      {"version: 1\nqueues: [{name: a, guaranteed: {gpus: 1e300}}]", "expected a number of GPUs"},
      {"version: 1\nqueues: [{name: a, limits: {per: 5}}]", "expected a time with a unit"},
      {"version: 1\nqueues: [{name: a}, {name: a}]", "'a' is there twice"},
      {"version: 1\nqueues: [{name: a, parent: b}]", "its parent 'b' does not exist"},
      {"version: 1\nqueues: [{name: a, parent: a}]", "'a' is below itself: a -> a"},
      {"version: 1\nqueues: [{name: a, parent: b}, {name: b, parent: a}]",
       "'a' is below itself: a -> b -> a"},
      {"version: 1\nqueues: [{name: a, guaranteed: {gpus: 9}, limits: {gpus: 8}}]",
       "9 GPUs are guaranteed, but it may use 8 GPUs"},
      {"version: 1\nqueues: [{name: a}, {name: b, parent: a, guaranteed: {gpus: 1}}]",
       "the queues below 'a' are guaranteed 1 GPUs in sum, it has 0 GPUs itself"},
      {"version: 1\nqueues: [{name: a}, {name: b, parent: a, partition: p}]", "they share one"},
      {"version: 1\nhalf_life: 1s\nqueues: [{name: a}]", "a half-life is at least 64 s"},
  };
  for (const auto& [text, message] : cases) {
    const auto queues = read_queues(text);
    ASSERT_FALSE(queues) << text;
    EXPECT_THAT(queues.error().message, HasSubstr(message)) << text;
  }
}

TEST(QueueText, MistakesOfMeaningAreToldWhereTheyAreAllAtOnce) {
  const auto queues = read_queues(
      "version: 1\nhalf_life: 10s\nqueues:\n  - name: a\n  - name: b\n    weight: 0\n"
      "  - name: a\n  - name: c\n    parent: nobody\n  - name: d\n    parent: c\n");
  ASSERT_FALSE(queues);
  EXPECT_EQ(queues.error().message,
            "line 2, column 12: half_life: a half-life is at least 64 s, or 0 for none; "
            "line 5, column 5: queues[1]: queue 'b': a weight of 0 is out of bounds; it is 1 to "
            "1000000; line 7, column 5: queues[2]: queue 'a' is there twice; "
            "line 8, column 5: queues[3]: queue 'c': its parent 'nobody' does not exist");
}

TEST(QueueText, GuaranteesAreThere) {
  const auto queues = read_queues("version: 1\nqueues: [{name: a, guaranteed: {gpus: 9}}]");
  ASSERT_TRUE(queues);
  EXPECT_TRUE(validate_guarantees(*queues, "", {9000, 0, 0}));
  const auto wrong = validate_guarantees(*queues, "", {8000, 0, 0});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("9 GPUs are guaranteed to queues, but the fleet"));
}

}  // namespace
}  // namespace gyre::codec
