#include "sim/traces/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace gyre::sim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

Result<Trace> read(std::string text, const TraceOptions& options = {}) {
  return read_trace(text_source(std::move(text)), "t.csv", options);
}

/// The message that reading `text` ends with; empty if it is read.
std::string refusal(std::string text, const TraceOptions& options = {}) {
  const Result<Trace> trace = read(std::move(text), options);
  return trace ? "" : trace.error().message;
}

const std::string kOpenb =
    "name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,"
    "deletion_time,scheduled_time\n";
const std::string kPhilly = "timestamp,duration,num_gpus,gpu_time,cluster\n";
const std::string kCsv = "id,submit,duration,gpus\n";

// --- openb

TEST(OpenbTrace, ReadsWhatAPodAsksFor) {
  const auto trace = read(kOpenb +
                          "p0,12000,16384,1,460,V100M32|V100M16,LS,Running,100,400,150\n"
                          "p1,8000,30517,0,0,,BE,Running,90,100,\n");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->format, "openb");
  ASSERT_THAT(trace->jobs, SizeIs(2));
  const TraceJob& cpu_pod = trace->jobs[0];
  const TraceJob& gpu_pod = trace->jobs[1];
  EXPECT_EQ(trace->names[cpu_pod.row], "p1");
  EXPECT_EQ(cpu_pod.submit, Time{});
  EXPECT_EQ(cpu_pod.duration, seconds(10)) << "never scheduled: from creation to deletion";
  EXPECT_TRUE(cpu_pod.preemptible);
  EXPECT_EQ(gpu_pod.submit, Time{} + seconds(10));
  EXPECT_EQ(gpu_pod.duration, seconds(250)) << "from the start, not from the creation";
  EXPECT_GT(gpu_pod.priority, cpu_pod.priority);
  const Demand& demand = trace->demands[gpu_pod.demand];
  EXPECT_EQ(demand.gpus, 1);
  EXPECT_EQ(demand.gpu_milli, GpuMilli{460});
  EXPECT_EQ(demand.cpu, CpuMilli{12000});
  EXPECT_EQ(demand.memory, MemoryMib{16384});
  EXPECT_THAT(demand.gpu_models, ElementsAre("V100M16", "V100M32"));
}

TEST(OpenbTrace, WithoutTimesPodsArriveOneASecondAndNeverEnd) {
  const auto trace =
      read("name,cpu_milli,memory_mib,num_gpu,gpu_milli\na,1,1,1,1000\nb,1,1,8,1000\n");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->jobs[1].submit, Time{} + seconds(1));
  EXPECT_EQ(trace->jobs[1].duration, kEndless);
  EXPECT_THAT(trace->notes, ElementsAre(HasSubstr("has no times")));
}

TEST(OpenbTrace, RefusesWhatIsNoPod) {
  EXPECT_THAT(
      refusal(kOpenb + "p,1,1,1,460,,LS,Running,100,99,100\n"),
      AllOf(HasSubstr("t.csv:2: column 10 ('deletion_time'): '99'"), HasSubstr("negative")));
  EXPECT_THAT(refusal(kOpenb + "p,1,1,1,1001,,LS,Running,1,2,1\n"), HasSubstr("0 to 1000"));
  EXPECT_THAT(refusal(kOpenb + "p,1,1,1,0,,LS,Running,1,2,1\n"), HasSubstr("no share of a GPU"));
  EXPECT_THAT(refusal(kOpenb + "p,1,1,1,1000,,SOON,Running,1,2,1\n"), HasSubstr("'SOON'"));
  EXPECT_THAT(refusal(kOpenb + ",1,1,1,1000,,LS,Running,1,2,1\n"), HasSubstr("no name"));
}

// --- Philly

TEST(PhillyTrace, IsSortedByTimeAndKeepsTheFilesOrderOtherwise) {
  const auto trace = read(kPhilly +
                          "2017-10-09 07:01:55,66.0,1,66.0,b\n"
                          "2017-10-09 07:00:41,64.0,16,1024.0,a\n"
                          "2017-10-09 07:00:41,9.5,2,19.0,b\n\n");
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_THAT(trace->jobs, SizeIs(3));
  EXPECT_EQ(trace->names[trace->jobs[0].row], "job-3") << "named after its line";
  EXPECT_EQ(trace->names[trace->jobs[1].row], "job-4");
  EXPECT_EQ(trace->jobs[1].duration, milliseconds(9500));
  EXPECT_EQ(trace->jobs[2].submit, Time{} + seconds(74));
  EXPECT_THAT(trace->queues, ElementsAre("b", "a"));
  EXPECT_EQ(trace->demands[trace->jobs[0].demand].gpus, 16);
  EXPECT_LT(trace->jobs[0].priority, trace->jobs[2].priority);
  EXPECT_TRUE(trace->jobs[0].preemptible);
  EXPECT_FALSE(trace->jobs[2].preemptible);
}

