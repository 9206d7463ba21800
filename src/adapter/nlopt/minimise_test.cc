#include "adapter/nlopt/minimise.h"

#include <gtest/gtest.h>

#include <cmath>

namespace gyre::nlopt_search {
namespace {

/// A bowl with its least at 0.3 in every direction, in steps and with dents.
double bowl(const std::vector<double>& point) {
  double sum = 0;
  for (const double x : point) sum += (x - 0.3) * (x - 0.3) + 0.01 * (1 - std::cos(40 * (x - 0.3)));
  return std::round(sum * 1000) / 1000;
}

TEST(Minimise, FindsTheLeastOfWhatHasDentsAndSteps) {
  for (const std::size_t dimensions : {1, 2, 5}) {
    std::uint64_t calls = 0;
    double least = 1e9;
    const auto done = minimise(std::vector<double>(dimensions, 0.9), 200,
                               [&](const std::vector<double>& point) -> Result<double> {
                                 ++calls;
                                 for (const double x : point) EXPECT_TRUE(x >= 0 && x <= 1) << x;
                                 least = std::min(least, bowl(point));
                                 return bowl(point);
                               });
    ASSERT_TRUE(done) << done.error().message;
    EXPECT_LE(calls, 200U);
    EXPECT_LT(least, 0.02 * static_cast<double>(dimensions));
  }
}

TEST(Minimise, CallsTheSameAgainAndBeginsWhereItIsTold) {
  const auto path = [] {
    std::vector<std::vector<double>> points;
    const auto done = minimise({0.25, 0.75}, 60, [&](const auto& point) -> Result<double> {
      points.push_back(point);
      return bowl(point);
    });
    EXPECT_TRUE(done);
    return points;
  };
  const auto first = path();
  EXPECT_EQ(first, path());
  EXPECT_EQ(first.front(), (std::vector{0.25, 0.75}));
}

TEST(Minimise, AnErrorEndsItAtOnce) {
  int calls = 0;
  const auto done = minimise({0.5}, 100, [&](const auto&) -> Result<double> {
    if (++calls == 7) return fail(ErrorKind::NoRoom, "the disk is full");
    return 1.0;
  });
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "the disk is full");
  EXPECT_EQ(calls, 7);
}

TEST(Minimise, APlainIsSearchedToo) {
  EXPECT_TRUE(minimise({1.0, 0.0, 0.5}, 50, [](const auto&) -> Result<double> { return 1.0; }));
}

}  // namespace
}  // namespace gyre::nlopt_search
