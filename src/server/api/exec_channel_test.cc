#include "server/api/exec_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::server {
namespace {

TEST(ExecMailbox, AWindowOfSingleBytesIsKeptInFewReports) {
  ExecMailbox mailbox;
  for (std::size_t i = 0; i < act::kExecWindow; ++i) {
    mailbox.put(act::ExecOutput{1, i % 2 == 1, "x"});
    mailbox.put(act::ExecTook{1, 1});
  }
  std::size_t reports = 0;
  std::size_t bytes = 0;
  std::uint64_t taken = 0;
  while (const auto report = mailbox.take()) {
    ++reports;
    if (const auto* output = std::get_if<act::ExecOutput>(&*report)) bytes += output->bytes.size();
    if (const auto* took = std::get_if<act::ExecTook>(&*report)) taken += took->bytes;
  }
  EXPECT_EQ(bytes, act::kExecWindow);
  EXPECT_EQ(taken, act::kExecWindow);
  EXPECT_LE(reports, act::kWordsInOrder + act::kExecWindow / act::kExecPieceMax + 1);
}

TEST(ExecMailbox, MoreThanTheWindowEndsTheCommand) {
  ExecMailbox mailbox;
  mailbox.put(act::ExecOutput{1, false, std::string(act::kExecWindow, 'x')});
  mailbox.put(act::ExecOutput{1, false, "x"});
  const auto report = mailbox.take();
  ASSERT_TRUE(report && std::holds_alternative<act::ExecEnded>(*report));
  EXPECT_THAT(std::get<act::ExecEnded>(*report).exit_code.error().message,
              testing::HasSubstr("more of the output than was asked for"));
  mailbox.put(act::ExecOutput{1, false, "x"});
  EXPECT_FALSE(mailbox.take());
}

}  // namespace
}  // namespace gyre::server
