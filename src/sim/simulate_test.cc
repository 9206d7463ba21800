#include "sim/simulate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "sim/report/comparison.h"
#include "sim/simulate_suite.h"
#include "sim/workload.h"

namespace gyre::sim {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

SimulateOptions options_for(const TraceFile& trace, const std::string& nodes,
                            const std::vector<std::string>& names) {
  SimulateOptions options;
  options.trace_path = trace.path();
  options.nodes = nodes;
  options.policies = policies(names);
  options.check = true;
  return options;
}

const std::string kHeader = "id,submit,duration,gpus,priority,preemptible\n";

TEST(Simulate, AQueueOfThreeOnOneNode) {
  const TraceFile trace(kHeader + "wide,0,100,4,,\nwhole,10,50,8,,\nsmall,20,30,2,,\n");
  const auto report = simulate(options_for(trace, "1x8", {"fifo", "easy"}));
  ASSERT_TRUE(report) << report.error().message;
  const PolicyResult& fifo = report->results[0];
  const PolicyResult& easy = report->results[1];
  EXPECT_EQ(fifo.finished, 3);
  EXPECT_EQ(fifo.makespan_s, 180) << "small waits behind whole";
  EXPECT_EQ(fifo.wait.mean_s, (0 + 90 + 130) / 3.0);
  EXPECT_EQ(easy.makespan_s, 150) << "small fits before whole can start";
  EXPECT_EQ(easy.wait.mean_s, (0 + 90 + 0) / 3.0);
  EXPECT_DOUBLE_EQ(easy.gpu_allocation_mean, (4 * 100 + 8 * 50 + 2 * 30) / (8 * 150.0));
  EXPECT_EQ(easy.gpu_allocation_peak, 1);
}

TEST(Simulate, PreemptionLosesWorkAndIsCounted) {
  const TraceFile trace(kHeader + "low,0,100,8,1,yes\nhigh,50,10,8,9,no\n");
  const auto report = simulate(options_for(trace, "1x8", {"preemptive"}));
  ASSERT_TRUE(report) << report.error().message;
  const PolicyResult& result = report->results[0];
  EXPECT_EQ(result.preemptions, 1);
  EXPECT_EQ(result.makespan_s, 160);
  EXPECT_DOUBLE_EQ(result.lost_gpu_hours, 50.0 * 8 / 3600);
}

TEST(Simulate, CountsWhatCanNeverRunAndWhatStillWaits) {
  const TraceFile trace(kHeader + "endless,0,,8,,\nhuge,1,10,99,,\nlater,2,10,8,,\n");
  const auto report = simulate(options_for(trace, "1x8", {"fifo"}));
  ASSERT_TRUE(report) << report.error().message;
  const PolicyResult& result = report->results[0];
  EXPECT_EQ(result.finished, 0);
  EXPECT_EQ(result.rejected, 1);
  EXPECT_EQ(result.placed_at_end, 1);
  EXPECT_EQ(result.waiting_at_end, 1);
}

TEST(Simulate, SaysWhyJobsAreRejected) {
  const TraceFile trace(kHeader + "wide,0,10,99,,\nhuge,1,10,50,,\nlarge,1,10,50,,\n");
  const auto report = simulate(options_for(trace, "1x8", {"fifo", "easy"}));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->notes,
              Contains(HasSubstr("3 jobs are rejected, 2 of them for what 'huge' is rejected for: "
                                 "this can never run: it asks for")));
}

