#include "live/gpu_reports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::live {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

act::GpuNews news(const std::string& uuid, std::int64_t xids = 0) {
  act::GpuNews gpu;
  gpu.facts.emplace().uuid = uuid;
  gpu.sample.emplace().xids = xids;
  (*gpu.sample)[GpuMetric::LastXid] = 79;
  return gpu;
}

TEST(GpuReports, KeepWhatIsNotSaidAgain) {
  GpuReports reports({"GPU-a", "GPU-b"});
  auto gpus = reports.take({{}, {news("GPU-a"), news("GPU-b"), news("GPU-left-out")}}, seconds(1));
  ASSERT_TRUE(gpus) << gpus.error().message;
  gpus = reports.take({{}, {{}, {std::nullopt, GpuSample{}}, {}}}, seconds(2));
  ASSERT_TRUE(gpus) << gpus.error().message;
  ASSERT_EQ(gpus->size(), 3U);
  EXPECT_EQ((*gpus)[1].facts.uuid, "GPU-b");
  EXPECT_TRUE((*gpus)[1].fresh);
  EXPECT_FALSE((*gpus)[0].fresh);
  EXPECT_FALSE((*gpus)[1].sample[GpuMetric::LastXid]);
}

TEST(GpuReports, RefuseDevicesOfAnother) {
  const auto why = [](std::vector<act::GpuNews> gpus) {
    const auto taken = GpuReports({"GPU-a", "GPU-b"}).take({{}, std::move(gpus)}, seconds(1));
    return taken ? "taken" : taken.error().message;
  };
  EXPECT_THAT(why({news("GPU-a"), news("GPU-z")}), HasSubstr("'GPU-z' in the place of 'GPU-b'"));
  EXPECT_THAT(why({news("GPU-b"), news("GPU-a")}), HasSubstr("in the place of"));
  EXPECT_THAT(why({news("GPU-a"), news("GPU-b"), news("GPU-a")}), HasSubstr("in the place of"));
  EXPECT_THAT(why({news("GPU-a")}), HasSubstr("tells of 1 GPUs; its node offers 2"));
  EXPECT_THAT(why(std::vector<act::GpuNews>(65)), HasSubstr("tells of 65 GPUs"));
  EXPECT_EQ(why({{}, {}}), "taken") << "nothing is known of them yet";
}

TEST(GpuReports, RefuseWhatNoDeviceIsLike) {
  std::vector<act::GpuNews> bad(8, news("GPU-a"));
  bad[0].facts->product = std::string(129, 'x');
  bad[1].facts->driver = "a\nb";
  bad[2].facts->links.resize(act::kGpuLinksMax + 1);
  bad[3].facts->index = -1;
  bad[4].sample->processes.resize(act::kGpuProcessesMax + 1);
  bad[5].sample->xids = -1;
  bad[6].sample->values[0] = -5;
  (*bad[7].sample)[GpuMetric::LastXid] = std::int64_t{1} << 32;
  for (const act::GpuNews& gpu : bad) {
    const auto taken = GpuReports({"GPU-a"}).take({{}, {gpu}}, seconds(1));
    ASSERT_FALSE(taken);
    EXPECT_THAT(taken.error().message, HasSubstr("true of no GPU"));
  }
}

TEST(GpuReports, RefuseMoreThanAnyProbeSays) {
  GpuReports reports({"GPU-a"});
  Duration now = seconds(1);
  for (int i = 0; i < GpuReports::kReportsAtOnce; ++i) {
    ASSERT_TRUE(reports.take({{}, {news("GPU-a")}}, now));
  }
  const auto taken = reports.take({{}, {news("GPU-a")}}, now);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().message, HasSubstr("more than 4 times a second"));
  for (int i = 0; i < 1'000; ++i) {
    now = now + milliseconds(500);
    ASSERT_TRUE(reports.take({{}, {news("GPU-a")}}, now)) << "a probe's own pace";
  }
}

