#include "base/utf8.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <string>

namespace gyre {
namespace {

TEST(Utf8, ACutIsAtACharactersEnd) {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";  // 1, 2, 3, 4, 1 bytes
  const std::size_t ends[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
  for (std::size_t max = 0; max < std::size(ends); ++max) {
    EXPECT_EQ(utf8_cut(text, max), ends[max]) << max;
  }
}

TEST(Utf8, WhatIsNoUtf8IsCutAnywhere) {
  EXPECT_EQ(utf8_cut(std::string(100, '\x80'), 50), 50U);
  EXPECT_EQ(utf8_cut("\xff\xff\xff", 2), 2U);
  EXPECT_EQ(utf8_cut("\x80\x80", 1), 1U);
}

RC_GTEST_PROP(Utf8, WhatIsWholeStaysWholeAndLosesLittle, ()) {
  static constexpr const char* kCharacters[] = {"a", "\xc3\xa9", "\xe2\x82\xac",
                                                "\xf0\x9f\x98\x80"};
  std::string text;
  for (int i = *rc::gen::inRange(0, 20); i > 0; --i) {
    text += kCharacters[*rc::gen::inRange<std::size_t>(0, std::size(kCharacters))];
  }
  const std::size_t max = *rc::gen::inRange<std::size_t>(0, 90);
  const std::size_t size = utf8_cut(text, max);
  RC_ASSERT(size <= max || text.size() <= max);
  RC_ASSERT(size + 4 > std::min(max, text.size()));
  RC_ASSERT(valid_utf8_prefix(text.substr(0, size)) == size);
}

}  // namespace
}  // namespace gyre
