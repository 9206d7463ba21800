#include "server/api/gpu_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

namespace gyre::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

GpuText::Gpu gpu(const std::string& labels) {
  GpuText::Gpu one;
  one.latest.labels = labels;
  one.latest.values[static_cast<std::size_t>(GpuMetric::Utilisation)] = 40;
  return one;
}

/// All of it, and the longest piece.
std::pair<std::string, std::size_t> all_of(MetricsStream& stream) {
  std::string all;
  std::size_t longest = 0;
  for (auto state = http::Stream::State::More; state == http::Stream::State::More;) {
    std::string piece;
    state = stream.read(piece);
    longest = std::max(longest, piece.size());
    all += piece;
  }
  return {all, longest};
}

TEST(GpuText, HasTheJobsAndTheHealthAmongTheLabels) {
  GpuText::Gpu held = gpu("{gpu=\"0\"");
  held.jobs = "12,13";
  GpuText::Gpu lost = gpu("{gpu=\"1\"");
  lost.latest.health = GpuHealth::Lost;
  lost.latest.xids = 3;
  MetricsStream stream("before\n", GpuText({held, lost}));
  const std::string text = all_of(stream).first;
  EXPECT_THAT(text, ::testing::StartsWith("before\n# HELP DCGM_FI_DEV_GPU_UTIL "));
  EXPECT_THAT(text, HasSubstr("\nDCGM_FI_DEV_GPU_UTIL{gpu=\"0\",hpc_job=\"12,13\"} 40\n"));
  EXPECT_THAT(text, Not(HasSubstr("DCGM_FI_DEV_GPU_UTIL{gpu=\"1\"")))
      << "what was last read of a lost device is no measurement";
  EXPECT_THAT(text, HasSubstr("\ngyre_gpu_health{gpu=\"0\",hpc_job=\"12,13\",state=\"ok\"} 1\n"
                              "gyre_gpu_health{gpu=\"1\",state=\"lost\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("\ngyre_gpu_xid_errors_total{gpu=\"1\"} 3\n"));
}

TEST(GpuText, SaysNothingWithoutGpus) {
  MetricsStream stream("only this\n", GpuText({}));
  EXPECT_EQ(stream.bytes(), 10U);
  EXPECT_EQ(all_of(stream).first, "only this\n");
}

RC_GTEST_PROP(GpuText, IsAsLongAsItSaysInPiecesThatAreShort, ()) {
  std::vector<GpuText::Gpu> gpus;
  const auto count = *rc::gen::inRange(0, 100);
  for (int i = 0; i < count; ++i) {
    GpuText::Gpu one = gpu("{gpu=\"" + std::to_string(i) + "\"");
    one.latest.health = *rc::gen::elementOf(
        std::vector<GpuHealth>{GpuHealth::Ok, GpuHealth::Ok, GpuHealth::Lost, GpuHealth::Unknown});
    for (auto& value : one.latest.values) {
      if (*rc::gen::arbitrary<bool>()) value = *rc::gen::arbitrary<std::int64_t>();
    }
    one.latest.xids = *rc::gen::inRange<std::int64_t>(0, 1000);
    gpus.push_back(std::move(one));
  }
  MetricsStream stream("# of the server\n", GpuText(std::move(gpus)));
  const std::uint64_t said = stream.bytes();
  const auto [text, longest] = all_of(stream);
  RC_ASSERT(text.size() == said);
  RC_ASSERT(longest < GpuText::kPieceBytes + 1000);
}

TEST(GpuWatch, LabelsFollowTheFacts) {
  GpuWatch watch;
  GpuReading reading;
  reading.facts.product = "say \"hi\"";
  reading.facts.driver = "550";
  watch.report("a", {reading});
  const std::string before =
      "{gpu=\"0\",UUID=\"\",pci_bus_id=\"\",device=\"nvidia0\",modelName=\"say \\\"hi\\\"\","
      "Hostname=\"a\",DCGM_FI_DRIVER_VERSION=\"550\"";
  EXPECT_EQ(watch.read_all().at(0).labels, before);
  reading.facts.driver = "560";
  watch.report("a", {reading});
  EXPECT_THAT(watch.read_all().at(0).labels, HasSubstr("DCGM_FI_DRIVER_VERSION=\"560\""));
}

}  // namespace
}  // namespace gyre::server
