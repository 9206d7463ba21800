#include "act/word_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace gyre::act {
namespace {

TEST(WordQueue, ACommandThatSaysByteByByteWaitsInFewWords) {
  WordQueue<Report> queue;
  for (std::size_t i = 0; i < kExecWindow / 2; ++i) {
    for (const std::uint64_t id : {1, 2}) {
      queue.push(ExecReport{ExecOutput{id, false, "o"}});
      queue.push(ExecReport{ExecOutput{id, true, "e"}});
      queue.push(ExecReport{ExecTook{id, 1}});
    }
  }
  EXPECT_LE(queue.size(), kWordsInOrder + 2 * (kExecWindow / kExecPieceMax + 1));
  std::map<std::uint64_t, std::string> output;
  std::map<std::uint64_t, std::string> errors;
  std::map<std::uint64_t, std::uint64_t> taken;
  while (!queue.empty()) {
    const ExecReport report = std::get<ExecReport>(queue.pop());
    const std::uint64_t id = exec_id(report);
    if (const auto* took = std::get_if<ExecTook>(&report)) taken[id] += took->bytes;
    if (const auto* piece = std::get_if<ExecOutput>(&report)) {
      EXPECT_LE(piece->bytes.size(), kExecPieceMax);
      (piece->standard_error ? errors : output)[id] += piece->bytes;
    }
  }
  for (const std::uint64_t id : {1, 2}) {
    EXPECT_EQ(output[id], std::string(kExecWindow / 2, 'o'));
    EXPECT_EQ(errors[id], std::string(kExecWindow / 2, 'e'));
    EXPECT_EQ(taken[id], kExecWindow / 2);
  }
}

TEST(WordQueue, BytesKeepTheirOrderAndTheEndComesLast) {
  WordQueue<ExecReport> queue;
  queue.push(ExecOutput{1, false, "a"});
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()).bytes, "a");
  queue.push(ExecOutput{1, false, "b"});  // what was taken is not joined to
  queue.push(ExecOutput{1, false, std::string(kExecPieceMax, 'c')});
  queue.push(ExecOutput{1, false, "d"});
  queue.push(ExecEnded{1, 3});
  ASSERT_EQ(queue.size(), 4U);
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()).bytes, "b");
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()).bytes, std::string(kExecPieceMax, 'c'));
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()).bytes, "d");
  EXPECT_EQ(std::get<ExecEnded>(queue.pop()).exit_code.value(), 3);
  EXPECT_TRUE(queue.empty());
}

TEST(WordQueue, AFewWordsKeepTheOrderOfBothOutputs) {
  WordQueue<ExecReport> queue;
  for (const bool errors : {false, false, true, false}) queue.push(ExecOutput{1, errors, "x"});
  ASSERT_EQ(queue.size(), 3U);
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()), (ExecOutput{1, false, "xx"}));
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()), (ExecOutput{1, true, "x"}));
  EXPECT_EQ(std::get<ExecOutput>(queue.pop()), (ExecOutput{1, false, "x"}));
}

TEST(WordQueue, OrdersOfACommandAreJoinedAndOthersAreNot) {
  const TaskKey key{JobId{1}, 1, 0};
  const Order start = ExecOrder{ExecStart{1, key, {"cat"}, true, {}, ""}};
  WordQueue<Order> queue;
  queue.push(start);
  for (int i = 0; i < 3; ++i) {
    queue.push(ExecOrder{ExecInput{1, "x", i == 2}});
  }
  for (int i = 0; i < 3; ++i) {
    queue.push(ExecOrder{ExecWant{1, 10}});
  }
  for (std::uint16_t i = 0; i < 3; ++i) {
    queue.push(ExecOrder{ExecResize{1, {80, i}}});
  }
  for (int i = 0; i < 2; ++i) {
    queue.push(ReleaseTask{key});
  }
  queue.push(ExecOrder{ExecHangUp{1}});
  std::vector<Order> said;
  while (!queue.empty()) said.push_back(queue.pop());
  EXPECT_THAT(
      said, testing::ElementsAre(start, Order{ExecOrder{ExecInput{1, "xxx", true}}},
                                 Order{ExecOrder{ExecWant{1, 30}}},
                                 Order{ExecOrder{ExecResize{1, {80, 2}}}}, Order{ReleaseTask{key}},
                                 Order{ReleaseTask{key}}, Order{ExecOrder{ExecHangUp{1}}}));
}

TEST(WordQueue, AfterClearNothingIsJoinedTo) {
  WordQueue<ExecReport> queue;
  queue.push(ExecTook{1, 1});
  queue.clear();
  queue.push(ExecTook{1, 1});
  ASSERT_EQ(queue.size(), 1U);
  EXPECT_EQ(std::get<ExecTook>(queue.pop()).bytes, 1U);
}

}  // namespace
}  // namespace gyre::act