TEST(Simulate, EndsARunWhoseNodesFailMoreOftenThanItsJobsCanBear) {
  const TraceFile trace(kHeader + "endless,0,86400,1,,\nshort,0,1,1,,\n");
  SimulateOptions options = options_for(trace, "1x8", {"fifo"});
  options.faults = {seconds(60), seconds(60), ""};
  const auto report = simulate(options);
  ASSERT_TRUE(report) << report.error().message;
  const PolicyResult& result = report->results[0];
  EXPECT_EQ(result.node_failures, FailureModel::failures_max(1));
  EXPECT_EQ(result.finished, 1U);
  ASSERT_TRUE(result.cut_short_at_s.has_value());
  EXPECT_GT(*result.cut_short_at_s, 20'000 * 60.0) << "up for 60 s between two failures";
  EXPECT_THAT(report->notes, Contains(HasSubstr("under fifo the run was ended after 20000 failures "
                                                "of nodes")));
  EXPECT_THAT(report->notes, Contains(HasSubstr(": 1 of 2 jobs had not ended")));
  const auto several = compare(options, 2);
  ASSERT_TRUE(several) << several.error().message;
  EXPECT_THAT(several->notes, Contains(HasSubstr("2 of 2 runs were ended before their jobs were")));
  options.execution.checkpoint_interval = seconds(10);
  EXPECT_EQ(simulate(options)->results[0].cut_short_at_s, std::nullopt);
}

TEST(Simulate, QueuesUseThePartitionOfTheirName) {
  const TraceFile nodes("name,gpus,partition\nn0,8,a\nn1,8,b\n");
  const TraceFile trace("id,submit,duration,gpus,queue\nj0,0,10,8,a\nj1,0,10,8,a\nj2,0,10,8,c\n");
  const auto report = simulate(options_for(trace, nodes.path(), {"fifo"}));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->results[0].makespan_s, 20) << "the node of b stays idle";
  EXPECT_EQ(report->results[0].rejected, 1);
  EXPECT_THAT(report->notes, Contains(HasSubstr("no node is in the partition of c")));
}

TEST(Simulate, PlansWithWhatJobsDeclare) {
  const TraceFile trace(
      "id,submit,duration,gpus,expected_duration\n"
      "first,0,100,8,100\nlong,1,1000,8,10\nshort,2,10,8,1000\nsilent,3,1,8,\n");
  const auto report = simulate(options_for(trace, "1x8", {"sjf"}));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->results[0].wait.mean_s, (0 + 99 + 1098 + 1107) / 4.0);
  EXPECT_THAT(report->notes, Not(Contains(HasSubstr("exact durations"))));
}

TEST(Simulate, CountsPredictionsThatItCouldNotGoBy) {
  const TraceFile trace(
      "id,submit,duration,gpus,expected_duration\n"
      "long,0,1000,8,100\nabsurd,1,10,8,20000d\nlater,500,10,8,10\n");
  const auto report = simulate(options_for(trace, "1x8", {"easy", "gyre"}));
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->results[0].fallbacks.absurd, 1U);
  EXPECT_EQ(report->results[0].fallbacks.overrun, 1U);
  EXPECT_EQ(report->results[1].fallbacks.overrun, 0U) << "it does not go by what is declared";
  EXPECT_THAT(to_table(*report), HasSubstr("predictions not gone by"));
  EXPECT_THAT(to_json(*report), HasSubstr(R"("prediction_fallbacks":{"absurd":1,"overrun":1,)"));
}

TEST(Simulate, RefusesWhatMakesNoSense) {
  const TraceFile trace(kHeader + "a,0,1,1,,\n");
  const auto refusal = [&](auto&& change) {
    SimulateOptions options = options_for(trace, "1x8", {"fifo"});
    change(options);
    const auto report = simulate(options);
    return report ? "" : report.error().message;
  };
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_THAT(refusal([](auto& o) { o.policies.clear(); }), HasSubstr("no policy"));
  EXPECT_THAT(refusal([](auto& o) { o.policies.push_back(o.policies[0]); }), HasSubstr("twice"));
  EXPECT_THAT(refusal([](auto& o) { o.nodes = "1y8"; }), HasSubstr("NODESxGPUS"));
  EXPECT_THAT(refusal([](auto& o) { o.trace_path = "missing.csv"; }), HasSubstr("missing.csv"));
  EXPECT_THAT(refusal([](auto& o) { o.limit = 0; }), HasSubstr("no job"));
  EXPECT_THAT(refusal([](auto& o) { o.execution.stop_latency = Duration{-1}; }), HasSubstr("year"));
  EXPECT_THAT(refusal([](auto& o) { o.execution.checkpoint_interval = Duration{0}; }),
              HasSubstr("cannot be 0"));
  EXPECT_THAT(refusal([](auto& o) { o.faults.mtbf = Duration{0}; }), HasSubstr("above 0"));
  EXPECT_THAT(refusal([](auto& o) {
                o.faults.mtbf = seconds(1);
                o.faults.trace_path = "f.json";
              }),
              HasSubstr("not both"));
}