std::vector<GpuReading> counted(std::int64_t xids, std::int64_t last = 79) {
  GpuReading gpu;
  gpu.fresh = true;
  gpu.sample.xids = xids;
  gpu.sample[GpuMetric::LastXid] = last;
  return {gpu};
}

TEST(GpuErrors, AreFoundOnceAndNotThoseOfBefore) {
  GpuErrors errors;
  EXPECT_THAT(errors.take(NodeId{3}, counted(5), seconds(1)), IsEmpty());
  EXPECT_THAT(errors.take(NodeId{3}, counted(5), seconds(2)), IsEmpty());
  EXPECT_THAT(errors.take(NodeId{3}, counted(7, 48), seconds(3)),
              ElementsAre(GpuErrorSeen{NodeId{3}, 0, 48}));
  EXPECT_THAT(errors.take(NodeId{3}, counted(7, 48), seconds(4)), IsEmpty());
  EXPECT_THAT(errors.take(NodeId{3}, counted(6, 48), seconds(5)), IsEmpty());
}

TEST(GpuErrors, AFloodIsCutToItsLimitAndTheLastOneIsFoundLater) {
  GpuErrors errors;
  errors.take(NodeId{0}, counted(0), seconds(1));
  std::size_t found = 0;
  std::int64_t xids = 0;
  for (int i = 0; i < 1'000; ++i) {
    found += errors.take(NodeId{0}, counted(++xids), seconds(1)).size();
  }
  EXPECT_EQ(found, static_cast<std::size_t>(GpuErrors::kErrorsAtOnce));
  EXPECT_EQ(errors.take(NodeId{0}, counted(xids), seconds(2)).size(), 1U);
  EXPECT_THAT(errors.take(NodeId{0}, counted(xids), seconds(9)), IsEmpty());
}

std::vector<GpuReading> seen_as(GpuHealth health, bool fresh = true) {
  GpuReading gpu;
  gpu.fresh = fresh;
  gpu.sample.health = health;
  return {gpu};
}

TEST(GpuHealths, UnknownIsBelievedWhenItIsSeenTwiceAndAllElseAtOnce) {
  GpuHealths healths;
  const auto look = [&](GpuHealth health, bool fresh = true) {
    return healths.take(NodeId{3}, seen_as(health, fresh), seconds(1));
  };
  const auto told = [](GpuHealth health) {
    return ElementsAre(GpuHealthSeen{NodeId{3}, 0, health});
  };
  EXPECT_THAT(look(GpuHealth::Ok), told(GpuHealth::Ok)) << "the server may have heard otherwise";
  EXPECT_THAT(look(GpuHealth::Unknown), IsEmpty());
  EXPECT_THAT(look(GpuHealth::Ok), IsEmpty()) << "it was a moment";
  EXPECT_THAT(look(GpuHealth::Unknown), IsEmpty());
  EXPECT_THAT(look(GpuHealth::Unknown, false), IsEmpty()) << "not a look";
  EXPECT_THAT(look(GpuHealth::Unknown), told(GpuHealth::Unknown));
  EXPECT_THAT(look(GpuHealth::Unknown), IsEmpty());
  EXPECT_THAT(look(GpuHealth::Lost), told(GpuHealth::Lost));
  EXPECT_THAT(look(GpuHealth::Ok), told(GpuHealth::Ok));
}

TEST(GpuHealths, AProbeThatFlapsIsHeardWithinLimitsAndInTheEnd) {
  GpuHealths healths;
  std::size_t found = 0;
  for (int i = 0; i < 1'001; ++i) {
    const GpuHealth health = i % 2 == 0 ? GpuHealth::Lost : GpuHealth::Ok;
    found += healths.take(NodeId{0}, seen_as(health), seconds(1)).size();
  }
  EXPECT_EQ(found, static_cast<std::size_t>(GpuHealths::kChangesAtOnce));
  EXPECT_THAT(healths.take(NodeId{0}, seen_as(GpuHealth::Lost), seconds(9)),
              ElementsAre(GpuHealthSeen{NodeId{0}, 0, GpuHealth::Lost}));
}

}  // namespace
}  // namespace gyre::live
