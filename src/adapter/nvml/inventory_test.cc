#include "adapter/nvml/inventory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace gyre::nvml {
namespace {

using testing::HasSubstr;

/// tests/live/nvml_stand_in.cc, built to behave in one way.
std::string stand_in(const std::string& variant) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() /
         ("libnvml_" + variant + ".so");
}

TEST(Inventory, FindsEveryDevice) {
  const auto gpus = find_gpus(stand_in("healthy"));
  ASSERT_TRUE(gpus) << gpus.error().message;
  ASSERT_EQ(gpus->size(), 3U);
  EXPECT_EQ((*gpus)[1].model, "A100");
  EXPECT_EQ((*gpus)[1].memory, MemoryMib{81'920});
  EXPECT_EQ((*gpus)[1].id, "GPU-5c2a0f6e-0000-4000-8000-000000000001");
  EXPECT_EQ((*gpus)[2].model, "T4");
  EXPECT_EQ((*gpus)[2].memory, MemoryMib{16'384});
}

TEST(Inventory, SaysThatThereIsNoDriver) {
  const auto gpus = find_gpus("libgyre-no-such-library.so.1");
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Unsupported);
  EXPECT_THAT(gpus.error().message, HasSubstr("libgyre-no-such-library.so.1"));
}

TEST(Inventory, PassesOnWhatTheDriverSays) {
  const auto gpus = find_gpus(stand_in("init_fails"));
  ASSERT_FALSE(gpus);
  EXPECT_EQ(gpus.error().kind, ErrorKind::Internal);
  EXPECT_EQ(gpus.error().message,
            "the NVIDIA driver fails to start: Driver Not Loaded (NVML error 9); see nvidia-smi");
}

TEST(Inventory, SaysWhichDeviceFails) {
  const auto gpus = find_gpus(stand_in("device_fails"));
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
