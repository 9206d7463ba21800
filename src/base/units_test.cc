#include "base/units.h"

#include <gtest/gtest.h>

namespace gyre {
namespace {

TEST(Units, DurationsAddUpTheirParts) {
  EXPECT_EQ(parse_duration("90s"), seconds(90));
  EXPECT_EQ(parse_duration("1h30m"), seconds(5400));
  EXPECT_EQ(parse_duration("2d 4h"), seconds(187'200));
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("1.5m"), seconds(90));
  EXPECT_EQ(parse_duration("7"), seconds(7));
  EXPECT_EQ(parse_duration("0"), seconds(0));
}

TEST(Units, WhatIsNotADurationIsRefusedWithAnExample) {
  for (const char* text : {"", "-5s", "10 parsecs", "h", "1h30", "5s5", "1e3s", "1..5s", " "}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find("1h30m"), std::string::npos);
  }
}

TEST(Units, ADurationThatIsTooLongIsToldSo) {
  for (const char* text : {"99999999d", "99999999999999d", "104166d 99999h"}) {
    const auto parsed = parse_duration(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().message, std::string("'") + text + "' is too long: 285 years at most");
  }
  EXPECT_TRUE(parse_duration("104166d"));
}

TEST(Units, MemoryIsInMib) {
  EXPECT_EQ(parse_memory("16GB"), MemoryMib{16'384});
  EXPECT_EQ(parse_memory("16 GiB"), MemoryMib{16'384});
  EXPECT_EQ(parse_memory("1.5TB"), MemoryMib{1'572'864});
  EXPECT_EQ(parse_memory("512"), MemoryMib{512});
  for (const char* text : {"", "-1GB", "16gb", "GB", "1e9GB", "9999999999TB", "1GB2"}) {
    EXPECT_FALSE(parse_memory(text)) << text;
  }
}

TEST(Units, CpuIsInThousandths) {
  EXPECT_EQ(parse_cpu("2"), CpuMilli{2000});
  EXPECT_EQ(parse_cpu("0.5"), CpuMilli{500});
  EXPECT_EQ(parse_cpu("500m"), CpuMilli{500});
  for (const char* text : {"", "-1", "two", "1c", "99999999999"}) EXPECT_FALSE(parse_cpu(text));
}

TEST(Units, WhatIsFormattedReadsBack) {
  for (const std::int64_t s : {1, 59, 60, 3599, 3600, 86'399}) {
    const auto text = format_duration(seconds(s));
    const auto back = parse_duration(text);
    ASSERT_TRUE(back) << text;
    EXPECT_LE(std::abs(back->seconds() - static_cast<double>(s)), 60) << text;
  }
  EXPECT_EQ(format_duration(milliseconds(150)), "150ms");
  EXPECT_EQ(format_duration(seconds(200)), "3m 20s");
  EXPECT_EQ(format_memory({81'920}), "80 GiB");
  EXPECT_EQ(format_memory({1536}), "1.5 GiB");
}

TEST(Units, UtcDatesAreCivil) {
  EXPECT_EQ(format_utc(Time{0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_utc(Time{1'709'164'799'999'000'000}), "2024-02-28T23:59:59.999Z");
  EXPECT_EQ(format_utc(Time{1'709'164'800'000'000'000}), "2024-02-29T00:00:00.000Z");
  EXPECT_EQ(format_utc(Time{-1}), "1969-12-31T23:59:59.999Z");
}

TEST(Units, TheNearestWordIsATypingErrorAway) {
  const std::vector<std::string> words{"priority", "preemptible", "command", "nodes"};
  EXPECT_EQ(nearest("prioritty", words), "priority");
  EXPECT_EQ(nearest("preemptable", words), "preemptible");
  EXPECT_EQ(nearest("nodse", words), "nodes");
  EXPECT_EQ(nearest("gpus", words), "");
}

TEST(Units, MoneyIsShortAndRounded) {
  EXPECT_EQ(format_money(Money{0}), "0.0000 USD");
  EXPECT_EQ(format_money(Money{49}), "0.0000 USD");
  EXPECT_EQ(format_money(Money{50}), "0.0001 USD");
  EXPECT_EQ(format_money(Money{999'999}), "1.0000 USD");
  EXPECT_EQ(format_money(Money{1'000'000}), "1.00 USD");
  EXPECT_EQ(format_money(Money{12'345'000}), "12.35 USD");
  EXPECT_EQ(format_money(Money{-2'500'000}), "-2.50 USD");
}

}  // namespace
}  // namespace gyre
