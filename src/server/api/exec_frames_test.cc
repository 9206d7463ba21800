#include "server/api/exec_frames.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

using namespace std::string_view_literals;

TEST(ExecFrames, WhatClientsMaySayIsUnderstood) {
  const auto input = read_exec_frame("\0ab"sv);
  ASSERT_TRUE(input);
  EXPECT_EQ(std::get<ExecInputFrame>(*input).bytes, "ab");
  const auto end = read_exec_frame("\xff\0"sv);
  ASSERT_TRUE(end);
  EXPECT_TRUE(std::holds_alternative<ExecInputEnd>(*end));
  const auto size = read_exec_frame("\4{\"Width\":132,\"Height\":43}"sv);
  ASSERT_TRUE(size);
  EXPECT_EQ(std::get<act::WindowSize>(*size), (act::WindowSize{132, 43}));
}

TEST(ExecFrames, AllElseIsRefused) {
  for (const std::string_view frame :
       {""sv, "\1x"sv, "\2x"sv, "\3{}"sv, "\5"sv, "\xff"sv, "\xff\1"sv, "\xff\0\0"sv, "\4"sv,
        "\4{}"sv, "\4{\"Width\":-1,\"Height\":1}"sv, "\4{\"Width\":1.5,\"Height\":1}"sv,
        "\4{\"Width\":65536,\"Height\":1}"sv, "\4[80,24]"sv}) {
    EXPECT_FALSE(read_exec_frame(frame)) << frame;
  }
}

TEST(ExecFrames, AStatusSaysTheCodeOrWhyThereIsNone) {
  const auto told = [](const Result<std::int32_t>& code) {
    const std::string frame = exec_status_frame(code);
    EXPECT_EQ(frame.front(), '\3');
    return read_exec_status(std::string_view(frame).substr(1));
  };
  EXPECT_EQ(told(0), 0);
  EXPECT_EQ(told(137), 137);
  const auto failed = told(fail(ErrorKind::Conflict, "the task is over \xff"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "the task is over \xef\xbf\xbd");
  for (const std::string_view none :
       {"", "{}", "[]", "1", "{\"status\":1}", "{\"reason\":\"NonZeroExitCode\"}",
        "{\"reason\":\"NonZeroExitCode\",\"details\":{\"causes\":[1]}}"}) {
    EXPECT_FALSE(read_exec_status(none)) << none;
  }
}

}  // namespace
}  // namespace gyre::server
