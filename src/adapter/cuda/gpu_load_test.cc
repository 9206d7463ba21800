#include "adapter/cuda/gpu_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace gyre::cuda {
namespace {

using ::testing::HasSubstr;

/// The library that stands in for the driver's, beside this program.
std::string stand_in() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "libcuda_stand_in.so";
}

Result<std::string> load(const char* fault) {
  ::setenv("CUDA_STAND_IN", fault, 1);
  return load_gpus(milliseconds(1), stand_in());
}

TEST(GpuLoad, ASoundDevicePasses) {
  const auto passed = load("");
  ASSERT_TRUE(passed) << passed.error().message;
  EXPECT_THAT(*passed, HasSubstr("1 computed as they should"));
}

TEST(GpuLoad, WhatIsWrongIsNamed) {
  for (const auto& [fault, told] :
       {std::pair("computes", "GPU 0: it computes wrongly"),
        std::pair("forgets", "GPU 0: 1 words of its memory are not what was written"),
        std::pair("lost", "GPU 0: computing: CUDA_ERROR_LAUNCH_FAILED")}) {
    const auto failed = load(fault);
    ASSERT_FALSE(failed) << fault;
    EXPECT_EQ(failed.error().kind, ErrorKind::Internal);
    EXPECT_EQ(failed.error().message, told);
  }
}

TEST(GpuLoad, WithoutADriverOrADeviceNothingIsTested) {
  EXPECT_EQ(load("none").error().kind, ErrorKind::Unsupported);
  const auto none = load_gpus(milliseconds(1), "no-such-library.so");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::Unsupported);
}

}  // namespace
}  // namespace gyre::cuda
