#include "domain/job.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "domain/job_table.h"
#include "domain/policy.h"

namespace gyre {
namespace {

TEST(JobState, FinalStatesAreLeftByNobody) {
  for (int from = 0; from < kJobStateCount; ++from) {
    for (int to = 0; to < kJobStateCount; ++to) {
      const auto state = static_cast<JobState>(from);
      EXPECT_FALSE(is_final(state) && is_legal_transition(state, static_cast<JobState>(to)));
    }
  }
}

TEST(JobState, EveryStateCanBeReachedAndLeft) {
  for (int s = 0; s < kJobStateCount; ++s) {
    const auto state = static_cast<JobState>(s);
    bool entered = state == JobState::Queued;
    bool left = is_final(state);
    for (int other = 0; other < kJobStateCount; ++other) {
      entered = entered || is_legal_transition(static_cast<JobState>(other), state);
      left = left || is_legal_transition(state, static_cast<JobState>(other));
    }
    EXPECT_TRUE(entered && left) << to_string(state);
  }
}

TEST(JobTable, IdsStayDenseWhileJobsAreForgotten) {
  JobTable table;
  for (std::uint64_t i = 1; i <= 100; ++i) {
    Job job;
    job.id = {i};
    table.add(std::move(job));
  }
  Job& kept = *table.find({100});
  for (std::uint64_t i = 1; i <= 99; ++i) table.forget({i});
  EXPECT_EQ(&kept, table.find({100}));
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.find({50}), nullptr);
  EXPECT_EQ(table.last(), JobId{100});
  table.forget({100});
  EXPECT_EQ(table.last(), JobId{100});
  table.skip_to({200});
  Job next;
  next.id = {201};
  table.add(std::move(next));
  EXPECT_EQ(table.last(), JobId{201});
  EXPECT_EQ(table.find({150}), nullptr);
}

TEST(JobTable, AnImageIsKnownWhileItsJobIs) {
  JobTable table;
  for (std::uint64_t i = 1; i <= 3; ++i) {
    Job job;
    job.id = {i};
    JobSpec spec;
    if (i != 2) spec.launch.container.image = "r.example/a:" + std::to_string(i);
    job.spec = std::move(spec);
    table.add(std::move(job));
  }
  EXPECT_EQ(table.image({1}), image_id("r.example/a:1"));
  EXPECT_EQ(table.image({2}), ImageId{});
  EXPECT_EQ(table.image({9}), ImageId{});
  table.forget({3});
  EXPECT_EQ(table.image({3}), ImageId{});
  Job next;
  next.id = {4};
  table.add(std::move(next));
  EXPECT_EQ(table.image({4}), ImageId{}) << "it is where the third was";
}

TEST(Policy, AnUnknownNameIsAnsweredWithTheNearest) {
  EXPECT_TRUE(policy_by_name("easy"));
  const auto wrong = policy_by_name("preemtive");
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message.find("did you mean 'preemptive'"), std::string::npos);
}

TEST(Policy, APlacementIsAddedToAName) {
  for (const PlacementName& placement : placement_names()) {
    const auto policy = policy_by_name(fmt::format("easy+{}", placement.name));
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->placement, placement.placement);
    EXPECT_EQ(policy->backfill, PolicySpec::Backfill::Easy);
    EXPECT_NE(policy->name, "easy");
  }
  const auto wrong = policy_by_name("easy+lookahed");
  ASSERT_FALSE(wrong);
  EXPECT_NE(
      wrong.error().message.find("no placement is named 'lookahed' (did you mean 'lookahead'?)"),
      std::string::npos);
  EXPECT_FALSE(policy_by_name("easy+"));
  EXPECT_FALSE(policy_by_name("+fgd"));
}

TEST(JobSpec, RulesOfASpecAreSaid) {
  JobSpec spec;
  EXPECT_FALSE(validate(spec));
  spec.tasks = {{1, {}}};
  EXPECT_TRUE(validate(spec));
  const auto broken = [&](auto&& change) {
    JobSpec copy = spec;
    change(copy);
    return !validate(copy);
  };
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks[0].request.gpus = 1025; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks[0].request.gpus = -1; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks[0].request.gpu_milli = {0}; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks[0].request = {2, {500}, {}, {}, {}, {}}; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks[0].count = 0; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks = std::vector<TaskGroup>(5, s.tasks[0]); }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.tasks = {{6000, {}}, {6000, {}}}; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.priority = 11; }));
  EXPECT_TRUE(broken([](JobSpec& s) { s.deadline = Duration{-1}; }));
}

}  // namespace
}  // namespace gyre
