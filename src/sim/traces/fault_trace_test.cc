#include "sim/traces/fault_trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace gyre::sim {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string event(const std::string& node, double days, const std::string& type) {
  return "{\"node_id\":\"" + node + "\",\"event_time\":" + std::to_string(days) +
         ",\"event_type\":\"" + type + "\"}";
}

Result<FaultTrace> read(std::string text) {
  return read_fault_trace(text_source(std::move(text)), "f.json");
}

std::string refusal(std::string text) {
  const auto trace = read(std::move(text));
  return trace ? "" : trace.error().message;
}

TEST(FaultTrace, CountsDaysAndNumbersNodesByAppearance) {
  const auto trace = read("[" + event("b", 2, "fault_start") + "," + event("a", 1, "fault_start") +
                          "," + event("b", 2.5, "fault_end") + "]");
  ASSERT_TRUE(trace) << trace.error().message;
  EXPECT_EQ(trace->nodes, 2);
  ASSERT_THAT(trace->changes, SizeIs(3));
  EXPECT_EQ(trace->changes[0].node, 1);
  EXPECT_EQ(trace->changes[0].at, Time{} + seconds(86'400));
  EXPECT_TRUE(trace->changes[2].up);
  EXPECT_EQ(trace->changes[2].at, Time{} + seconds(216'000));
}

TEST(FaultTrace, ANodeIsUpWhenAllItsFaultsHaveEnded) {
  const auto trace = read("[" + event("a", 1, "fault_start") + "," + event("a", 2, "fault_start") +
                          "," + event("a", 3, "fault_end") + "," + event("a", 4, "fault_end") +
                          "," + event("a", 4, "fault_start") + "," + event("a", 5, "fault_end") +
                          "," + event("a", 6, "fault_end") + "]");
  ASSERT_TRUE(trace) << trace.error().message;
  ASSERT_THAT(trace->changes, SizeIs(2)) << "down at 1; the fault that starts at 4 keeps it down";
  EXPECT_EQ(trace->changes[1].at, Time{} + seconds(5 * 86'400));
  EXPECT_EQ(trace->unmatched, 1);
}

TEST(FaultTrace, NamesWhatIsWrong) {
  EXPECT_THAT(refusal(""), HasSubstr("f.json: it is no JSON array"));
  EXPECT_THAT(refusal("{}"), HasSubstr("no JSON array"));
  EXPECT_THAT(refusal("[1]"), HasSubstr("entry 1 has no text 'node_id'"));
  EXPECT_THAT(refusal("[]"), HasSubstr("there is no fault in it"));
  EXPECT_THAT(refusal("[" + event("a", -1, "fault_start") + "]"), HasSubstr("out of bounds"));
  EXPECT_THAT(refusal("[" + event("a", 1, "reboot") + "]"), HasSubstr("'reboot'"));
  EXPECT_THAT(refusal("[{\"node_id\":\"a\",\"event_time\":\"soon\"}]"), HasSubstr("event_time"));
}

}  // namespace
}  // namespace gyre::sim
