#include "act/local_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::act {
namespace {

using testing::HasSubstr;

Gpu gpu(const std::string& model, std::int64_t memory, const std::string& id) {
  return {.model = model, .memory = {memory}, .id = id, .mig_mode = false, .compute_capability = 8};
}

TEST(VirtualGpus, AreACountAModelAndAMemory) {
  const auto set = parse_virtual_gpus("8xH100:80GB");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->model, "H100");
  EXPECT_EQ(set->memory, MemoryMib{81'920});
  EXPECT_EQ(set->devices.size(), 8U);
  EXPECT_EQ(set->devices.back(), "7");
  EXPECT_TRUE(set->is_virtual);
  EXPECT_EQ(parse_virtual_gpus("1xT4")->memory, MemoryMib{0});
}

TEST(VirtualGpus, RefuseEverythingElse) {
  for (const char* text :
       {"", "8", "x", "8x", "xH100", "0xH100", "17xH100", "-1xH100", "8xH100:", "8xH100:80",
        "8xH100:80QB", "8 x H100", "8xH 100", "8xH100:80GB:2", "99999999999xH100", "H100"}) {
    const auto set = parse_virtual_gpus(text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().kind, ErrorKind::Invalid);
    EXPECT_THAT(set.error().message, HasSubstr("write COUNTxMODEL[:MEMORY], as in 8xH100:80GB"));
  }
}

TEST(GpuModel, IsWhatPeopleCallIt) {
  const std::vector<std::pair<const char*, const char*>> cases{
      {"NVIDIA A100-SXM4-80GB", "A100"},
      {"NVIDIA H100 80GB HBM3", "H100"},
      {"NVIDIA H200", "H200"},
      {"Tesla V100-PCIE-16GB", "V100"},
      {"Tesla T4", "T4"},
      {"NVIDIA GeForce RTX 4090", "RTX4090"},
      {"NVIDIA RTX A6000", "RTXA6000"},
      {"NVIDIA L40S", "L40S"},
      {"NVIDIA H100 NVL", "H100"},
      {"NVIDIA GH200 480GB", "GH200"},
      {"NVIDIA A10G", "A10G"},
      {"NVIDIA A100 80GB PCIe", "A100"},
      {"NVIDIA B200", "B200"},
      {"Quadro RTX 8000", "RTX8000"}};
  for (const auto& [product, model] : cases) EXPECT_EQ(short_gpu_model(product), model) << product;
}

TEST(GpuMemory, IsWhatTheDeviceIsSoldWith) {
  struct Case {
    const char* product;
    std::int64_t reported;
    std::int64_t gib;
  };
  for (const Case& one : {Case{"NVIDIA H100 80GB HBM3", 81'559, 80},
                          {"NVIDIA A100-SXM4-40GB", 40'536, 40},
                          {"NVIDIA H200", 143'771, 141},
                          {"Tesla T4", 15'360, 16},
                          {"NVIDIA L4", 23'034, 24},
                          {"NVIDIA L40S", 46'068, 48},
                          {"NVIDIA GeForce RTX 4090", 24'564, 24},
                          {"NVIDIA A10G", 23'028, 24},
                          {"Tesla V100-SXM2-16GB", 16'160, 16},
                          {"NVIDIA RTX A6000", 49'140, 48},
                          {"NVIDIA GeForce RTX 3080", 10'240, 10}}) {
    EXPECT_EQ(nominal_gpu_memory(one.product, {one.reported}).value, one.gib * 1024) << one.product;
  }
}

TEST(GpuSet, OffersTheMostFrequentModelAndSaysWhatItLeavesOut) {
  const GpuSet set =
      offer({gpu("T4", 16'384, "0"), gpu("A100", 40'960, "1"), gpu("A100", 81'920, "2")}, true);
  EXPECT_EQ(set.model, "A100");
  EXPECT_EQ(set.memory, MemoryMib{40'960}) << "of the smallest";
  EXPECT_EQ(set.devices, (std::vector<std::string>{"1", "2"}));
  ASSERT_EQ(set.left_out.size(), 1U);
  EXPECT_THAT(set.left_out.front(), HasSubstr("GPU 0 (T4) is not offered"));
  EXPECT_EQ(offer({}, true), GpuSet{});
}

TEST(GpuSet, TellsWhichOfItsGpusAreLinked) {
  std::vector<Gpu> found{gpu("T4", 16'384, "t"), gpu("A100", 81'920, "a"),
                         gpu("A100", 81'920, "b")};
  found[1].bus_id = "1B";
  found[2].bus_id = "1C";
  found[1].links = {"1C", "1C", "switch", "switch", "switch"};
  found[2].links = {"1B", "1B"};
  for (Gpu& one : found) one.driver = "535.1";
  const GpuSet set = offer(found, true);
  EXPECT_EQ(set.driver, "535.1");
  EXPECT_EQ(set.links, (std::vector<GpuLink>{{0, -1, 3}, {0, 1, 2}, {1, 0, 2}}));
}

TEST(GpuSet, ItsNvlinkDomainIsTheFabricThatAllOfItsGpusAreIn) {
  std::vector<Gpu> found = {gpu("GB200", 196'608, "0"), gpu("GB200", 196'608, "1"),
                            gpu("T4", 16'384, "t")};
  found[0].fabric = found[1].fabric = "f.1";
  EXPECT_EQ(node_of({}, offer(found, true), "main").location.nvlink, "f.1");
  found[1].fabric = "f.2";
  EXPECT_EQ(node_of({}, offer(found, true), "main").location.nvlink, "");
}

TEST(GpuSet, SharesInTheWayThatEnforcesMost) {
  std::vector<Gpu> found = {gpu("A100", 81'920, "0"), gpu("A100", 81'920, "1")};
  EXPECT_EQ(offer(found, true).sharing, Sharing::Mps);
  EXPECT_EQ(offer(found, false).sharing, Sharing::Timeslice);
  found[0].compute_capability = found[1].compute_capability = 6;
  EXPECT_EQ(offer(found, true).sharing, Sharing::Timeslice) << "before Volta MPS holds no limit";
  found[0].mig_mode = true;
  const GpuSet mixed = offer(found, true);
  EXPECT_EQ(mixed.sharing, Sharing::Mig);
  EXPECT_EQ(mixed.devices, std::vector<std::string>{"0"});
  EXPECT_EQ(mixed.left_out.size(), 1U);
}

TEST(LocalNode, IsTheMachineWithItsGpus) {
  const NodeSpec node =
      node_of({"host", {2000}, {24'000}}, *parse_virtual_gpus("2xH100:80GB"), "main");
  EXPECT_EQ(node.name, "host");
  EXPECT_EQ(node.partition, "main");
  EXPECT_EQ(node.gpus, 2);
  EXPECT_EQ(node.gpu_model, "H100");
  EXPECT_EQ(node.cpu, CpuMilli{2000});
  EXPECT_TRUE(node.virtual_gpus);
  EXPECT_EQ(node_of({}, GpuSet{}, "main").gpu_model, "");
}

}  // namespace
}  // namespace gyre::act
