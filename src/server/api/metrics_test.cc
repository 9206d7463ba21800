#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>

#include "control/controller.h"
#include "server/api/gpu_watch.h"
#include "server/api/metrics_text.h"
#include "server/api/process_metrics.h"
#include "server/api/telemetry.h"

namespace gyre::server {
namespace {

TEST(MetricsText, WritesAFamilyAndItsSamples) {
  MetricsText out;
  out.family("gyre_x", "gauge", "What it is:\na \\ b.");
  out.sample({}, 1.5);
  out.sample({{"a", "say \"hi\"\n"}, {"b", "c\\d"}}, 3);
  EXPECT_EQ(out.take(),
            "# HELP gyre_x What it is:\\na \\\\ b.\n# TYPE gyre_x gauge\ngyre_x 1.5\n"
            "gyre_x{a=\"say \\\"hi\\\"\\n\",b=\"c\\\\d\"} 3\n");
}

TEST(MetricsText, LabelsMayBeWrittenOnceForMany) {
  const MetricsText::Labels labels{{"a", "say \"hi\""}, {"b", ""}};
  const std::string written = MetricsText::written(labels);
  for (const double value : {0.0, -3.0, 1.5, 1e15 - 1, 1e15, 1e300, -0.25}) {
    MetricsText out;
    MetricsText same;
    out.family("x", "gauge", "y");
    same.family("x", "gauge", "y");
    out.sample(labels, value);
    same.sample_of(written, value);
    const std::string text = out.take();
    EXPECT_EQ(text, same.take());
    EXPECT_DOUBLE_EQ(std::stod(text.substr(text.rfind(' '))), value);
  }
}

TEST(ProcessMetrics, TellWhatThisProcessUses) {
  MetricsText out;
  write_process(out);
  const std::string text = out.take();
  const auto value = [&text](const std::string& name) {
    const std::size_t at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + name.size() + 2));
  };
  EXPECT_GE(value("process_cpu_seconds_total"), 0) << text;
  EXPECT_GT(value("process_resident_memory_bytes"), 1 << 20) << text;
  EXPECT_GE(value("process_open_fds"), 1) << text;
  const double now = static_cast<double>(std::time(nullptr));
  EXPECT_GT(value("process_start_time_seconds"), now - 86'400) << text;
  EXPECT_LE(value("process_start_time_seconds"), now + 1) << text;
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
  explicit Counted(const control::Config& config = {}) : core(config), counts(core) {
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
    counts.before(event);
    counts.after(event, core.step(event), core);
  }

  control::Controller core;
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
  EXPECT_DOUBLE_EQ(it.counts.read(it.now + seconds(5)).gpu_seconds.allocated, 30);
  EXPECT_DOUBLE_EQ(it.counts.read(it.now + seconds(5)).gpu_seconds.idle, 30);
  it.now = it.now + seconds(5);
  it.tell(TaskEnded{JobId{1}, 1, 0, {}});
  const auto read = it.counts.read(it.now + seconds(1000));
  EXPECT_DOUBLE_EQ(read.gpu_seconds.allocated, 30) << "it holds nothing any more";
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

JobSpec two_gpus() {
  JobSpec spec;
  spec.tasks.resize(1);
  spec.tasks[0].request.gpus = 2;
  spec.launch.command = {"x"};
  spec.queue = "default";
  return spec;
}

std::uint64_t sum_of(const Histogram& histogram) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : histogram.buckets()) sum += count;
  return sum;
}

