#include "server/trace/job_traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <mutex>

#include "control/controller.h"

namespace gyre::server {
namespace {

using observe::Span;

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class Kept final : public observe::SpanSink {
 public:
  void take(std::vector<Span> spans) override {
    const std::lock_guard lock(mutex_);
    for (Span& span : spans) spans_.push_back(std::move(span));
  }
  Counts counts() const override { return {}; }
  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const Span& span : spans_) names.push_back(span.name);
    return names;
  }
  Span find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(spans_.begin(), spans_.end(),
                                    [&](const Span& span) { return span.name == name; });
    return found == spans_.end() ? Span{} : *found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Span> spans_;
};

class JobTracesTest : public testing::Test {
 protected:
  JobTracesTest() {
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
    const Event event{Time{seconds(++now).ns}, EventSeq{++seq}, std::move(body)};
    traces->after(event, core.step(event), core);
    traces->committed(event.seq);
  }
  static JobSpec spec(const char* parent, std::int32_t gpus = 4) {
    JobSpec spec;
    spec.tasks.resize(1);
    spec.tasks[0].request.gpus = gpus;
    spec.launch.command = {"x"};
    spec.launch.trace_parent = parent;
    return spec;
  }

  control::Controller core{control::Config{}};
  Kept sink;
  FirstOutput first_output{sink};
  std::optional<JobTraces> traces{std::in_place, core, sink, first_output};
  std::int64_t now = 100;
  std::uint64_t seq = 0;
};

TEST_F(JobTracesTest, AJobIsOneTraceBelowItsSubmission) {
  tell(JobSubmitted{JobId{1}, spec(kParent), {}});
  StartStages stages;
  stages.received = Time{seconds(104).ns + 1};
  stages.image = milliseconds(20);
  stages.create = milliseconds(30);
  tell(TaskStarted{JobId{1}, 1, 0, stages});
  tell(TaskEnded{JobId{1}, 1, 0, {.kind = TaskExit::Kind::Exited, .code = 3, .message = "bad"}});
  EXPECT_THAT(sink.names(),
              testing::ElementsAre("wait", "decide", "start", "image", "create", "run", "job"));
  const TraceContext parent = *parse_trace_parent(kParent);
  const Span job = sink.find("job");
  EXPECT_EQ(job.parent, parent.span);
  EXPECT_EQ(job.context.trace_low, parent.trace_low);
  EXPECT_TRUE(job.failed);
  for (const char* child : {"wait", "decide", "start", "run"}) {
    EXPECT_EQ(sink.find(child).parent, job.context.span) << child;
  }
  EXPECT_EQ(sink.find("image").parent, sink.find("start").context.span);
  EXPECT_EQ(sink.find("create").begin, sink.find("image").end);
  EXPECT_EQ(sink.find("run").context.span, derived_span(parent, "run", 1, 0));
  EXPECT_EQ(sink.find("run").message, "bad");
  EXPECT_GE(sink.find("decide").end, sink.find("decide").begin);
}

TEST_F(JobTracesTest, AWaitIsFromTheSubmissionToTheStart) {
  tell(JobSubmitted{JobId{1}, spec(""), {}});
  tell(JobSubmitted{JobId{2}, spec(kParent), {}});
  const Time submitted{seconds(now).ns};
  EXPECT_TRUE(sink.names().empty()) << "job 1 is in no trace, job 2 waits";
  tell(Tick{});
  tell(TaskEnded{JobId{1}, 1, 0, {}});
  EXPECT_EQ(sink.find("wait").begin, submitted);
  EXPECT_EQ(sink.find("wait").end, Time{seconds(now).ns});
}

TEST_F(JobTracesTest, ATaskOfALostNodeEndsWithIt) {
  tell(JobSubmitted{JobId{1}, spec(kParent), {}});
  tell(TaskStarted{JobId{1}, 1, 0, {}});
  tell(NodeLost{NodeId{0}, "gone"});
  EXPECT_TRUE(sink.find("run").failed);
  EXPECT_EQ(sink.find("run").message, "node_lost");
}

TEST_F(JobTracesTest, WhatIsNotSampledIsNotTold) {
  tell(JobSubmitted{JobId{1}, spec("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), {}});
  tell(TaskStarted{JobId{1}, 1, 0, {}});
  tell(TaskEnded{JobId{1}, 1, 0, {}});
  EXPECT_TRUE(sink.names().empty());
}

TEST_F(JobTracesTest, ARestartGoesOnWithTheTrace) {
  tell(JobSubmitted{JobId{1}, spec(kParent), {}});
  tell(JobSubmitted{JobId{2}, spec(kParent), {}});
  const Time submitted{seconds(now).ns};
  tell(TaskStarted{JobId{1}, 1, 0, {}});
  const Time started{seconds(now).ns};
  traces.emplace(core, sink, first_output);
  tell(TaskStarted{JobId{1}, 1, 0, {}});  // by who took the task over
  tell(TaskEnded{JobId{1}, 1, 0, {}});
  EXPECT_EQ(sink.find("run").begin, started);
  tell(JobStopRequested{JobId{2}});
  tell(TaskEnded{JobId{2}, 1, 0, {.stopped = true, .message = {}}});
  const auto names = sink.names();
  EXPECT_EQ(std::count(names.begin(), names.end(), "start"), 1);
  EXPECT_EQ(std::count(names.begin(), names.end(), "wait"), 2);
  EXPECT_EQ(std::count(names.begin(), names.end(), "job"), 2);
  EXPECT_LE(submitted, sink.find("job").end);
}

TEST(Submission, GoesOnWithItsCallersTraceOrBeginsOne) {
  const auto below = JobTraces::begin(kParent);
  EXPECT_EQ(below.caller, 0xb7ad6b7169203331U);
  EXPECT_EQ(below.context.trace_high, 0x0af7651916cd43ddU);
  EXPECT_NE(below.context.span, below.caller);
  const auto own = JobTraces::begin("nonsense");
  EXPECT_EQ(own.caller, 0U);
  EXPECT_TRUE(own.context.sampled());
  EXPECT_NE(own.context.trace_low, JobTraces::begin("").context.trace_low);
}

}  // namespace
}  // namespace gyre::server
