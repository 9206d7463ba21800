#include "sim/report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sim/report/plot.h"
#include "sim/report/recorder.h"
#include "sim/report/text.h"

namespace gyre::sim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

SimulationReport small_report() {
  SimulationReport report;
  report.trace = {"t<1>.csv", "csv", 2, 1};
  report.fleet = {4, 32, 1};
  report.seed = 7;
  report.notes = {"a \"note\""};
  report.job_names = {"=a,b", "c"};
  report.queue_names = {"default"};
  report.job_queues = {0, 0};
  PolicyResult r;
  r.policy = "fifo";
  r.jobs = 2;
  r.finished = 1;
  r.rejected = 1;
  r.makespan_s = 7200.5;
  r.wait = {1, 0.1, 0.25, 60, 3600};
  r.jct = {1, 100, 90, 200, 300};
  r.longest_wait_s = 90061;
  r.gpu_allocation_mean = 0.5;
  r.gpu_allocation_peak = 1;
  r.fragmentation_mean = 0.125;
  r.fragmented_gpus_mean = 1.5;
  r.preemptions = 3;
  r.lost_gpu_hours = 1.5;
  r.events = 1234;
  r.wall_s = 0.25;
  r.outcomes = {{0, JobState::Succeeded, Termination::Completed, 1, 0, Time{},
                 Time{} + milliseconds(250), Time{} + seconds(7), GpuMilli{500}},
                {1, JobState::Failed, Termination::NeverFits, 0, 0, Time{} + seconds(5),
                 std::nullopt, Time{} + seconds(5), GpuMilli{8000}}};
  r.series = {{Time{} + seconds(5), 500, 32000, 1, 1}, {Time{} + seconds(9), 0, 32000, 0, 0}};
  report.results = {r};
  return report;
}

TEST(ReportJson, IsTheInterfaceThatScriptsReadFirstThenMore) {
  EXPECT_EQ(
      to_json(small_report()),
      R"({"trace":{"jobs":2,"skipped":1,"name":"t<1>.csv","format":"csv"},"results":[{)"
      R"("policy":"fifo","jobs":2,"finished":1,"rejected":1,"makespan_s":7200.5,)"
      R"("wait_s":{"mean":0.1,"p50":0.25,"p90":60,"p99":3600},)"
      R"("jct_s":{"mean":100,"p50":90,"p90":200,"p99":300},)"
      R"("gpu_allocation_ratio":{"mean":0.5,"peak":1},"fragmentation_ratio":{"mean":0.125},)"
      R"("preemptions":3,"lost_gpu_hours":1.5,"events":1234,"wall_s":0.25,"peak_rss_mib":null,)"
      R"("failed":0,"waiting_at_end":0,"placed_at_end":0,"node_failures":0,)"
      R"("fragmented_gpus":{"mean":1.5},"bounded_slowdown":{"mean":0},"fairness":null,)"
      R"("longest_wait_s":90061,"starved":null,)"
      R"("prediction_fallbacks":{"absurd":0,"overrun":0,"unseen":0},"cut_short_at_s":null}],)"
      R"("fleet":{"nodes":4,"gpus":32,"partitions":1},"seed":7,"notes":["a \"note\""]})"
      "\n");
}

TEST(ReportTable, GivesEveryNumberAUnitAndSaysNothingOfWhatDidNotHappen) {
  const std::string table = to_table(small_report());
  EXPECT_THAT(table, HasSubstr("2 jobs of t<1>.csv (1 malformed rows skipped) on 4 nodes with 32 "
                               "GPUs, seed 7"));
  EXPECT_THAT(table, HasSubstr("\nmakespan                        2.0 h\n"));
  EXPECT_THAT(table, HasSubstr("\nwork lost                   1.5 GPU h\n"));
  EXPECT_THAT(table, HasSubstr("\ntime to simulate               0.25 s\n"));
  EXPECT_THAT(table, HasSubstr("note: a \"note\"\n"));
  EXPECT_THAT(table, Not(HasSubstr("node failures")));
  EXPECT_THAT(table, Not(HasSubstr("memory")));
}