TEST(CoreCounts, LostNodesAreBrokenAndNotIdle) {
  Counted it;
  it.now = it.now + seconds(10);
  it.tell(NodeLost{NodeId{0}, "gone"});
  it.tell(NodeLost{NodeId{0}, "told again"});
  it.tell(NodeLost{NodeId{7}, "of a node that never was"});
  const auto read = it.counts.read(it.now + seconds(5));
  EXPECT_DOUBLE_EQ(read.gpu_seconds.idle, 40);
  EXPECT_DOUBLE_EQ(read.gpu_seconds.broken, 20);
  it.tell(NodeReturned{NodeId{0}});
  EXPECT_EQ(it.counts.read(it.now).gpu_milli_up, 4000);
  EXPECT_EQ(it.counts.read(it.now).gpu_milli_down, 0);
  EXPECT_EQ(CoreCounts(it.core).read(it.now).gpu_milli_up, 4000);
}

TEST(CoreCounts, WaitsAreCountedOnceByQueueAndSize) {
  Counted it;
  it.tell(JobSubmitted{JobId{1}, two_gpus(), {}});
  it.tell(JobSubmitted{JobId{2}, two_gpus(), {}});
  it.tell(JobSubmitted{JobId{3}, two_gpus(), {}});
  it.now = it.now + seconds(40);
  it.tell(TaskEnded{JobId{1}, 1, 0, {}});
  const auto read = it.counts.read(it.now);
  ASSERT_EQ(read.waits.size(), 1U);
  const auto& [key, waits] = *read.waits.begin();
  EXPECT_EQ(key.queue, "default");
  EXPECT_EQ(key.gpus, "2-8");
  EXPECT_EQ(sum_of(waits), 3U);
  EXPECT_DOUBLE_EQ(waits.sum(), 40);
}

TEST(CoreCounts, StartsAreCountedByStageAndOnlyThoseThatTheNodeTold) {
  Counted it;
  StartStages stages;
  stages.received = Time{1};
  stages.image = seconds(2);
  stages.warm = true;
  it.tell(JobSubmitted{JobId{1}, two_gpus(), {}});
  it.tell(TaskStarted{JobId{1}, 9, 0, stages});
  it.tell(TaskStarted{JobId{1}, 1, 0, {}});
  EXPECT_TRUE(it.counts.read(it.now).start_stages.empty());
  it.tell(TaskStarted{JobId{1}, 1, 0, stages});
  const auto read = it.counts.read(it.now);
  EXPECT_EQ(read.start_stages.size(), 5U);
  EXPECT_DOUBLE_EQ(read.start_stages.at({"image", true}).sum(), 2);
}

TEST(CoreCounts, AnEventIsBehindUntilItIsDurable) {
  Counted it;
  EXPECT_EQ(it.counts.read(it.now).events_not_durable, 3U);
  it.counts.committed(EventSeq{2});
  EXPECT_EQ(it.counts.read(it.now).events_not_durable, 1U);
  it.counts.committed(EventSeq{3});
  const auto read = it.counts.read(it.now);
  EXPECT_EQ(sum_of(read.journal_lag), 3U);
  EXPECT_EQ(sum_of(read.decisions), 3U);
  EXPECT_EQ(read.budget_hits, 0U);
}

TEST(CoreCounts, ACycleThatRunsOutOfWorkIsCounted) {
  Counted it({.cycle_work_max = 1});
  std::uint64_t hits = 0;
  const auto tell = [&](Event::Body body) {
    it.tell(std::move(body));
    hits += it.core.has_leftover() ? 1 : 0;
  };
  for (std::uint64_t id = 1; id <= 8; ++id) tell(JobSubmitted{JobId{id}, two_gpus(), {}});
  for (std::uint64_t id = 1; id <= 2; ++id) tell(TaskEnded{JobId{id}, 1, 0, {}});
  EXPECT_GT(hits, 0U);
  EXPECT_EQ(it.counts.read(it.now).budget_hits, hits);
}

