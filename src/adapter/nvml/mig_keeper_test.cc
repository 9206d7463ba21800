#include "adapter/nvml/mig_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "adapter/nvml/mig_survey.h"
#include "adapter/nvml/test_kit.h"

namespace gyre::nvml {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;
using testing::StartsWith;
using testing::UnorderedElementsAre;

const std::string kInMigMode = "set 0 mig 1\nset 1 mig 1\n";
const std::string kStranger = "gi 0 1 19 6\nci 0 1 0 7\n";

class Mig : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/gyre-mig-XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  MigOptions options() {
    MigOptions options;
    options.gpu_model = "H100";
    options.gpu_memory = MemoryMib{81'920};
    options.folder = folder_ + "/mig";
    options.library = stand_in();
    options.capabilities = folder_ + "/capabilities";
    options.room_max = milliseconds(20);
    options.notice = [this](const std::string& line) { said_.push_back(line); };
    return options;
  }
  static act::TaskStart task(std::uint64_t job, std::int32_t milli,
                             const std::string& device = "GPU-a") {
    act::TaskStart start;
    start.key = {JobId{job}, 1, 0};
    start.env = {{"CUDA_VISIBLE_DEVICES", device}};
    start.gpu_devices = {device};
    start.gpu_sharing = Sharing::Mig;
    start.gpu_milli = GpuMilli{milli};
    return start;
  }
  /// A process that gives `task` an instance and, if it lives so long, takes it back. True: it was
  /// killed.
  bool dies_in(const act::TaskStart& start) {
    const pid_t child = fork();
    if (child == 0) {
      MigKeeper keeper(options());
      act::TaskStart given = start;
      if (keeper.give(given)) keeper.take_back(act::to_string(given.key));
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  }
  bool no_records() const { return MigRecords(folder_ + "/mig").all().empty(); }

  MadeUpMachine machine_{kInMigMode};
  std::string folder_;
  std::vector<std::string> said_;
};

TEST_F(Mig, EachTaskGetsAnInstanceOfItsProfile) {
  MigKeeper keeper(options());
  act::TaskStart large = task(1, 430);
  act::TaskStart small = task(2, 142);
  ASSERT_TRUE(keeper.give(large));
  ASSERT_TRUE(keeper.give(small));
  EXPECT_EQ(large.env.back().first, "CUDA_VISIBLE_DEVICES");
  EXPECT_THAT(large.env.back().second, StartsWith("MIG-0000"));
  EXPECT_NE(large.env.back().second, small.env.back().second);
  EXPECT_EQ(large.gpu_devices, std::vector{large.env.back().second});
  EXPECT_THAT(machine_.parts(), SizeIs(4));
  EXPECT_THAT(machine_.parts()[0], StartsWith("gi 0 1 9 4")) << "3g in the upper half";
  keeper.take_back("1.1.0");
  EXPECT_THAT(machine_.parts(), SizeIs(2));
  keeper.take_back("2.1.0");
  EXPECT_THAT(machine_.parts(), IsEmpty());
  EXPECT_TRUE(no_records());
}

TEST_F(Mig, EveryProfileOfTheModelCanBeMade) {
  for (const auto& [model, memory, name] :
       {std::tuple{"H100", 81'920, "NVIDIA H100"}, {"A30", 24'576, "NVIDIA A30"}}) {
    std::ofstream(std::getenv("NVML_STAND_IN"))
        << "device GPU-x " << memory << " 8.0 00000000:1B:00.0 " << name << "\nset 0 mig 1\n";
    MigOptions of_model = options();
    of_model.gpu_model = model;
    of_model.gpu_memory = MemoryMib{memory};
    MigKeeper keeper(of_model);
    for (const MigProfile& profile : mig_profiles(model, MemoryMib{memory})) {
      act::TaskStart one = task(1, profile.share.value, "GPU-x");
      const auto given = keeper.give(one);
      EXPECT_TRUE(given) << profile.name << ": " << given.error().message;
      keeper.take_back("1.1.0");
      EXPECT_THAT(machine_.parts(), IsEmpty()) << profile.name;
    }
  }
}

TEST_F(Mig, SmallOnesLeaveRoomForLargeOnes) {
  MigKeeper keeper(options());
  for (const std::uint64_t job : {1U, 2U, 3U}) {
    act::TaskStart small = task(job, 142);
    ASSERT_TRUE(keeper.give(small));
  }
  act::TaskStart large = task(4, 570);
  EXPECT_TRUE(keeper.give(large)) << "4g wants the whole lower half";
}

TEST_F(Mig, SlicesThatDoNotLieTogetherAreAFailureThatLeavesNothing) {
  // 142 + 142 + 430 come to less than a device, but each half is broken.
  machine_.set_parts("gi 0 1 19 1\nci 0 1 0 1\ngi 0 2 19 5\nci 0 2 0 2\n");
  MigKeeper keeper(options());
  act::TaskStart large = task(1, 430);
  const auto given = keeper.give(large);
  ASSERT_FALSE(given);
  EXPECT_EQ(given.error().kind, ErrorKind::Unavailable);
  EXPECT_THAT(given.error().message, HasSubstr("no room for a MIG instance 3g.40gb on GPU GPU-a"));
  EXPECT_THAT(machine_.parts(), SizeIs(4));
  EXPECT_TRUE(no_records());
  act::TaskStart elsewhere = task(1, 430, "GPU-b");
  EXPECT_TRUE(keeper.give(elsewhere)) << "the other device is free";
}

TEST_F(Mig, WhateverFailsLeavesNothingAndSaysWhy) {
  for (const auto& [fault, words] : {std::pair{"make_gpu 20", "Insufficient Memory"},
                                     {"make_compute 23", "Insufficient Resources"},
                                     {"list 4", "run Gyre as root"},
                                     {"room 999", "what room is left"}}) {
    machine_.become(kInMigMode + "mig_fails " + fault + "\n");
    MigKeeper keeper(options());
    act::TaskStart one = task(1, 430);
    const auto given = keeper.give(one);
    ASSERT_FALSE(given) << fault;
    EXPECT_THAT(given.error().message, HasSubstr(words));
    EXPECT_THAT(machine_.parts(), IsEmpty()) << fault;
    EXPECT_TRUE(no_records()) << fault;
  }
}

TEST_F(Mig, WhatIsInUseIsDestroyedLater) {
  MigKeeper keeper(options());
  act::TaskStart one = task(1, 1000);
  ASSERT_TRUE(keeper.give(one));
  machine_.become(kInMigMode + "mig_fails end_compute 19\n");
  keeper.take_back("1.1.0");
  EXPECT_TRUE(keeper.has_leftovers());
  EXPECT_THAT(said_, ElementsAre(HasSubstr("a process still uses it")));
  act::TaskStart other = task(2, 430);
  EXPECT_FALSE(keeper.give(other)) << "it is waited for, but not for ever";
  EXPECT_THAT(said_, SizeIs(1)) << "said once";
  machine_.become(kInMigMode);
  EXPECT_TRUE(keeper.give(other)) << "a start takes what is left over away first";
  EXPECT_FALSE(keeper.has_leftovers());
  EXPECT_THAT(machine_.parts(), SizeIs(2));
}

TEST_F(Mig, ADeathInAnyCallLeavesNothingToTheNextLifeAndSparesStrangers) {
  machine_.set_parts(kStranger);
  for (const char* call : {"make_gpu", "make_compute", "end_compute", "end_gpu"}) {
    machine_.become(kInMigMode + "mig_kills " + call + "\n");
    ASSERT_TRUE(dies_in(task(1, 142))) << call;
    machine_.become(kInMigMode);
    EXPECT_EQ(machine_.parts().size() > 2, std::string(call) != "end_gpu") << "something is left";
    MigKeeper keeper(options());
    keeper.take_up({});
    EXPECT_THAT(machine_.parts(), UnorderedElementsAre("gi 0 1 19 6", "ci 0 1 0 7")) << call;
    EXPECT_TRUE(no_records()) << call;
    act::TaskStart again = task(1, 142);
    EXPECT_TRUE(keeper.give(again)) << "the same key may be started anew";
    keeper.take_back("1.1.0");
  }
}

TEST_F(Mig, InstancesOfRunningTasksAreKept) {
  act::TaskStart runs = task(1, 430);
  act::TaskStart ended = task(2, 430);
  {
    MigKeeper keeper(options());
    ASSERT_TRUE(keeper.give(runs));
    ASSERT_TRUE(keeper.give(ended));
  }
  MigKeeper keeper(options());
  keeper.take_up({"1.1.0"});
  EXPECT_THAT(machine_.parts(), SizeIs(2));
  keeper.take_back("1.1.0");
  EXPECT_THAT(machine_.parts(), IsEmpty());
}

TEST_F(Mig, WhatAnotherBootMadeIsGoneAlready) {
  machine_.set_parts(kStranger);
  MigRecords(folder_ + "/mig").put({"1.1.0", "another", "GPU-a", 19, {}, GpuInstance{1, 19, 6, 1}});
  MigKeeper keeper(options());
  keeper.take_up({});
  EXPECT_THAT(machine_.parts(), SizeIs(2)) << "the same number, but a stranger's";
  EXPECT_TRUE(no_records());
}

TEST_F(Mig, ADamagedRecordIsSaid) {
  std::filesystem::create_directories(folder_ + "/mig");
  std::ofstream(folder_ + "/mig/1.1.0.mig") << "nonsense\n";
  MigKeeper keeper(options());
  keeper.take_up({});
  EXPECT_THAT(said_, ElementsAre(HasSubstr("is no record of a MIG instance")));
}

TEST_F(Mig, AContainerGetsTheDeviceNodesOfItsInstance) {
  const std::string part = folder_ + "/capabilities/gpu0/mig/gi1";
  std::filesystem::create_directories(part + "/ci0");
  std::ofstream(part + "/access") << "DeviceFileMinor: 30\nDeviceFileMode: 292\n";
  std::ofstream(part + "/ci0/access") << "DeviceFileMinor: 31\nDeviceFileMode: 292\n";
  MigKeeper keeper(options());
  act::TaskStart one = task(1, 430);
  one.container.image = "app.tar";
  const auto given = keeper.give(one);
  ASSERT_TRUE(given) << given.error().message;
  const std::string uuid = one.env.back().second;
  EXPECT_THAT(one.gpu_devices, ElementsAre("GPU-a", uuid));
  std::ifstream file(folder_ + "/mig/cdi/gyre-mig.json");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_THAT(text.str(), HasSubstr("\"name\":\"" + uuid + "\""));
  EXPECT_THAT(text.str(), HasSubstr("/dev/nvidia-caps/nvidia-cap30"));
  EXPECT_THAT(text.str(), HasSubstr("/dev/nvidia-caps/nvidia-cap31"));
}

TEST_F(Mig, AContainerWhoseDeviceNodesAreNotKnownDoesNotStart) {
  MigKeeper keeper(options());
  act::TaskStart one = task(1, 430);
  one.container.image = "app.tar";
  const auto given = keeper.give(one);
  ASSERT_FALSE(given);
  EXPECT_THAT(given.error().message, HasSubstr("/gpu0/mig/gi1/access does not say"));
  EXPECT_THAT(machine_.parts(), IsEmpty());
}

TEST_F(Mig, TheSurveySaysWhoMayNotAndWhatIsNotOurs) {
  MigKeeper keeper(options());
  act::TaskStart ours = task(1, 430, "GPU-b");
  ASSERT_TRUE(keeper.give(ours));
  auto found = survey_mig({"GPU-a", "GPU-b"}, folder_ + "/mig", stand_in());
  ASSERT_TRUE(found);
  EXPECT_THAT(*found, IsEmpty());
  found = survey_mig({"GPU-b"}, folder_ + "/elsewhere", stand_in());
  ASSERT_TRUE(found);
  ASSERT_THAT(*found, SizeIs(1));
  EXPECT_THAT((*found)[0].why, HasSubstr("that Gyre did not make (GPU instance 1)"));
  machine_.become(kInMigMode + "mig_fails list 4\n");
  found = survey_mig({"GPU-a"}, folder_ + "/mig", stand_in());
  ASSERT_TRUE(found);
  EXPECT_THAT((*found)[0].why, HasSubstr("run Gyre as root"));
}

TEST_F(Mig, AnyHistoryEndsWithoutInstancesAndSparesStrangers) {
  const std::vector<std::int32_t> shares{142, 250, 285, 430, 570, 1000};
  const std::vector<std::string> faults{
      "", "", "make_gpu 20", "make_compute 23", "end_compute 19", "end_gpu 19"};
  EXPECT_TRUE(rc::check([&] {
    machine_.become(kInMigMode);
    machine_.set_parts(kStranger);
    MigOptions hurried = options();
    hurried.room_max = Duration{0};
    auto keeper = std::make_unique<MigKeeper>(hurried);
    std::set<std::string> running;
    std::uint64_t job = 0;
    for (int step = *rc::gen::inRange(1, 12); step > 0; --step) {
      machine_.become(kInMigMode + "mig_fails " + *rc::gen::elementOf(faults) + "\n");
      const int what = *rc::gen::inRange(0, 4);
      if (what < 2) {
        act::TaskStart one = task(++job, *rc::gen::elementOf(shares),
                                  *rc::gen::elementOf(std::vector<std::string>{"GPU-a", "GPU-b"}));
        if (keeper->give(one)) running.insert(act::to_string(one.key));
      } else if (what == 2 && !running.empty()) {
        const std::string ends = *rc::gen::elementOf(running);
        running.erase(ends);
        keeper->take_back(ends);
      } else if (what == 3) {
        keeper = std::make_unique<MigKeeper>(hurried);
        keeper->take_up(running);
      }
      const MigRecords records(folder_ + "/mig");
      for (const std::string& one : running) {
        const auto record = records.all().find(one);
        RC_ASSERT(record != records.all().end() && record->second.made.has_value());
      }
      RC_ASSERT(machine_.parts().size() >= 2 + 2 * running.size());
    }
    machine_.become(kInMigMode);
    for (const std::string& one : running) keeper->take_back(one);
    keeper->retry();
    RC_ASSERT(machine_.parts() == (std::vector<std::string>{"gi 0 1 19 6", "ci 0 1 0 7"}));
    RC_ASSERT(no_records());
  }));
}

}  // namespace
}  // namespace gyre::nvml