TEST(PhillyTrace, TakesOnlyCalendarTimes) {
  EXPECT_EQ(refusal(kPhilly + "2016-02-29 23:59:59,1,1,1,a\n"), "");
  EXPECT_THAT(refusal(kPhilly + "2017-02-29 00:00:00,1,1,1,a\n"), HasSubstr("column 1"));
  EXPECT_THAT(refusal(kPhilly + "2017-10-09 24:00:00,1,1,1,a\n"), HasSubstr("2017-10-09 07:01:55"));
  EXPECT_THAT(refusal(kPhilly + "09.10.2017,1,1,1,a\n"), HasSubstr("neither"));
  EXPECT_THAT(refusal(kPhilly + "2017-10-09 07:01:55,1,1,1,\n"), HasSubstr("virtual cluster"));
}

// --- Gyre's own

TEST(CsvTrace, ReadsEveryColumn) {
  const auto trace = read(
      "id,submit,duration,gpus,gpu_milli,gpu_model,cpu,memory,nodes,queue,user,priority,"
      "preemptible,"
      "checkpoint_interval,expected_duration\n"
      "\"a,\"\"1\"\"\",0,1.5,1,250,A100|T4,500m,2GB,1,batch,eve,9,yes,10m,2h\n"
      "b,2,,16,,,,,2,,,,,,\n");
  ASSERT_TRUE(trace) << trace.error().message;
  const TraceJob& a = trace->jobs[0];
  EXPECT_EQ(trace->names[a.row], "a,\"1\"");
  EXPECT_EQ(a.duration, milliseconds(1500));
  EXPECT_EQ(a.checkpoint_interval, seconds(600));
  EXPECT_EQ(a.declared, seconds(7200));
  EXPECT_EQ(a.priority, 9);
  EXPECT_TRUE(a.preemptible);
  EXPECT_EQ(trace->queues[a.queue], "batch");
  EXPECT_EQ(trace->users[a.user], "eve");
  const Demand wanted{1, GpuMilli{250}, {"A100", "T4"}, CpuMilli{500}, MemoryMib{2048}, 1};
  EXPECT_EQ(trace->demands[a.demand], wanted);
  const TraceJob& b = trace->jobs[1];
  EXPECT_EQ(b.duration, kEndless) << "an empty duration";
  EXPECT_EQ(b.declared, kEndless);
  EXPECT_EQ(trace->queues[b.queue], "default");
  EXPECT_EQ(trace->demands[b.demand].nodes, 2);
}

TEST(CsvTrace, KnowsTheColumnsOfHeliosAndSaysWhatItLeavesOut) {
  const auto trace = read(
      "job_id,user,vc,gpu_num,cpu_num,node_num,state,submit_time,start_time,end_time,duration,"
      "queue\n"
      "1,u1,vcA,8,32,1,COMPLETED,2020-04-01 00:00:00,x,y,60,4\n");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->format, "csv");
  EXPECT_THAT(trace->queues, ElementsAre("vcA")) << "its 'queue' is a wait in seconds";
  EXPECT_EQ(trace->demands[0].cpu, CpuMilli{32000});
  EXPECT_THAT(trace->notes, ElementsAre(HasSubstr("state, start_time, end_time, queue")));
}

TEST(CsvTrace, WhoDeclaresNothingIsNoOracle) {
  const auto silent = read("id,submit,duration,gpus,expected_duration\na,0,60,1,\n");
  ASSERT_TRUE(silent) << silent.error().message;
  EXPECT_EQ(silent->jobs[0].declared, kEndless);
  EXPECT_EQ(read(kCsv + "a,0,60,1\n")->jobs[0].declared, seconds(60)) << "without the column";
}

TEST(CsvTrace, RefusesWhatIsNoEstimate) {
  const std::string header = "id,submit,duration,gpus,expected_duration\na,0,60,1,";
  for (const std::string wrong : {"0", "-5", "nan", "inf", "1e300", "200000d", "soon"}) {
    EXPECT_THAT(refusal(header + wrong + "\n"),
                AllOf(HasSubstr("t.csv:2: column 5 ('expected_duration')"), HasSubstr(wrong)));
  }
}

TEST(CsvTrace, SharesWhatIsEqual) {
  const auto trace = read(kCsv + "a,0,1,8\nb,1,2,8\nc,1,2,4\n");
  ASSERT_TRUE(trace);
  EXPECT_THAT(trace->demands, SizeIs(2));
  EXPECT_THAT(trace->queues, SizeIs(1));
}

// --- what the text may look like

TEST(TraceText, TakesCarriageReturnsAByteOrderMarkBlanksAndNoLastLineEnd) {
  const auto trace = read("\xEF\xBB\xBFid,submit,duration,gpus\r\n a , 0 ,5, 1 \r\n\r\nb,1,5,1");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_THAT(trace->jobs, SizeIs(2));
  EXPECT_EQ(trace->names[0], "a");
}

TEST(TraceText, IsReadUpToTheLimit) {
  const auto trace = read(kCsv + "a,0,1,1\nb,1,1,1\nthis row is never reached\n", {.limit = 2});
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_THAT(trace->jobs, SizeIs(2));
}

