#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/controller.h"
#include "server/api/gpu_watch.h"
#include "server/api/metrics_text.h"
#include "server/api/telemetry.h"

namespace gyre::server {
namespace {

using observe::GpuHealth;
using observe::GpuMetric;

TEST(MetricsText, WritesAFamilyAndItsSamples) {
  MetricsText out;
  out.family("gyre_x", "gauge", "What it is:\na \\ b.");
  out.sample({}, 1.5);
  out.sample({{"a", "say \"hi\"\n"}, {"b", "c\\d"}}, 3);
  EXPECT_EQ(out.take(),
            "# HELP gyre_x What it is:\\na \\\\ b.\n# TYPE gyre_x gauge\ngyre_x 1.5\n"
            "gyre_x{a=\"say \\\"hi\\\"\\n\",b=\"c\\\\d\"} 3\n");
}

TEST(HttpTimes, CountsTheFirstAnswerOfEachRequest) {
  HttpTimes times;
  http::Request request;
  request.method = "GET";
  int answered = 0;
  const auto reply = times.timed(request, [&](const http::Answer&) { ++answered; });
  reply([] { return http::Response{}; });
  reply([] { return http::Response{}; });
  EXPECT_EQ(answered, 2);
  const auto histogram = times.read(0);
  std::uint64_t sum = 0;
  for (const std::uint64_t count : histogram.buckets) sum += count;
  EXPECT_EQ(sum, 1U);
  request.method = "BREW";
  times.timed(request, [](const http::Answer&) {})([] { return http::Response{}; });
  EXPECT_GT(times.read(2).buckets[0] + times.read(2).buckets[1], 0U) << "another method";
}

class Counted {
 public:
  Counted() : counts(core) {
    tell(PolicySet{named_policies().front()});
    tell(QueueSet{{"default", ""}});
    NodeSpec node;
    node.name = "a";
    node.gpu_model = "H100";
    node.gpus = 4;
    node.cpu = CpuMilli{8000};
    tell(NodeJoined{NodeId{0}, node});
  }
  void tell(Event::Body body) {
    const Event event{now, EventSeq{++seq}, std::move(body)};
    counts.after(event, core.step(event), core);
  }

  control::Controller core{control::Config{}};
  CoreCounts counts;
  Time now{seconds(100).ns};
  std::uint64_t seq = 0;
};

TEST(CoreCounts, GpuTimeIsWhatJobsHoldTimesHowLong) {
  Counted it;
  JobSpec spec;
  spec.tasks.resize(1);
  spec.tasks[0].request.gpus = 2;
  spec.launch.command = {"x"};
  it.tell(JobSubmitted{JobId{1}, spec, {}});
  EXPECT_EQ(it.counts.read(it.now).gpu_milli, 2000);
  it.now = it.now + seconds(10);
  it.tell(TaskStarted{JobId{1}, 1, 0, {}});
  EXPECT_DOUBLE_EQ(it.counts.read(it.now + seconds(5)).gpu_seconds, 30);
  it.now = it.now + seconds(5);
  it.tell(TaskEnded{JobId{1}, 1, 0, {}});
  const auto read = it.counts.read(it.now + seconds(1000));
  EXPECT_DOUBLE_EQ(read.gpu_seconds, 30) << "it holds nothing any more";
  EXPECT_EQ(read.gpu_milli, 0);
  EXPECT_EQ(read.starts, 1U);
  EXPECT_EQ(read.events, 6U);
  EXPECT_EQ(read.transitions.at({JobState::Succeeded, Termination::Completed}), 1U);
}

TEST(CoreCounts, TakesUpWithWhatIsHeldAlready) {
  Counted it;
  JobSpec spec;
  spec.tasks.resize(1);
  spec.tasks[0].request.gpus = 3;
  spec.launch.command = {"x"};
  it.tell(JobSubmitted{JobId{1}, spec, {}});
  EXPECT_EQ(CoreCounts(it.core).read(it.now).gpu_milli, 3000);
}

TEST(GpuWatch, KeepsTheLatestOfEachDevice) {
  GpuWatch watch;
  observe::GpuReading reading;
  reading.facts.uuid = "GPU-a";
  reading.sample.at = Time{seconds(1).ns};
  reading.sample[GpuMetric::Utilisation] = 40;
  reading.fresh = true;
  watch.report("a", {reading});
  reading.sample.at = Time{seconds(2).ns};
  reading.sample[GpuMetric::Utilisation] = 60;
  watch.report("a", {reading});
  reading.fresh = false;  // told again, not read again
  watch.report("a", {reading});
  const auto gpus = watch.read("a");
  ASSERT_EQ(gpus.size(), 1U);
  const auto& minute = gpus[0].minute[static_cast<std::size_t>(GpuMetric::Utilisation)];
  ASSERT_TRUE(minute);
  EXPECT_EQ(minute->mean, 50);
  EXPECT_EQ(minute->samples, 2U);
  reading.sample.health = GpuHealth::Lost;
  reading.fresh = true;
  watch.report("a", {reading});
  EXPECT_EQ(watch.read("a")[0].latest.health, GpuHealth::Lost);
  EXPECT_TRUE(watch.read("b").empty());
  EXPECT_EQ(watch.read_all().size(), 1U);
}

}  // namespace
}  // namespace gyre::server