TEST(Simulate, ShowsHowFarItIs) {
  std::string rows;
  for (int i = 0; i < 5000; ++i) rows += std::to_string(i) + ",0,1,1,,\n";
  const TraceFile trace(kHeader + rows);
  SimulateOptions options = options_for(trace, "2x8", {"fifo", "easy"});
  options.check = false;
  std::vector<Progress> seen;
  options.surroundings.progress = [&](const Progress& progress) { seen.push_back(progress); };
  double clock = 0;
  options.surroundings.wall_clock_s = [&] { return clock += 2; };
  const auto report = simulate(options);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_GE(seen.size(), 4);
  EXPECT_LT(seen.front().jobs_done, seen.front().jobs);
  EXPECT_EQ(seen.back().jobs_done, 5000);
  EXPECT_EQ(seen.back().policy, "easy");
  EXPECT_EQ(seen.back().policy_index, 1);
  EXPECT_EQ(report->results[0].wall_s, 2);
  EXPECT_EQ(report->results[0].peak_rss_mib, std::nullopt);
}

/// Keeps what it is given; fails at the given commit.
class TestJournal final : public control::Journal {
 public:
  TestJournal(std::uint64_t& events, bool fails) : events_(events), fails_(fails) {}
  void append(const Event&) override { ++events_; }
  void append(const Command&) override {}
  Result<void> commit() override {
    if (fails_) return fail(ErrorKind::Internal, "the disk is full");
    return {};
  }
  Result<void> save(const ControllerState&) override { return {}; }

 private:
  std::uint64_t& events_;
  bool fails_;
};

TEST(Simulate, KeepsAJournalWhenGivenOne) {
  const TraceFile trace(kHeader + "a,0,1,1,,\n");
  for (const bool fails : {false, true}) {
    std::uint64_t events = 0;
    SimulateOptions options = options_for(trace, "1x8", {"fifo"});
    options.surroundings.open_journal =
        [&](const PolicySpec&) -> Result<std::unique_ptr<control::Journal>> {
      return std::make_unique<TestJournal>(events, fails);
    };
    const auto report = simulate(options);
    EXPECT_EQ(report.has_value(), !fails);
    if (report) {
      EXPECT_EQ(report->results[0].events, events);
    } else {
      EXPECT_EQ(report.error().message, "the disk is full");
    }
  }
}

// --- splitting