TEST(MetricsText, AHistogramIsCumulative) {
  MetricsText out;
  out.family("gyre_x_seconds", "histogram", "X.");
  constexpr std::array kBounds{0.5, 2.0};
  Histogram times(kBounds);
  times.add(milliseconds(500));
  times.add(seconds(1));
  times.add(seconds(3));
  times.add(seconds(-1));
  out.histogram({{"a", "b"}}, times.bounds(), times.buckets(), times.sum());
  EXPECT_EQ(out.take(),
            "# HELP gyre_x_seconds X.\n# TYPE gyre_x_seconds histogram\n"
            "gyre_x_seconds_bucket{a=\"b\",le=\"0.5\"} 2\n"
            "gyre_x_seconds_bucket{a=\"b\",le=\"2\"} 3\n"
            "gyre_x_seconds_bucket{a=\"b\",le=\"+Inf\"} 4\n"
            "gyre_x_seconds_sum{a=\"b\"} 4.5\ngyre_x_seconds_count{a=\"b\"} 4\n");
}

TEST(GpuWatch, BusyTimeIsByTheSmsWhereTheyTell) {
  GpuWatch watch;
  GpuReading reading;
  reading.fresh = true;
  const auto report = [&](std::int64_t at, std::int64_t percent) {
    reading.sample.at = Time{seconds(at).ns};
    reading.sample[GpuMetric::Utilisation] = percent;
    watch.report("a", {reading});
  };
  report(1, 100);  // how long it was so is not known
  report(3, 50);
  report(4, 0);
  auto usage = watch.read_all()[0].usage;
  EXPECT_DOUBLE_EQ(usage.seen_seconds, 3);
  EXPECT_DOUBLE_EQ(usage.busy_seconds, 1);
  EXPECT_EQ(usage.busy_at, Time{seconds(3).ns});
  EXPECT_FALSE(usage.by_sm);
  reading.sample[GpuMetric::SmActive] = 250'000;
  report(8, 100);
  report(100, 100);  // too long a gap
  usage = watch.read_all()[0].usage;
  EXPECT_TRUE(usage.by_sm);
  EXPECT_DOUBLE_EQ(usage.seen_seconds, 7);
  EXPECT_DOUBLE_EQ(usage.busy_seconds, 2);
}

TEST(GpuWatch, CountsWhoTellsAndWhoIsActive) {
  GpuWatch watch;
  GpuReading silent;
  silent.fresh = true;
  GpuReading idle = silent;
  GpuReading busy = silent;
  for (std::int64_t at = 1000; at <= 1030; at += 5) {
    for (GpuReading* one : {&silent, &idle, &busy}) one->sample.at = Time{seconds(at).ns};
    idle.sample[GpuMetric::Utilisation] = 1;
    busy.sample[GpuMetric::Utilisation] = 0;
    busy.sample[GpuMetric::SmActive] = at < 1020 ? 20'000 : 0;  // what SMs do is believed
    watch.report("a", {silent, idle, busy});
  }
  const auto at = [](std::int64_t s) { return Time{seconds(s).ns}; };
  EXPECT_EQ(watch.activity(at(1031)), (GpuWatch::Activity{2, 1}));
  EXPECT_EQ(watch.activity(at(1100)), (GpuWatch::Activity{0, 0})) << "that is too long ago";
  const auto hour = watch.activity(0, at(1045));
  ASSERT_EQ(hour.begins_at + hour.step * static_cast<std::int64_t>(hour.steps.size()), at(1050));
  const std::vector<std::optional<GpuWatch::Activity>> last(hour.steps.end() - 6, hour.steps.end());
  using Steps = std::vector<std::optional<GpuWatch::Activity>>;
  EXPECT_EQ(last, (Steps{std::nullopt, {{2, 1}}, {{2, 1}}, {{2, 0}}, {{2, 0}}, std::nullopt}));
  // A device that has a reading from after `now` does not move the others.
  EXPECT_EQ(watch.activity(0, at(1005)).steps.back(), std::optional(GpuWatch::Activity{2, 1}));
  watch.unheard("a");
  EXPECT_EQ(watch.activity(at(1031)).read, 0) << "nobody tells of them";
}

TEST(GpuWatch, KeepsTheLatestOfEachDevice) {
  GpuWatch watch;
  GpuReading reading;
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