TEST(TraceText, WithoutAJobIsAnError) {
  EXPECT_THAT(refusal(""), HasSubstr("the file is empty"));
  EXPECT_THAT(refusal("\n\n"), HasSubstr("the file is empty"));
  EXPECT_THAT(refusal(kCsv), HasSubstr("a header but no job"));
  EXPECT_THAT(refusal(kCsv + "x\n", {.skip_bad_rows = true}),
              HasSubstr("all 1 rows are malformed"));
}

TEST(TraceText, NeedsAKnownHeader) {
  EXPECT_THAT(refusal("a,b\n1,2\n"), AllOf(HasSubstr("t.csv:1:"), HasSubstr("'id'"),
                                           HasSubstr("'gpus'"), HasSubstr("it reads 'a,b'")));
  EXPECT_THAT(refusal("id,id\n"), HasSubstr("two columns are named 'id'"));
  EXPECT_THAT(refusal(kCsv, {.format = "philly"}), HasSubstr("'timestamp'"));
  EXPECT_THAT(refusal(kCsv, {.format = "swf"}), HasSubstr("no trace format is named 'swf'"));
}

TEST(TraceText, MalformedRowsAreNamed) {
  EXPECT_THAT(refusal(kCsv + "a,0,1\n"), HasSubstr("t.csv:2: the row has 3 fields, the header 4"));
  EXPECT_THAT(refusal(kCsv + "a,0,1,1\n\na,5,1,1\n"),
              HasSubstr("t.csv:4: the job 'a' is already in line 2"));
  EXPECT_THAT(refusal(kCsv + "a,0,-1,1\n"),
              HasSubstr("t.csv:2: column 3 ('duration'): '-1' is negative"));
  EXPECT_THAT(refusal(kCsv + "a,0,\"1,1\n"), HasSubstr("does not end on its line"));
  EXPECT_THAT(refusal(kCsv + "a,0,\"1\"x,1\n"), HasSubstr("after its closing quote"));
  EXPECT_THAT(refusal(kCsv + "a,0,1\"2,1\n"), HasSubstr("a quote inside"));
  EXPECT_THAT(refusal(kCsv + std::string("a,0,1\0,1\n", 9)), HasSubstr("zero byte"));
  EXPECT_THAT(refusal(kCsv + std::string(100'000, 'x')), HasSubstr("more than 65536 bytes"));
}

TEST(TraceText, AbsurdNumbersAreRefused) {
  for (const std::string row :
       {"a,0,nan,1", "a,0,inf,1", "a,0,1e300,1", "a,99999999999999999999,1,1", "a,0,1,1e3",
        "a,0,1,99999999999999999999", "a,0,1,100001", "a,0,1,-1", "a,0,1,0x8", "a,0,1 2,1",
        "a,,1,1", "a,0,4000000000,1"}) {
    EXPECT_THAT(refusal(kCsv + row + "\n"), HasSubstr("t.csv:2: column")) << row;
  }
  EXPECT_THAT(refusal("id,submit,duration,gpus,gpu_milli\na,0,1,2,500\n"),
              HasSubstr("only one GPU can be shared"));
  EXPECT_THAT(refusal("id,submit,duration,gpus,nodes\na,0,1,9,2\n"),
              HasSubstr("cannot be split evenly"));
  EXPECT_THAT(refusal("id,submit,duration,gpus,memory\na,0,1,1,16GO\n"), HasSubstr("16GO"));
  EXPECT_THAT(refusal("id,submit,duration,gpus,priority\na,0,1,1,11\n"), HasSubstr("0 to 10"));
  EXPECT_THAT(refusal(kCsv + "a,-3000000000,1,1\nb,3000000000,1,1\n"),
              HasSubstr("100 years apart"));
}

TEST(TraceText, BadRowsAreCountedWhenAskedFor) {
  const auto trace =
      read(kCsv + "a,0,1,1\nb,0,-1,1\na,0,1,1\nc,0\nd,0,\"x,1\ne,3,1,1\n", {.skip_bad_rows = true});
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->skipped, 4);
  EXPECT_THAT(trace->jobs, SizeIs(2));
  EXPECT_THAT(trace->notes, IsEmpty());
}

/// A source whose bytes stop coming.
class BrokenSource final : public ByteSource {
 public:
  Result<std::size_t> read(std::span<char> into) override {
    if (reads_++ > 0) return fail(ErrorKind::Internal, "the disk is gone");
    const std::string text = kCsv + "a,0,1,1\n";
    std::copy(text.begin(), text.end(), into.begin());
    return text.size();
  }

 private:
  int reads_ = 0;
};

TEST(TraceText, AFailingSourceIsNoBadRow) {
  const auto trace = read_trace(std::make_unique<BrokenSource>(), "t.csv", {.skip_bad_rows = true});
  ASSERT_FALSE(trace);
  EXPECT_EQ(trace.error().kind, ErrorKind::Internal);
  EXPECT_EQ(trace.error().message, "t.csv: the disk is gone");
}

}  // namespace
}  // namespace gyre::sim