TEST(Split, FillsWholeNodesAndPutsTheRestOnOneMore) {
  const Demand demand{20, kWholeGpu, {}, CpuMilli{20'000}, MemoryMib{2'000}, 0};
  const auto tasks = split(demand, 8);
  ASSERT_EQ(tasks.size(), 2);
  EXPECT_EQ(tasks[0].count, 2);
  EXPECT_EQ(tasks[0].request.gpus, 8);
  EXPECT_EQ(tasks[0].request.cpu, CpuMilli{8'000});
  EXPECT_EQ(tasks[1].count, 1);
  EXPECT_EQ(tasks[1].request.gpus, 4);
  EXPECT_EQ(tasks[1].request.memory, MemoryMib{400});
}

TEST(Fairness, ToBeBetterOffThanAloneIsNoUnfairness) {
  // Alone on half of the fleet b's jobs would run one after the other; beside a, who is served as
  // if alone, they run at once.
  std::string rows = "id,submit,duration,gpus,queue\n0,0,1000,1,a\n";
  for (int i = 0; i < 6; ++i) rows += std::to_string(i + 1) + ",0,1000,1,b\n";
  const TraceFile trace(rows);
  SimulateOptions options;
  options.trace_path = trace.path();
  options.nodes = "1x8";
  options.policies = policies({"fifo"});
  QueueSpec a{"a", ""};
  a.weight = 7;
  options.queues = {a, QueueSpec{"b", ""}};
  const auto report = simulate(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  const auto& fairness = report->results[0].fairness;
  ASSERT_TRUE(fairness.has_value());
  EXPECT_LE(fairness->rho_max, 1);
  EXPECT_DOUBLE_EQ(fairness->jain, 1);
}

TEST(Split, FollowsTheNumberOfNodesWhereTheTraceNamesIt) {
  const auto tasks = split({4, kWholeGpu, {}, CpuMilli{5}, {}, 2}, 8);
  ASSERT_EQ(tasks.size(), 1);
  EXPECT_EQ(tasks[0].count, 2);
  EXPECT_EQ(tasks[0].request.gpus, 2);
  EXPECT_EQ(tasks[0].request.cpu, CpuMilli{3});
}

TEST(Split, GoesByTheLargestNodeThatTheJobMayUse) {
  Trace trace;
  trace.queues = {"default"};
  trace.demands = {{8, kWholeGpu, {"T4"}, {}, {}, 0}, {8, kWholeGpu, {}, {}, {}, 0}};
  trace.jobs.resize(2);
  trace.jobs[1].demand = 1;
  const Workload workload = make_workload(trace, *parse_shape("2x8:A100,2x4:T4"));
  EXPECT_EQ(task_count(workload.gangs[workload.gang_of[0]]), 2);
  EXPECT_EQ(task_count(workload.gangs[workload.gang_of[1]]), 1);
}

TEST(Queues, WhatIsNamedInVainAndWhoFindsNoRoomIsNoted) {
  const TraceFile trace(
      "id,submit,duration,gpus,queue,preemptible\n"
      "a,0,10,1,team,no\nb,0,10,1,other,no\nc,0,10,1,other,yes\n");
  SimulateOptions options;
  options.trace_path = trace.path();
  options.nodes = "1x8";
  options.policies = policies({"gyre"});
  QueueSpec team{"team", ""};
  team.guaranteed.gpu_milli = 8000;
  options.queues = {team, QueueSpec{"tema", ""}};
  options.check = true;
  const auto report = simulate(options);
  ASSERT_TRUE(report.has_value()) << report.error().message;
  EXPECT_THAT(report->notes, Contains("no job of the trace is in queue tema of the queue file"));
  EXPECT_THAT(report->notes, Contains(HasSubstr("1 jobs of queue 'other' may not be preempted")));
  EXPECT_EQ(report->results[0].finished, 2U);
  EXPECT_EQ(report->results[0].waiting_at_end, 1U);
  options.execution.all_preemptible = true;
  EXPECT_EQ(simulate(options)->results[0].finished, 3U);
}

TEST(Queues, WhoAsksForMoreThanALimitEverAllowsIsNoted) {
  const TraceFile trace("id,submit,duration,gpus,queue\na,0,10,1,team\nb,0,10,1,lost\n");
  SimulateOptions options = options_for(trace, "1x8", {"fifo"});
  QueueSpec team{"team", ""};
  team.gpu_milli_max = 0;
  options.queues = {team, QueueSpec{"lost", "nowhere"}};
  const auto report = simulate(options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_THAT(report->notes, Contains(HasSubstr("1 jobs of queue 'team' ask for more than its "
                                                "limits")));
  EXPECT_THAT(report->notes, Contains("a job is rejected, 'b': no node has joined that queue "
                                      "'lost' may use"));
}

// --- whatever comes

/// A trace, a fleet and mishaps by chance, all within what a fleet can ever finish.
struct RandomRun {
  std::string rows;
  std::string nodes;
  SimulateOptions options;
};

RandomRun random_run() {
  const auto pick = [](int low, int high) { return *rc::gen::inRange(low, high + 1); };
  RandomRun run;
  const int jobs = pick(1, 60);
  for (int i = 0; i < jobs; ++i) {
    const int gpus = pick(0, 24);
    const bool share = gpus == 1 && pick(0, 1) == 1;
    run.rows += "j" + std::to_string(i) + "," + std::to_string(pick(0, 500)) + "," +
                std::to_string(pick(0, 300)) + "," + std::to_string(gpus) + "," +
                (share ? std::to_string(pick(1, 1000)) : "") + "," + (pick(0, 4) == 0 ? "T4" : "") +
                "," + std::to_string(pick(0, 40)) + "," + std::to_string(pick(0, 10)) + "," +
                (pick(0, 1) == 1 ? "yes" : "no") + "," + (pick(0, 1) == 1 ? "10s" : "") + "\n";
  }
  run.nodes = std::to_string(pick(1, 4)) + "x" + std::to_string(pick(1, 8)) + ":V100," +
              std::to_string(pick(1, 3)) + "x" + std::to_string(pick(1, 4)) + ":T4";
  run.options.seed = static_cast<std::uint64_t>(pick(0, 1'000'000));
  run.options.execution.start_latency = seconds(pick(0, 5));
  run.options.execution.stop_latency = seconds(pick(0, 40));
  run.options.execution.restart_overhead = seconds(pick(0, 5));
  if (pick(0, 2) == 0) {
    run.options.faults.mtbf = seconds(pick(2000, 5000));
    run.options.faults.mttr = seconds(pick(1, 100));
  }
  return run;
}

RC_GTEST_PROP(SimulateProperty, EveryJobEndsAndNoInvariantBreaks, ()) {
  RandomRun run = random_run();
  const TraceFile trace(
      "id,submit,duration,gpus,gpu_milli,gpu_model,cpu,priority,preemptible,checkpoint_interval\n" +
      run.rows);
  run.options.trace_path = trace.path();
  run.options.nodes = run.nodes;
  run.options.policies = named_policies();
  run.options.check = true;
  const auto report = simulate(run.options);
  if (!report) RC_FAIL(report.error().message);
  for (const PolicyResult& result : report->results) {
    if (result.finished + result.rejected != result.jobs) RC_FAIL(to_table(*report));
    RC_ASSERT(result.gpu_allocation_peak <= 1);
  }
}

RC_GTEST_PROP(SimulateProperty, TheSameSeedGivesTheSameBytes, ()) {
  RandomRun run = random_run();
  const TraceFile trace(
      "id,submit,duration,gpus,gpu_milli,gpu_model,cpu,priority,preemptible,checkpoint_interval\n" +
      run.rows);
  run.options.trace_path = trace.path();
  run.options.nodes = run.nodes;
  run.options.policies = policies({"preemptive"});
  run.options.keep_jobs = true;
  const auto first = simulate(run.options);
  const auto second = simulate(run.options);
  if (!first || !second) RC_FAIL("refused");
  const auto first_files = output_files(*first);
  const auto second_files = output_files(*second);
  RC_ASSERT(first_files.size() == second_files.size());
  for (std::size_t i = 0; i < first_files.size(); ++i) {
    RC_ASSERT(first_files[i].content == second_files[i].content);
  }
}

/// FNV-1a of the tables, the plots and the averages of a run.
std::string fingerprint(const SimulationReport& report) {
  std::string text;
  for (const OutputFile& file : output_files(report)) {
    if (file.name.ends_with(".csv") || file.name.ends_with(".svg")) text += file.content;
  }
  for (const PolicyResult& result : report.results) {
    text += fmt::format("{} {} {} {}", result.wait.mean_s, result.gpu_allocation_mean,
                        result.fragmentation_mean, result.lost_gpu_hours);
  }
  std::uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  }
  return fmt::format("{:016x}", hash);
}

/// The same bytes from every compiler, build and machine. Where a policy or the report is meant to
/// change, the values are to be taken anew; from each compiler they must be the same.
TEST(SimulateDeterminism, TheseInputsGiveTheseBytesEverywhere) {
  const auto run = [](std::uint64_t seed, const char* policy) {
    SimulateOptions options;
    options.trace_path = GYRE_SOURCE_DIR "/data/philly-excerpt.csv";
    options.nodes = "18x8:P100,8x2:T4";
    options.policies = policies({policy});
    options.seed = seed;
    options.keep_jobs = true;
    options.faults.mtbf = seconds(2'000'000);
    options.execution = {seconds(7), seconds(3), seconds(60), seconds(1800)};
    const auto report = simulate(options);
    return report ? fingerprint(*report) : report.error().message;
  };
  struct Case {
    std::uint64_t seed;
    const char* policy;
    const char* bytes;
  };
  for (const Case& one : {
           Case{1, "fifo", "a79a30bb35a51e8f"},
           {1, "easy", "e1bdb12de7d3f169"},
           {1, "preemptive", "a25aa83685896ff6"},
           {2, "preemptive", "3334f909149d8853"},
           {1, "priority", "f01940b072688bfc"},
           {1, "sjf", "dcee0badb11214fc"},
           {1, "srtf", "9486a8064a543a54"},
           {1, "qssf", "4baa7dbd132c2505"},
           {1, "tiresias", "39a78b79f5471285"},
           {1, "conservative", "19f1b9ffc5dbbde1"},
           {1, "gyre", "c68f626e37c58452"},
           {1, "easy+random", "0fcd01391f55f57b"},
           {1, "easy+dot-product", "a37df85b485371e7"},
           {1, "easy+gpu-clustering", "3669b8a550aa86a9"},
           {1, "easy+gpu-packing", "79bcdd3b7a71f12e"},
           {1, "easy+weighted-best-fit", "34fbca24906cdf74"},
           {1, "easy+fgd", "7e299782358c7444"},
           {1, "easy+lookahead", "dc9b78878aa4bd5a"},
       }) {
    EXPECT_EQ(run(one.seed, one.policy), one.bytes) << one.policy;
  }
}

// --- real traces

/// The folder of real traces; the test that asks is skipped where there is none.
std::string shared_data() {
  const char* given = std::getenv("GYRE_SHARED_DATA");
  const std::string folder = given != nullptr ? given : GYRE_SOURCE_DIR "/../shared/data";
  return std::filesystem::exists(folder + "/openb") ? folder : "";
}

#define SHARED_DATA_OR_SKIP(folder)         \
  const std::string folder = shared_data(); \
  if (folder.empty()) GTEST_SKIP() << "no shared data: set GYRE_SHARED_DATA to its folder"

SimulateOptions real(const std::string& trace, const std::string& nodes,
                     const std::vector<std::string>& names) {
  SimulateOptions options;
  options.trace_path = trace;
  options.nodes = nodes;
  options.policies = policies(names);
  options.check = true;
  return options;
}

TEST(SimulateReal, TheBundledExcerptTellsPoliciesApart) {
  const auto report = simulate(
      real(GYRE_SOURCE_DIR "/data/philly-excerpt.csv", "16x8", {"fifo", "easy", "preemptive"}));
  ASSERT_TRUE(report) << report.error().message;
  for (const PolicyResult& result : report->results) EXPECT_EQ(result.finished, 2400);
  EXPECT_LT(2 * report->results[1].wait.mean_s, report->results[0].wait.mean_s);
  EXPECT_LT(2 * report->results[2].wait.mean_s, report->results[1].wait.mean_s);
  EXPECT_GT(report->results[2].preemptions, 0);
}

TEST(SimulateReal, EveryOpenbVariantIsReadAndPlaced) {
  SHARED_DATA_OR_SKIP(data);
  for (const char* variant : {"default", "cpu050", "gpushare40", "gpushare100", "gpuspec10",
                              "gpuspec33", "multigpu20", "multigpu50"}) {
    const auto report =
        simulate(real(data + "/openb/openb_pod_list_" + variant + ".csv",
                      data + "/openb/openb_node_list_all_node.csv", {"preemptive"}));
    ASSERT_TRUE(report) << report.error().message;
    const PolicyResult& result = report->results[0];
    EXPECT_GT(result.jobs, 7000) << variant;
    EXPECT_EQ(result.finished + result.rejected + result.waiting_at_end + result.placed_at_end,
              result.jobs);
    const bool has_times = !std::string_view(variant).starts_with("multigpu");
    EXPECT_EQ(result.finished + result.rejected, has_times ? result.jobs : 0) << variant;
    EXPECT_LE(result.rejected, 2) << variant;
  }
}

TEST(SimulateReal, PhillyOnItsVirtualClustersAndShared) {
  SHARED_DATA_OR_SKIP(data);
  const std::string trace = data + "/philly/philly_jobs.csv";
  const auto isolated = simulate(real(trace, data + "/philly/philly_vc.csv", {"fifo"}));
  ASSERT_TRUE(isolated) << isolated.error().message;
  EXPECT_EQ(isolated->results[0].rejected, 12) << "two virtual clusters have no nodes";
  const auto shared = simulate(real(trace, "80x8", {"easy"}));
  ASSERT_TRUE(shared) << shared.error().message;
  EXPECT_EQ(shared->results[0].finished, 28'032);
}

/// The averages that two other simulators agree on (Helios' own and an event-driven one), for jobs
/// of two months on a virtual cluster of its own: strictly in order, consolidated placement.
TEST(SimulateReal, PhillyFifoAndSjfEqualPublishedSimulators) {
  SHARED_DATA_OR_SKIP(data);
  struct Known {
    std::string cluster;
    std::string nodes;
    std::string policy;
    double jct_s;
    double wait_s;
  };
  for (const Known& known : {Known{"103959", "8x8", "fifo", 24783.52, 246.21},
                             Known{"11cb48", "16x8", "fifo", 3110.67, 240.98},
                             Known{"11cb48", "16x8", "sjf", 3059.07, 189.39}}) {
    std::ifstream all(data + "/philly/philly_jobs.csv");
    std::string line;
    std::getline(all, line);
    std::string text = line + "\n";
    while (std::getline(all, line)) {
      const bool in_window = line >= "2017-10-01" && line < "2017-12-01";
      if (in_window && line.ends_with("," + known.cluster)) text += line + "\n";
    }
    const TraceFile trace(text);
    const auto report = simulate(options_for(trace, known.nodes, {known.policy}));
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_NEAR(report->results[0].jct.mean_s, known.jct_s, 0.005) << known.cluster;
    EXPECT_NEAR(report->results[0].wait.mean_s, known.wait_s, 0.005) << known.cluster;
  }
}

TEST(SimulateReal, NodesFailAsInAFaultTrace) {
  SHARED_DATA_OR_SKIP(data);
  SimulateOptions options =
      real(GYRE_SOURCE_DIR "/data/philly-excerpt.csv", "64x8", {"easy", "preemptive"});
  options.faults.trace_path = data + "/failures/infinitehbd_fault_trace.json";
  options.execution.checkpoint_interval = seconds(3600);
  const auto report = simulate(options);
  ASSERT_TRUE(report) << report.error().message;
  for (const PolicyResult& result : report->results) {
    EXPECT_EQ(result.finished, result.jobs);
    EXPECT_GT(result.node_failures, 0);
    EXPECT_GT(result.lost_gpu_hours, 0);
  }
}

}  // namespace
}  // namespace gyre::sim
