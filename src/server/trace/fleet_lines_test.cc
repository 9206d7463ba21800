#include "server/trace/fleet_lines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>
#include <vector>

#include "control/controller.h"

namespace gyre::server {
namespace {

using nlohmann::json;

constexpr const char* kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

struct FleetLinesTest : testing::Test {
  FleetLinesTest() {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    HealingSpec healing = default_healing();
    healing.quarantined_percent_max = 50;
    tell(HealingSet{healing});
    for (const std::uint32_t i : {0U, 1U, 2U, 3U}) {
      tell(NodeJoined{NodeId{i},
                      {"node-" + std::to_string(i), "", "H100", 2, MemoryMib{81'920},
                       CpuMilli{8000}, MemoryMib{32'768}, true}});
    }
  }

  /// The lines of it.
  std::vector<json> tell(Event::Body body) {
    ++seq;
    const Event event{Time{} + seconds(static_cast<std::int64_t>(seq)), EventSeq{seq},
                      std::move(body)};
    const control::Decisions& decisions = core.step(event);
    std::istringstream text(lines.tell(event, decisions, core));
    std::vector<json> found;
    for (std::string line; std::getline(text, line);) found.push_back(json::parse(line));
    return found;
  }
  static std::vector<std::string> messages(const std::vector<json>& lines) {
    std::vector<std::string> found;
    for (const json& line : lines) found.push_back(line["message"]);
    return found;
  }

  control::Controller core{control::Config{}};
  FleetLines lines;
  std::uint64_t seq = 0;
};

TEST_F(FleetLinesTest, NodesThatComeGoAndAreTakenOutOfService) {
  using testing::ElementsAre;
  const auto joined = tell(NodeJoined{
      NodeId{4}, {"new", "", "", 0, MemoryMib{0}, CpuMilli{8000}, MemoryMib{32'768}, true}});
  EXPECT_THAT(messages(joined), ElementsAre("node new has joined"));
  EXPECT_EQ(joined[0]["node"], "new");
  EXPECT_THAT(messages(tell(NodeDutySet{NodeId{4}, NodeDuty::Cordoned})),
              ElementsAre("node new is cordoned"));
  EXPECT_THAT(messages(tell(NodeContact{NodeId{4}, true})),
              ElementsAre(testing::HasSubstr("node new is silent")));
  const auto lost = tell(NodeLost{NodeId{4}, "its lease ran out"});
  ASSERT_FALSE(lost.empty());
  EXPECT_EQ(lost[0]["message"], "node new is lost");
  EXPECT_EQ(lost[0]["cause"], "its lease ran out");
  EXPECT_EQ(lost[0]["level"], "warn");
  EXPECT_EQ(messages(tell(NodeReturned{NodeId{4}})).front(), "node new is back");
  EXPECT_TRUE(tell(Tick{}).empty());
}

TEST_F(FleetLinesTest, AnIncidentIsToldFromItsOpeningToItsEnd) {
  const auto opened = tell(GpuErrorSeen{NodeId{1}, 0, 79});
  ASSERT_GE(opened.size(), 2U);
  EXPECT_EQ(opened[0]["incident"], 1);
  EXPECT_EQ(opened[0]["node"], "node-1");
  EXPECT_EQ(opened[0]["outcome"], "open");
  EXPECT_FALSE(opened[0]["evidence"].get<std::string>().empty());
  EXPECT_THAT(opened[1]["message"].get<std::string>(), testing::HasSubstr("node-1 is in quara"));
  EXPECT_EQ(opened[1]["incident"], 1);
  EXPECT_TRUE(tell(Tick{}).empty()) << "nothing new";
  FleetLines another;
  another.take_up(core);
  lines = another;
  const auto ended = tell(NodeDutySet{NodeId{1}, NodeDuty::Open});
  ASSERT_FALSE(ended.empty());
  EXPECT_EQ(ended.back()["incident"], 1);
  EXPECT_EQ(ended.back()["outcome"], "undone");
  EXPECT_TRUE(ended.back().contains("after_s"));
}

TEST_F(FleetLinesTest, AnIncidentOfAJobHasItsTrace) {
  JobSpec spec;
  spec.tasks.resize(1);
  spec.tasks[0].request.gpus = 1;
  spec.launch.command = {"x"};
  spec.launch.trace_parent = kParent;
  spec.retry.retries_max = 3;
  tell(JobSubmitted{JobId{1}, spec, ""});
  tell(TaskStarted{JobId{1}, 1, 0});
  const auto lost = tell(TaskEnded{JobId{1}, 1, 0, {TaskExit::Kind::Lost, 0, false, "gone"}});
  ASSERT_FALSE(lost.empty());
  EXPECT_EQ(lost[0]["job"], 1);
  EXPECT_EQ(lost[0]["trace_id"], "0af7651916cd43dd8448eb211c80319c");
  EXPECT_THAT(lost[0]["message"].get<std::string>(), testing::HasSubstr("of job 1"));
}

TEST_F(FleetLinesTest, ATaskThatIsStartedAnewByItself) {
  JobSpec spec;
  spec.tasks.resize(1);
  spec.tasks[0].count = 2;
  spec.tasks[0].request.gpus = 2;
  spec.launch.command = {"x"};
  spec.launch.trace_parent = kParent;
  spec.retry.on_node_loss = NodeLossAnswer::Task;
  tell(JobSubmitted{JobId{1}, spec, ""});
  tell(TaskStarted{JobId{1}, 1, 0});
  tell(TaskStarted{JobId{1}, 1, 1});
  const auto node_of = [this](std::size_t rank) {
    const NodeId node = core.jobs().find(JobId{1})->placement[rank].node;
    return core.cluster().node(node).spec.name;
  };
  const std::string lost = node_of(1);
  const auto lines_told = tell(TaskEnded{JobId{1}, 1, 1, {TaskExit::Kind::Lost, 0, false, "gone"}});
  const auto at = std::find_if(lines_told.begin(), lines_told.end(),
                               [](const json& line) { return line.contains("lost_node"); });
  ASSERT_NE(at, lines_told.end());
  EXPECT_EQ((*at)["lost_node"], lost);
  EXPECT_EQ((*at)["node"], node_of(1));
  EXPECT_EQ((*at)["job"], 1);
  EXPECT_EQ((*at)["rank"], 1);
  EXPECT_EQ((*at)["attempt"], 2);
  EXPECT_EQ((*at)["cause"], "gone");
  EXPECT_EQ((*at)["trace_id"], "0af7651916cd43dd8448eb211c80319c");
}

}  // namespace
}  // namespace gyre::server
