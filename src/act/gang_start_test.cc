#include "act/gang_start.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "domain/trace_context.h"

namespace gyre::act {
namespace {

using testing::Contains;
using testing::Key;
using testing::Not;
using testing::Pair;

Job job_of_two() {
  Job job;
  job.id = {12};
  job.attempt = 3;
  JobSpec spec;
  spec.name = "train";
  spec.launch = {.command = {"python", "train.py"},
                 .env = {{"EPOCHS", "3"}, {"RANK", "overridden"}},
                 .working_directory = "/data"};
  job.spec = std::move(spec);
  Allocation first;
  first.devices = 0b101;
  first.gpu_milli = kWholeGpu;
  first.cpu = {4000};
  first.memory = {2048};
  job.placement = {{0, NodeId{0}, first}, {1, NodeId{1}, Allocation{}}};
  return job;
}

std::vector<TaskStart> all_starts(const Job& job, const TaskPlace& place) {
  std::vector<TaskStart> starts;
  for (const TaskPlacement& task : job.placement) {
    starts.push_back(task_start(job, task, place));
  }
  return starts;
}

TEST(GangStart, ATaskThatIsStartedAnewFindsTheOthersWhereTheyFoundEachOther) {
  Job job = job_of_two();
  const auto before = all_starts(job, {});
  job.attempt = 4;
  job.attempts = {{3, Time{}, CommandId{1}}, {4, Time{}, CommandId{2}}};
  const auto starts = all_starts(job, {});
  EXPECT_EQ(starts[0].key, (TaskKey{job.id, 3, 0}));
  EXPECT_EQ(starts[1].key, (TaskKey{job.id, 4, 1}));
  EXPECT_EQ(starts[0].env, before[0].env);
  EXPECT_THAT(starts[1].env, Contains(Pair("GYRE_ATTEMPT", "3")));
  EXPECT_THAT(starts[1].env, Contains(Pair("GYRE_TASK_ATTEMPT", "4")));
  EXPECT_THAT(starts[1].env, Contains(Pair("WORLD_SIZE", "2")));
  EXPECT_THAT(starts[1].env, Contains(Pair("MASTER_PORT", std::to_string(leader_port(job.id, 3)))));
}

TEST(GangStart, GivesEachTaskItsShareAndItsPlace) {
  const Job job = job_of_two();
  const auto starts = all_starts(job, {});
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[1].key, (TaskKey{job.id, 3, 1}));
  EXPECT_EQ(starts[0].command, job.spec->launch.command);
  EXPECT_EQ(starts[0].working_directory, "/data");
  EXPECT_EQ(starts[0].cpu, CpuMilli{4000});
  EXPECT_EQ(starts[0].memory, MemoryMib{2048});
  EXPECT_THAT(starts[0].env, Contains(Pair("EPOCHS", "3")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_JOB_ID", "12")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_JOB_NAME", "train")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_ATTEMPT", "3")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_NUM_NODES", "2")));
  EXPECT_THAT(starts[1].env, Contains(Pair("GYRE_NODE_RANK", "1")));
  EXPECT_THAT(starts[1].env, Contains(Pair("WORLD_SIZE", "2")));
  EXPECT_THAT(starts[1].env, Contains(Pair("MASTER_ADDR", "127.0.0.1")));
  EXPECT_EQ(starts[1].env[1], (std::pair<std::string, std::string>("RANK", "overridden")));
  EXPECT_THAT(starts[1].env, Contains(Pair("RANK", "1"))) << "the later one counts";
}

TEST(GangStart, ShowsATaskItsDevicesAndNoOthers) {
  const Job job = job_of_two();
  auto starts = all_starts(job, {});
  EXPECT_THAT(starts[0].env, Contains(Pair("CUDA_VISIBLE_DEVICES", "0,2")));
  EXPECT_THAT(starts[1].env, Contains(Pair("CUDA_VISIBLE_DEVICES", "")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_GPU_MILLI", "1000")));
  EXPECT_THAT(starts[0].env, Not(Contains(Key("GYRE_VIRTUAL_GPUS"))));

  TaskPlace place;
  place.devices = {"GPU-a", "GPU-b", "GPU-c"};
  place.virtual_gpus = true;
  starts = all_starts(job, place);
  EXPECT_THAT(starts[0].env, Contains(Pair("CUDA_VISIBLE_DEVICES", "GPU-a,GPU-c")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_VIRTUAL_GPUS", "1")));
}

TEST(GangStart, TellsATaskItsShare) {
  Job job = job_of_two();
  job.placement[0].allocation.devices = 0b10;
  job.placement[0].allocation.gpu_milli = GpuMilli{430};
  job.placement[0].allocation.sharing = Sharing::Mps;
  TaskPlace place;
  place.gpu_model = "H100";
  place.gpu_memory = MemoryMib{81'920};
  place.devices = {"GPU-a", "GPU-b"};
  auto starts = all_starts(job, place);
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_GPU_FRACTION", "0.43")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_GPU_SHARING", "mps")));
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_GPU_MEMORY_MIB", "35225")));
  EXPECT_EQ(starts[0].gpu_sharing, Sharing::Mps);
  EXPECT_EQ(starts[0].gpu_milli, GpuMilli{430});
  EXPECT_EQ(starts[0].gpu_memory, MemoryMib{35'225});
  EXPECT_THAT(starts[1].env, Not(Contains(Key("GYRE_GPU_FRACTION")))) << "it has no device";

  job.placement[0].allocation.sharing = Sharing::Mig;
  starts = all_starts(job, place);
  EXPECT_THAT(starts[0].env, Contains(Pair("GYRE_GPU_MEMORY_MIB", "40960"))) << "3g.40gb";
}

TEST(GangStart, ATaskTracesBelowItsOwnRun) {
  Job job = job_of_two();
  EXPECT_THAT(all_starts(job, {})[0].env, Not(Contains(Key("TRACEPARENT"))));
  const auto traced = [&job](std::string parent) {
    return job.spec.with([&](JobSpec& spec) { spec.launch.trace_parent = std::move(parent); });
  };
  job.spec = traced("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  const auto starts = all_starts(job, {});
  TraceContext run = *parse_trace_parent(job.spec->launch.trace_parent);
  run.span = derived_span(run, "run", job.attempt, 1);
  EXPECT_THAT(starts[1].env, Contains(Pair("TRACEPARENT", to_string(run))));
  EXPECT_THAT(starts[0].env, Not(Contains(Pair("TRACEPARENT", to_string(run)))));
  job.spec = traced("nonsense");
  EXPECT_THAT(all_starts(job, {})[0].env, Not(Contains(Key("TRACEPARENT"))));
}

TEST(GangStart, GivesJobsPortsThatLinuxDoesNotGiveAway) {
  for (std::uint64_t id = 1; id < 50'000; id += 17) {
    const int port = leader_port({id}, 1);
    EXPECT_GE(port, 20'000);
    EXPECT_LT(port, 32'768);
    EXPECT_NE(port, leader_port({id + 1}, 1));
    EXPECT_NE(port, leader_port({id}, 2));
  }
}

}  // namespace
}  // namespace gyre::act
