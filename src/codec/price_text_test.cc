#include "codec/price_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::codec {
namespace {

using ::testing::HasSubstr;

TEST(PriceText, DollarsAreReadExactly) {
  const auto prices = read_prices(
      "version: 1\ngpu_hour: {default: 2, H100: 3.499999, A100: 1.10}\ncpu_hour: 0.01\n"
      "memory_hour: 0.000001\n");
  ASSERT_TRUE(prices) << prices.error().message;
  PriceList wanted;
  wanted.gpu_hour = Money{2'000'000};
  wanted.models = {{"H100", Money{3'499'999}}, {"A100", Money{1'100'000}}};
  wanted.cpu_hour = Money{10'000};
  wanted.memory_hour = Money{1};
  EXPECT_EQ(*prices, wanted);
  EXPECT_EQ(read_prices("version: 1\ngpu_hour: 0.5")->gpu_hour, Money{500'000});
  EXPECT_EQ(read_prices("{\"version\": 1, \"gpu_hour\": 0}")->gpu_hour, Money{0});
}

TEST(PriceText, EveryMistakeIsNamed) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "the file is empty"},
      {"- a", "expected settings"},
      {"gpu_hour: 1", "'version' is missing"},
      {"version: 1", "'gpu_hour' is missing"},
      {"version: 2\ngpu_hour: 1", "version 1 of such files"},
      {"version: 1\ngpu_hour: 1\ncpu_huor: 1", "did you mean 'cpu_hour'?"},
      {"version: 1\ngpu_hour: -1", "gpu_hour: expected US dollars"},
      {"version: 1\ngpu_hour: 1.0000001", "six digits behind the point"},
      {"version: 1\ngpu_hour: 1e3", "expected US dollars"},
      {"version: 1\ngpu_hour: .nan", "expected US dollars"},
      {"version: 1\ngpu_hour: two", "expected US dollars"},
      {"version: 1\ngpu_hour: 1001", "a price is 0 to 1000 USD an hour"},
      {"version: 1\ngpu_hour: 99999999999999999999", "expected US dollars"},
      {"version: 1\ngpu_hour: [1]", "expected US dollars"},
      {"version: 1\ngpu_hour: {H100: 3}", "gpu_hour: 'default' is missing"},
      {"version: 1\ngpu_hour: {default: 1, H100: x}", "gpu_hour.H100: expected US dollars"},
      {"version: 1\ngpu_hour: {default: 1, H100: 1, H100: 2}", "H100"},
  };
  for (const auto& [text, message] : cases) {
    const auto prices = read_prices(text);
    ASSERT_FALSE(prices) << text;
    EXPECT_THAT(prices.error().message, HasSubstr(message)) << text;
  }
}

}  // namespace
}  // namespace gyre::codec
