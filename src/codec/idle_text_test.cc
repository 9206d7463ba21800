#include "codec/idle_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::codec {
namespace {

using ::testing::HasSubstr;

TEST(IdleText, IsRead) {
  const auto idle =
      read_idle("version: 1\nbelow: 5%\nfor: 30m\ngrace: 10m\nexempt: [notebooks, demo]\n");
  ASSERT_TRUE(idle) << idle.error().message;
  EXPECT_EQ(*idle, (IdleSpec{5, seconds(1800), seconds(600), {"notebooks", "demo"}}));
  EXPECT_EQ(read_idle("version: 1\nbelow: 3")->below_percent, 3);
}

TEST(IdleText, EveryMistakeIsNamed) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "the file is empty"},
      {"- a", "expected settings"},
      {"version: 1", "'below' is missing"},
      {"below: 5%", "'version' is missing"},
      {"version: 1\nbelow: 0%", "from 1% to 100%"},
      {"version: 1\nbelow: 101", "from 1% to 100%"},
      {"version: 1\nbelow: 2.5%", "from 1% to 100%"},
      {"version: 1\nbelow: 5%\nfor: 30", "expected a time with a unit"},
      {"version: 1\nbelow: 5%\nfor: 0s", "for: expected 1s to 30d"},
      {"version: 1\nbelow: 5%\ngrace: 60d", "grace: expected 1s to 30d"},
      {"version: 1\nbelow: 5%\nexempt: notebooks", "expected a list of queues"},
      {"version: 1\nbelow: 5%\nexempt: [1]", "exempt: expected the name of a queue"},
      {"version: 1\nbelow: 5%\nexmept: []", "did you mean 'exempt'?"},
  };
  for (const auto& [text, message] : cases) {
    const auto idle = read_idle(text);
    ASSERT_FALSE(idle) << text;
    EXPECT_THAT(idle.error().message, HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace gyre::codec
