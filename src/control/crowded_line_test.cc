#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "control/controller.h"

namespace gyre::control {
namespace {

class CrowdedLine : public ::testing::Test {
 protected:
  CrowdedLine() {
    PolicySpec policy = *policy_by_name("preemptive");
    policy.backfill = PolicySpec::Backfill::Greedy;
    policy.run_min = seconds(60);
    tell(PolicySet{policy});
    tell(QueueSet{{"default", ""}});
    tell(NodeJoined{{0}, node("A100", 0)});
    tell(NodeJoined{{1}, node("T4", 0)});
    tell(NodeJoined{{2}, node("none", 1000)});
    tell(NodeLost{{2}, "power"});
  }

  const Decisions& tell(Event::Body body) {
    return core_.step({now_, EventSeq{++seq_}, std::move(body)});
  }

  static NodeSpec node(const std::string& model, std::int64_t cpus) {
    NodeSpec spec;
    spec.name = model;
    spec.gpu_model = model;
    spec.gpus = cpus > 0 ? 0 : 1;
    spec.cpu = CpuMilli{cpus * 1000};
    return spec;
  }

  JobId submit(std::int32_t priority, const std::string& model, bool preemptible = false) {
    JobSpec spec;
    spec.priority = priority;
    spec.preemptible = preemptible;
    spec.tasks = {{1, {}}};
    Request& request = spec.tasks[0].request;
    request.gpus = model.empty() ? 0 : 1;
    if (!model.empty()) request.gpu_models = {model};
    if (model.empty()) request.cpu = CpuMilli{1000};
    const JobId id{core_.jobs().last().value + 1};
    tell(JobSubmitted{id, spec, {}});
    return id;
  }

  JobState state(JobId id) const { return core_.jobs().find(id)->state; }

  Time now_;
  std::uint64_t seq_ = 0;
  Controller core_{Config{}};
};

TEST_F(CrowdedLine, WhoIsBehindManyWithRoomIsLookedAtOnceTheyHaveTakenIt) {
  submit(0, "A100");
  const JobId low = submit(0, "T4", true);
  ASSERT_EQ(state(low), JobState::Starting);
  submit(10, "A100");  // is first, and gets no room
  for (int i = 0; i < 300; ++i) submit(5, "");
  const JobId last = submit(3, "T4");
  now_ = now_ + seconds(70);  // `low` may be stopped by now
  EXPECT_EQ(tell(NodeReturned{{2}}).commands.size(), 300U);
  EXPECT_EQ(state(low), JobState::Starting);
  ASSERT_EQ(core_.next_wakeup(), now_);
  tell(Tick{});
  EXPECT_EQ(state(low), JobState::Preempting);
  EXPECT_EQ(core_.explain(*core_.jobs().find(last)).reason, WaitReason::WaitingForPreemption);
  EXPECT_FALSE(core_.has_leftover());
}

}  // namespace
}  // namespace gyre::control