TEST(ReportTable, TellsOfTheStarvedOnlyWhereThereAreAny) {
  SimulationReport report = small_report();
  EXPECT_THAT(to_table(report), HasSubstr("\nwait in all, longest           25.0 h\n"));
  report.results[0].starved = 0;
  EXPECT_THAT(to_table(report), Not(HasSubstr("starve_after")));
  report.results[0].starved = 2;
  EXPECT_THAT(to_table(report), HasSubstr("\n  waited beyond starve_after     2 jobs\n"));
  EXPECT_THAT(to_json(report), HasSubstr(R"("longest_wait_s":90061,"starved":2)"));
}

TEST(ReportTable, WritesNumbersForPeople) {
  EXPECT_EQ(span_text(0), "0 s");
  EXPECT_EQ(span_text(59.96), "60.0 s");
  EXPECT_EQ(span_text(600), "10.0 min");
  EXPECT_EQ(span_text(36'000), "10.0 h");
  EXPECT_EQ(span_text(864'000), "10.0 d");
  EXPECT_EQ(count_text(999), "999");
  EXPECT_EQ(count_text(1'234'567), "1,234,567");
}

TEST(ReportFiles, AreTablesPlotsASummaryAndAPage) {
  const std::vector<OutputFile> files = output_files(small_report());
  std::vector<std::string> names;
  for (const OutputFile& file : files) names.push_back(file.name);
  EXPECT_THAT(names, ElementsAre("jobs-fifo.csv", "timeseries-fifo.csv", "summary.json",
                                 "allocation.svg", "queue.svg", "wait.svg", "report.html"));
  EXPECT_EQ(files[0].content,
            "id,queue,gpus,submitted_s,started_s,ended_s,wait_s,jct_s,state,cause,attempts,"
            "preemptions\n"
            "\"'=a,b\",default,0.5,0,0.25,7,0.25,7,succeeded,completed,1,0\n"
            "c,default,8,5,,5,,,failed,never_fits,0,0\n");
  EXPECT_EQ(files[1].content,
            "time_s,gpus_allocated,gpus_up,jobs_waiting,jobs_placed\n5,0.5,32,1,1\n9,0,32,0,0\n");
  EXPECT_THAT(files[2].content, Not(HasSubstr("wall_s"))) << "nothing measured on the machine";
  EXPECT_THAT(files[6].content, HasSubstr("t&lt;1&gt;.csv"));
  EXPECT_THAT(files[6].content, Not(HasSubstr("t<1>")));
  for (const char* from_elsewhere : {"src=", "href=", "url("}) {
    EXPECT_THAT(files[6].content, Not(HasSubstr(from_elsewhere)));
  }
}

TEST(ReportPlots, StandAlsoWithoutAnyJob) {
  SimulationReport empty = small_report();
  empty.results[0].outcomes.clear();
  empty.results[0].series.clear();
  empty.results[0].makespan_s = 0;
  for (const Plot& plot : plots_of(empty)) {
    EXPECT_THAT(to_svg(plot, true), Not(HasSubstr("nan")));
    EXPECT_THAT(to_svg(plot, true), Not(HasSubstr("inf")));
  }
}

TEST(Spread, IsByNearestRank) {
  std::vector<Duration> spans;
  for (int i = 100; i >= 1; --i) spans.push_back(seconds(i));
  const Spread spread = spread_of(spans);
  EXPECT_EQ(spread.count, 100);
  EXPECT_EQ(spread.mean_s, 50.5);
  EXPECT_EQ(spread.p50_s, 50);
  EXPECT_EQ(spread.p90_s, 90);
  EXPECT_EQ(spread.p99_s, 99);
  std::vector<Duration> one{seconds(3)};
  EXPECT_EQ(spread_of(one).p50_s, 3);
  std::vector<Duration> none;
  EXPECT_EQ(spread_of(none).count, 0);
}

}  // namespace
}  // namespace gyre::sim
