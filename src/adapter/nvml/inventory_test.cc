#include "adapter/nvml/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/nvml/test_kit.h"

namespace gyre::nvml {
namespace {

using testing::HasSubstr;

TEST(Inventory, FindsEveryDevice) {
  const auto gpus = find_gpus(stand_in());
  ASSERT_TRUE(gpus) << gpus.error().message;
  ASSERT_EQ(gpus->size(), 3U);
  EXPECT_EQ((*gpus)[1].model, "A100");
  EXPECT_EQ((*gpus)[1].memory, MemoryMib{81'920});
  EXPECT_EQ((*gpus)[1].id, "GPU-5c2a0f6e-0000-4000-8000-000000000001");
  EXPECT_EQ((*gpus)[1].compute_capability, 8);
  EXPECT_FALSE((*gpus)[1].mig_mode);
  EXPECT_EQ((*gpus)[2].model, "T4");
  EXPECT_EQ((*gpus)[2].memory, MemoryMib{16'384});
}

TEST(Inventory, TellsTheDriverAndWhoIsLinkedWithWhom) {
  const MadeUpMachine machine("link 0 3 00000000:1C:00.0\nlink 0 5 00000000:07:00.0\n");
  const auto gpus = find_gpus(stand_in());
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_EQ((*gpus)[0].driver, "550.54.15");
  EXPECT_EQ((*gpus)[0].links, (std::vector<std::string>{"00000000:1C:00.0", "00000000:07:00.0"}));
  EXPECT_FALSE((*gpus)[0].bus_id.empty());
  EXPECT_TRUE((*gpus)[1].links.empty());
}

TEST(Inventory, TellsTheFabricOfADevice) {
  const std::string uuid(32, 'a');
  const MadeUpMachine machine("fabric 0 " + uuid + " 3 7\nfabric 1 " + uuid + " 2 7\nfabric 2 " +
                              std::string(32, '0') + " 3 0\n");
  const auto gpus = find_gpus(stand_in());
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_EQ((*gpus)[0].fabric, "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa.7");
  EXPECT_EQ((*gpus)[1].fabric, "") << "it has not joined yet";
  EXPECT_EQ((*gpus)[2].fabric, "") << "it joins no machines";
}

TEST(Inventory, SeesMigMode) {
  const MadeUpMachine machine("set 1 mig 1\n");
  const auto gpus = find_gpus(stand_in());
  ASSERT_TRUE(gpus) << gpus.error().message;
  EXPECT_FALSE((*gpus)[0].mig_mode);
  EXPECT_TRUE((*gpus)[1].mig_mode);
}

TEST(Inventory, ADriverThatHangsIsGivenUp) {
  MadeUpMachine machine("hang 1\n");
  const auto gpus = find_gpus(stand_in(), milliseconds(100));
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Internal);
  EXPECT_THAT(gpus.error().message, HasSubstr("has not answered for 100ms"));
  machine.become("");
  EXPECT_TRUE(find_gpus(stand_in()));
}

TEST(Inventory, SaysThatThereIsNoDriver) {
  const auto gpus = find_gpus("libgyre-no-such-library.so.1");
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Unsupported);
  EXPECT_THAT(gpus.error().message, HasSubstr("libgyre-no-such-library.so.1"));
}

TEST(Inventory, PassesOnWhatTheDriverSays) {
  const MadeUpMachine machine("init_fails 9\n");
  const auto gpus = find_gpus(stand_in());
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Internal);
  EXPECT_EQ(gpus.error().message,
            "the NVIDIA driver fails to start: Driver Not Loaded (NVML error 9); see nvidia-smi");
}

TEST(Inventory, SaysWhichDeviceFails) {
  const MadeUpMachine machine("fails 1 15\n");
  const auto gpus = find_gpus(stand_in());
  ASSERT_FALSE(gpus);
  EXPECT_THAT(gpus.error().message, HasSubstr("describe GPU 1: GPU is lost"));
}

TEST(Inventory, SaysWhatAnOldDriverLacks) {
  const auto gpus = find_gpus(stand_in("lacks_symbol"));
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Internal);
  EXPECT_THAT(gpus.error().message, HasSubstr("lacks nvmlDeviceGetMemoryInfo"));
}

TEST(Inventory, WorksOnThisMachineIfItHasADriver) {
  const auto gpus = find_gpus();
  if (!gpus && gpus.error().kind == ErrorKind::Unsupported) GTEST_SKIP() << gpus.error().message;
  ASSERT_TRUE(gpus) << gpus.error().message;
  for (const act::Gpu& gpu : *gpus) {
    EXPECT_FALSE(gpu.model.empty());
    EXPECT_GT(gpu.memory.value, 0);
  }
}

}  // namespace
}  // namespace gyre::nvml
