#include "domain/task_exit_words.h"

#include <gtest/gtest.h>

namespace gyre {
namespace {

TEST(TaskExitWords, AreItsMessageElseWhatItsCodeSays) {
  EXPECT_EQ(words_of({TaskExit::Kind::Exited, 3, false, ""}), "exit code 3");
  EXPECT_EQ(words_of({TaskExit::Kind::Signaled, 9, false, ""}), "ended by signal 9");
  EXPECT_EQ(words_of({TaskExit::Kind::StartFailed, 0, false, ""}), "it could not be started");
  EXPECT_EQ(words_of({TaskExit::Kind::Lost, 0, false, ""}), "it was lost");
  EXPECT_EQ(words_of({TaskExit::Kind::Signaled, 9, false, "out of memory"}), "out of memory");
}

}  // namespace
}  // namespace gyre
