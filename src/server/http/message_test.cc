#include "server/http/message.h"

#include <gtest/gtest.h>

namespace gyre::server::http {
namespace {

TEST(PercentCode, EveryByteButNulComesBack) {
  EXPECT_EQ(percent_encode("A b/ä-._~+%"), "A%20b%2F%C3%A4-._~%2B%25");
  std::string text;
  for (int byte = 1; byte < 256; ++byte) text += static_cast<char>(byte);
  for (const bool plus_is_space : {false, true}) {
    EXPECT_EQ(percent_decode(percent_encode(text), plus_is_space), text);
  }
}

TEST(PercentCode, WhatIsBrokenOrNulIsNotDecoded) {
  for (const char* text : {"%", "a%4", "%4g", "%00"}) EXPECT_FALSE(percent_decode(text, false));
}

}  // namespace
}  // namespace gyre::server::http
