#include "codec/utc.h"

#include <gtest/gtest.h>

#include "base/units.h"

namespace gyre::codec {
namespace {

TEST(Utc, WhatIsPrintedIsRead) {
  for (const std::int64_t ms : {0LL, 1'709'164'799'999LL, 1'709'164'800'000LL, 7'000'000'000'123LL})
    EXPECT_EQ(parse_utc(format_utc(Time{ms * 1'000'000})), Time{ms * 1'000'000});
  EXPECT_EQ(parse_utc("1970-01-01T00:00:01Z"), Time{1'000'000'000});
  EXPECT_EQ(parse_utc("1970-01-01T00:00:01.000000002Z"), Time{1'000'000'002});
}

TEST(Utc, NothingElseIs) {
  for (const char* text :
       {"", "monday", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00", "2026-01-01T00:00:00Z ",
        "1969-12-31T23:59:59Z", "2201-01-01T00:00:00Z", "2026-01-01"}) {
    EXPECT_FALSE(parse_utc(text)) << text;
  }
}

}  // namespace
}  // namespace gyre::codec
