#include "sim/traces/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string shape_refusal(std::string_view shape) {
  const auto fleet = parse_shape(shape);
  return fleet ? "" : fleet.error().message;
}

Result<Fleet> list(std::string text) {
  return read_node_list(text_source(std::move(text)), "n.csv");
}

std::string list_refusal(std::string text) {
  const auto fleet = list(std::move(text));
  return fleet ? "" : fleet.error().message;
}

TEST(FleetShape, IsNodesTimesGpusOfAModel) {
  const auto fleet = parse_shape("10x8:A100,2x4:T4");
  ASSERT_TRUE(fleet) << fleet.error().message;
  ASSERT_THAT(fleet->nodes, SizeIs(12));
  EXPECT_FALSE(fleet->partitioned);
  EXPECT_EQ(fleet->nodes[9].gpu_model, "A100");
  EXPECT_EQ(fleet->nodes[10].gpu_model, "T4");
  EXPECT_EQ(fleet->nodes[11].gpus, 4);
  EXPECT_EQ(fleet->nodes[11].name, "node-11");
  EXPECT_EQ(fleet->nodes[0].cpu, kAmpleCpu);
}

TEST(FleetShape, RefusesWhatIsNone) {
  EXPECT_EQ(shape_refusal("80x8"), "");
  for (const char* wrong : {"", "8", "x8", "8x", "-1x8", "8x8:", "8x8,", "ax8", "8x8 :V100"}) {
    EXPECT_THAT(shape_refusal(wrong), HasSubstr("NODESxGPUS[:MODEL]")) << wrong;
  }
  EXPECT_THAT(shape_refusal("0x8"), HasSubstr("no node"));
  EXPECT_THAT(shape_refusal("99999999x8"), HasSubstr("more than 200000"));
  EXPECT_THAT(shape_refusal("150000x8,150000x8"), HasSubstr("more than 200000"));
  EXPECT_THAT(shape_refusal("4x17"), HasSubstr("1 to 16"));
  EXPECT_THAT(shape_refusal("4x0"), HasSubstr("1 to 16"));
}

TEST(NodeList, ReadsOpenb) {
  const auto fleet =
      list("sn,cpu_milli,memory_mib,gpu,model\nn0,32000,262144,0,\nn1,64000,1,2,P100\n");
  ASSERT_TRUE(fleet) << fleet.error().message;
  EXPECT_EQ(fleet->nodes[0].gpus, 0);
  EXPECT_EQ(fleet->nodes[0].gpu_model, "");
  EXPECT_EQ(fleet->nodes[1].cpu, CpuMilli{64000});
  EXPECT_EQ(fleet->nodes[1].gpu_model, "P100");
}

TEST(NodeList, ReadsOurOwnWithUnitsAndPartitions) {
  const auto fleet = list(
      "name,gpus,gpu_model,gpu_memory,cpu,memory,partition\r\na,8,H100,80GB,96,1TB,west\r\nb,1,,,,,"
      "\r\n");
  ASSERT_TRUE(fleet) << fleet.error().message;
  EXPECT_TRUE(fleet->partitioned);
  EXPECT_EQ(fleet->nodes[0].gpu_memory, MemoryMib{80 * 1024});
  EXPECT_EQ(fleet->nodes[0].cpu, CpuMilli{96'000});
  EXPECT_EQ(fleet->nodes[0].partition, "west");
  EXPECT_EQ(fleet->nodes[1].memory, kAmpleMemory);
}

TEST(NodeList, ReadsVirtualClusters) {
  const auto fleet = list("vc,node num\n6214e9,2\n103959,1\n");
  ASSERT_TRUE(fleet) << fleet.error().message;
  EXPECT_TRUE(fleet->partitioned);
  ASSERT_THAT(fleet->nodes, SizeIs(3));
  EXPECT_EQ(fleet->nodes[2].partition, "103959");
  EXPECT_EQ(fleet->nodes[2].gpus, 8);
}

TEST(NodeList, NamesWhatIsWrong) {
  EXPECT_THAT(list_refusal(""), HasSubstr("empty"));
  EXPECT_THAT(list_refusal("name,gpus\n"), HasSubstr("a header but no node"));
  EXPECT_THAT(list_refusal("foo,gpus\na,1\n"), HasSubstr("'name' or 'sn' or 'node_name'"));
  EXPECT_THAT(list_refusal("name,gpus\na,17\n"), HasSubstr("n.csv:2: column 2 ('gpus'): '17'"));
  EXPECT_THAT(list_refusal("name,gpus\na,-1\n"), HasSubstr("0 to 16"));
  EXPECT_THAT(list_refusal("name,gpus\na,1\na,2\n"), HasSubstr("already in line 2"));
  EXPECT_THAT(list_refusal("name,gpus,cpu\na,1,many\n"), HasSubstr("'many'"));
  EXPECT_THAT(list_refusal("vc,node num\na,1\na,1\n"), HasSubstr("already in line 2"));
  EXPECT_THAT(list_refusal("vc,node num\na,200001\n"), HasSubstr("0 to 200000"));
}

TEST(Fleet, IsAShapeOrAFile) {
  EXPECT_TRUE(read_fleet("2x8"));
  const auto neither = read_fleet("no-such-file");
  ASSERT_FALSE(neither);
  EXPECT_THAT(neither.error().message, HasSubstr("cannot open 'no-such-file'"));
  EXPECT_THAT(neither.error().message, HasSubstr("32x8:V100"));
}

}  // namespace
}  // namespace gyre::sim
