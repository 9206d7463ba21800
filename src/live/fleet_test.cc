#include "live/fleet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/admission.h"
#include "live/test_kit.h"

namespace gyre::live {
namespace {

using test::gpu_job;
using test::ScriptedAgent;
using test::Server;
using test::two_gpu_machine;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

/// A fleet and a clock that only the test moves.
struct FleetTest : ::testing::Test {
  void pass(Duration time) { now = now + time; }
  /// What a world would do: the agent speaks for that node from now on.
  void admit(std::uint64_t session, NodeId node) {
    ASSERT_TRUE(fleet.bind(session, node, hello_of(node)));
  }
  static act::Hello hello_of(NodeId node) {
    act::Hello hello;
    hello.node = two_gpu_machine("n" + std::to_string(node.value));
    return hello;
  }

  static act::LogQuery log_of(std::uint64_t job) {
    act::LogQuery query;
    query.job = JobId{job};
    return query;
  }

  Duration now = seconds(1'000);
  Inbox inbox;
  Fleet fleet{inbox, {.lease = seconds(60), .margin = seconds(5), .silence = seconds(5)}, [this] {
                return now;
              }};
  ScriptedAgent agent;
};

TEST_F(FleetTest, ANodeIsSilentSoonButLostOnlyWhenItsLeaseIsOver) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  EXPECT_THAT(agent.orders(), Contains("lease 0"));
  pass(seconds(6));
  EXPECT_THAT(fleet.watch(), testing::ElementsAre(Event::Body(NodeContact{NodeId{0}, true})));
  pass(seconds(59));
  EXPECT_TRUE(fleet.watch().empty()) << "its tasks may still run";
  pass(seconds(1));
  const auto news = fleet.watch();
  ASSERT_EQ(news.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<NodeLost>(news[0]));
  EXPECT_THAT(agent.orders(), Contains(HasSubstr("end ")));
  agent.session->report(act::Beat{7});
  EXPECT_THAT(agent.orders(), Not(Contains("lease 7"))) << "a lost node gets no lease";
}

TEST_F(FleetTest, ABeatRenewsTheLeaseAndEndsTheSilence) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  pass(seconds(6));
  EXPECT_EQ(fleet.watch().size(), 1U);
  agent.session->report(act::Beat{1});
  EXPECT_THAT(agent.orders(), Contains("lease 1"));
  pass(milliseconds(200));
  EXPECT_THAT(fleet.watch(), testing::ElementsAre(Event::Body(NodeContact{NodeId{0}, false})));
}

TEST_F(FleetTest, AServerThatDoesNotLeadGivesNoLeasesAndSendsAgentsAway) {
  bool leads = true;
  Fleet one(inbox,
            {.lease = seconds(60),
             .margin = seconds(5),
             .silence = seconds(5),
             .leads = [&leads] { return leads; }},
            [this] { return now; });
  agent.join(one, two_gpu_machine(), true);
  ASSERT_TRUE(one.bind(1, NodeId{0}, hello_of(NodeId{0})));
  agent.session->report(act::Beat{1});
  EXPECT_THAT(agent.orders(), Contains("lease 1"));
  leads = false;
  agent.session->report(act::Beat{2});
  const auto orders = agent.orders();
  EXPECT_THAT(orders, Not(Contains("lease 2")));
  EXPECT_THAT(orders, Contains(HasSubstr("does not lead")));
  ScriptedAgent other;
  const auto refused = one.open(hello_of(NodeId{1}), other, true);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  agent.leave();
}

TEST_F(FleetTest, ANodeKnownFromTheJournalHasTheLongestLeaseThatItWasEverGiven) {
  Fleet restarted(inbox,
                  {.lease = seconds(10),
                   .margin = seconds(5),
                   .silence = seconds(5),
                   .lease_before = seconds(300)},
                  [this] { return now; });
  restarted.expect(NodeId{0}, "n0", false);
  EXPECT_TRUE(restarted.holds("n0"));
  pass(seconds(304));
  for (const Event::Body& body : restarted.watch()) {
    EXPECT_FALSE(std::holds_alternative<NodeLost>(body));
  }
  pass(seconds(2));
  ASSERT_EQ(restarted.watch().size(), 1U);
  EXPECT_FALSE(restarted.holds("n0"));
}

TEST_F(FleetTest, ASecondAgentIsNotHeardWhileTheFirstLives) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  ScriptedAgent twin;
  act::Hello hello = hello_of(NodeId{0});
  hello.life = 2;
  auto session = fleet.open(hello, twin, true);
  ASSERT_TRUE(session);
  EXPECT_FALSE(fleet.check_arrival(2, NodeId{0}));
  pass(seconds(6));
  EXPECT_TRUE(fleet.check_arrival(2, NodeId{0})) << "the first one is not there any more";
}

TEST_F(FleetTest, AnAgentAnswersForItsOwnLogsAlone) {
  agent.join(fleet, two_gpu_machine(), true);
  ScriptedAgent other;
  other.join(fleet, two_gpu_machine("other"), true);
  admit(1, NodeId{0});
  admit(2, NodeId{1});
  act::TaskStart task;
  task.key = {JobId{1}, 1, 0};
  fleet.send(NodeId{0}, task);
  std::string got;
  other.session->report(act::LogRead{1, act::LogChunk{"forged", 1, 6, 6, true}});
  fleet.read_log(log_of(1), [&](Result<act::LogChunk> chunk) { got = chunk->data; });
  EXPECT_EQ(got, "hello\n");
  Result<act::LogChunk> none;
  fleet.read_log(log_of(2), [&](Result<act::LogChunk> chunk) { none = std::move(chunk); });
  EXPECT_EQ(none.error().kind, ErrorKind::NotFound);
  agent.leave();
  fleet.read_log(log_of(1), [&](Result<act::LogChunk> chunk) { none = std::move(chunk); });
  EXPECT_EQ(none.error().kind, ErrorKind::Unavailable);
  fleet.read_log(log_of(2), [&](Result<act::LogChunk> chunk) { none = std::move(chunk); });
  EXPECT_EQ(none.error().kind, ErrorKind::Unavailable) << "the node that is away may keep it";
}

TEST_F(FleetTest, VersionsOfTheProtocolMeetWhereTheyCan) {
  act::Hello hello = hello_of(NodeId{0});
  hello.protocol_newest = act::kProtocolNewest + 1;  // the next one, which still speaks this one
  hello.protocol_oldest = act::kProtocolNewest;
  EXPECT_TRUE(check_hello(hello));
  hello.protocol_oldest = act::kProtocolNewest + 1;
  const auto refused = check_hello(hello);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("up to date"));
}

TEST_F(FleetTest, BothSidesUseTheNewestVersionThatBothSpeak) {
  agent.newest = act::kProtocolNewest + 1;
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  EXPECT_EQ(agent.protocol, act::kProtocolNewest);
  ScriptedAgent old;
  old.newest = act::kProtocolOldest;
  old.join(fleet, two_gpu_machine("old"), true);
  admit(2, NodeId{1});
  EXPECT_EQ(old.protocol, act::kProtocolOldest);
}

/// What was told of a command, a word each.
struct ExecNews {
  std::vector<std::string> words;

  Fleet::ExecListener listener() {
    return [this](act::ExecReport report) {
      if (std::holds_alternative<act::ExecStarted>(report)) words.push_back("started");
      if (const auto* output = std::get_if<act::ExecOutput>(&report))
        words.push_back(output->bytes);
      const auto* ended = std::get_if<act::ExecEnded>(&report);
      if (ended == nullptr) return;
      words.push_back(ended->exit_code ? "code " + std::to_string(*ended->exit_code)
                                       : ended->exit_code.error().message);
    };
  }
};

act::ExecStart command_in_task() { return {0, {JobId{7}, 1, 0}, {"ls"}, false, {}, ""}; }

TEST_F(FleetTest, ACommandsWordsGoToItsNodeAndItsNewsComeBack) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  agent.orders();
  ExecNews news;
  const auto id = fleet.start_exec(NodeId{0}, command_in_task(), news.listener());
  ASSERT_TRUE(id);
  fleet.tell_exec(act::ExecInput{*id, "x", true});
  agent.session->report(act::ExecReport{act::ExecOutput{*id, false, "file"}});
  agent.session->report(act::ExecReport{act::ExecEnded{*id, 3}});
  agent.session->report(act::ExecReport{act::ExecOutput{*id, false, "too late"}});
  fleet.tell_exec(act::ExecHangUp{*id});
  EXPECT_THAT(news.words, testing::ElementsAre("started", "file", "code 3"));
  EXPECT_THAT(agent.orders(), testing::ElementsAre("exec 7.1.0 ls", "exec word 1"));
}

TEST_F(FleetTest, ACommandIsOverWithItsNodesConnection) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  ExecNews news;
  ASSERT_TRUE(fleet.start_exec(NodeId{0}, command_in_task(), news.listener()));
  agent.leave();
  EXPECT_THAT(news.words, testing::ElementsAre("started", HasSubstr("broke off")));
  const auto none = fleet.start_exec(NodeId{0}, command_in_task(), news.listener());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::Unavailable);
}

TEST_F(FleetTest, AnAgentTellsNothingOfAnothersCommand) {
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  ScriptedAgent liar;
  liar.join(fleet, two_gpu_machine("liar"), true);
  admit(2, NodeId{1});
  ExecNews news;
  const auto id = fleet.start_exec(NodeId{0}, command_in_task(), news.listener());
  liar.session->report(act::ExecReport{act::ExecOutput{*id, false, "lie"}});
  liar.session->report(act::ExecReport{act::ExecEnded{*id, 0}});
  EXPECT_THAT(news.words, testing::ElementsAre("started"));
  agent.session->report(act::ExecReport{act::ExecEnded{*id, 0}});
  EXPECT_EQ(news.words.size(), 2U);
}

TEST_F(FleetTest, AnAgentOfAnEarlierReleaseIsNotAskedForCommands) {
  agent.newest = act::kProtocolExec - 1;
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  ExecNews news;
  const auto refused = fleet.start_exec(NodeId{0}, command_in_task(), news.listener());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
  EXPECT_THAT(refused.error().message, HasSubstr("runs no commands in tasks"));
}

TEST_F(FleetTest, AnAgentMayTellOfSaneImagesAndNotTooOften) {
  const auto said = [this](act::ImagesHeld held) {
    agent.session->report(std::move(held));
    const auto orders = agent.orders();
    return orders.empty() ? "" : orders.back();
  };
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  agent.orders();
  EXPECT_EQ(said({{{"r.example/a", ""}}}), "");
  EXPECT_THAT(said({{{"no image", ""}}}), HasSubstr("images that are none"));
  EXPECT_THAT(said({std::vector<HeldImage>(kImagesPerNodeMax + 1, {"r.example/a", ""})}),
              HasSubstr("more than 128"));
  std::string last;
  for (int i = 0; i < 100; ++i) last = said({{{"r.example/a", ""}}});
  EXPECT_THAT(last, HasSubstr("more often than 2 times a second"));
}

TEST_F(FleetTest, WhatCouldNotBeFetchedIsKnownUntilItIs) {
  EXPECT_FALSE(fleet.fetch_image(NodeId{0}, {"r.example/a", ""})) << "nobody is there";
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  agent.orders();
  ASSERT_TRUE(fleet.fetch_image(NodeId{0}, {"r.example/a", "pull"}));
  EXPECT_THAT(agent.orders(), Contains("fetch r.example/a pull"));
  agent.session->report(act::ImageFetched{"r.example/a", {}, std::string(10'000, 'x')});
  ASSERT_EQ(fleet.image_troubles().size(), 1U);
  EXPECT_EQ(fleet.image_troubles().at(NodeId{0}).error.size(), act::kFetchErrorMax);
  std::string umlauts = "x";
  while (umlauts.size() <= act::kFetchErrorMax) umlauts += "\xc3\xa4";
  agent.session->report(act::ImageFetched{"r.example/a", {}, umlauts});
  const std::string kept = fleet.image_troubles().at(NodeId{0}).error;
  EXPECT_EQ(kept, umlauts.substr(0, kept.size()));
  EXPECT_EQ(kept.size(), (act::kFetchErrorMax - 1) / 2 * 2 + 1) << "whole characters";
  agent.session->report(act::ImageFetched{"r.example/b", {}, ""});
  EXPECT_EQ(fleet.image_troubles().size(), 1U);
  agent.session->report(act::ImageFetched{"r.example/a", {}, ""});
  EXPECT_TRUE(fleet.image_troubles().empty());
  EXPECT_EQ(fleet.image_fetches().good, 2);
  EXPECT_EQ(fleet.image_fetches().failed, 2);
}

TEST_F(FleetTest, AnAgentOfAnEarlierReleaseIsNotAskedForImages) {
  agent.newest = act::kProtocolImages - 1;
  agent.join(fleet, two_gpu_machine(), true);
  admit(1, NodeId{0});
  const auto refused = fleet.fetch_image(NodeId{0}, {"r.example/a", ""});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
}

TEST_F(FleetTest, ANodeThatTellsTooMuchIsRefused) {
  act::Hello hello = hello_of(NodeId{0});
  hello.facts.labels.assign(65, {"rack", "r1"});
  EXPECT_FALSE(check_hello(hello));
  hello.facts.labels = {{"rack", std::string(5'000, 'x')}};
  EXPECT_FALSE(check_hello(hello));
  hello.facts.labels = {{"rack", "r1"}};
  EXPECT_TRUE(check_hello(hello));
  hello.devices.assign(17, "GPU-1");
  EXPECT_FALSE(check_hello(hello));
}

TEST_F(FleetTest, ANodeThatThereCannotBeIsRefused) {
  for (const auto& spoil :
       {+[](NodeSpec& node) { node.name = "../etc"; }, +[](NodeSpec& node) { node.name.clear(); },
        +[](NodeSpec& node) { node.gpus = 17; }, +[](NodeSpec& node) { node.memory = {-1}; }}) {
    act::Hello hello = hello_of(NodeId{0});
    spoil(hello.node);
    EXPECT_FALSE(check_hello(hello));
  }
}

TEST(World, AReportOfAnotherNodesTaskChangesNothing) {
  Server server;
  server.start();
  ScriptedAgent liar;
  liar.join(server.fleet, two_gpu_machine("liar"));
  const JobId id = *server.submit(gpu_job("a")).get();
  const auto where = [&] {
    std::promise<NodeId> at;
    GYRE_ASSERT(server.inbox.ask([&](const control::Controller& core) {
      at.set_value(core.jobs().find(id)->placement.front().node);
    }));
    return at.get_future().get();
  }();
  ScriptedAgent& other = where == NodeId{0} ? liar : server.agent;
  other.ended({id, 1, 0}, {});
  EXPECT_EQ(server.state_of(id), JobState::Starting);
  liar.leave();
  server.stop();
}

TEST(World, AChangedNodesTasksEndBeforeItJoinsAnew) {
  Server server;
  server.start();
  const JobId id = *server.submit(gpu_job("a")).get();
  server.agent.leave();
  server.agent.orders();
  NodeSpec changed = two_gpu_machine();
  changed.gpus = 1;
  server.agent.left_behind = {{{id, 1, 0}, false}};
  server.agent.join(server.fleet, changed);
  server.stop();
  EXPECT_EQ(server.core().jobs().find(id)->state, JobState::Starting);
  EXPECT_THAT(server.agent.orders(),
              testing::ElementsAre("stop 1.1.0 0ms 0", HasSubstr("resources have changed")));
}

/// What a listener was told.
struct Seen final : NodeListener {
  void seen(const std::string& node, Time said_at, const std::vector<GpuReading>& gpus) override {
    told.push_back(node + " at " + std::to_string(said_at.ns) + ": " + gpus.at(0).facts.uuid);
  }
  void used(const std::string& node, const std::vector<act::TaskUse>& tasks) override {
    told.push_back(node + " uses");
    for (const act::TaskUse& task : tasks) told.back() += " " + act::to_string(task.key);
  }
  void spoke(const act::TaskSpoke& first) override {
    told.push_back(act::to_string(first.key) + " spoke after " + std::to_string(first.after.ns));
  }
  void unheard(const std::string& node) override { told.push_back(node + " unheard"); }
  std::vector<std::string> told;
};

struct GpuFleetTest : FleetTest {
  act::Report report(std::int64_t xids, const std::string& uuid = "GPU-a") const {
    act::GpuNews gpu;
    gpu.facts.emplace().uuid = uuid;
    gpu.sample.emplace().xids = xids;
    (*gpu.sample)[GpuMetric::LastXid] = 79;
    return act::GpusSeen{{9}, {gpu}};
  }
  ~GpuFleetTest() override { agent.leave(); }
  void come(ScriptedAgent& one) {
    one.devices = {"GPU-a"};
    one.join(watched, two_gpu_machine("n0"), true);
    ++sessions;
  }
  void join(ScriptedAgent& one) {
    come(one);
    ASSERT_TRUE(watched.bind(sessions, NodeId{0}, hello_of(NodeId{0})));
  }
  std::vector<Event::Body> posted() {
    std::vector<Event::Body> bodies;
    while (auto request = inbox.take()) {
      auto* posting = std::get_if<Inbox::Posting>(&*request);
      if (posting == nullptr) continue;
      const auto* health = std::get_if<GpuHealthSeen>(&posting->body);
      const bool well = health != nullptr && health->health == GpuHealth::Ok;
      if (!well) bodies.push_back(posting->body);
    }
    return bodies;
  }

  Seen seen;
  std::uint64_t sessions = 0;
  Fleet watched{inbox, {}, [this] { return now; }, &seen};
};

// The first reading says how it is: well, with an error before our time.
TEST_F(GpuFleetTest, WhatAFullInboxRefusesIsToldAgain) {
  Inbox narrow{{.requests_max = 1}};
  Fleet fleet_of_it{narrow, {}, [this] { return now; }};
  agent.devices = {"GPU-a"};
  agent.join(fleet_of_it, two_gpu_machine("n0"), true);
  ASSERT_TRUE(narrow.take());
  ASSERT_TRUE(fleet_of_it.bind(1, NodeId{0}, hello_of(NodeId{0})));
  act::Report lost = report(2);
  std::get<act::GpusSeen>(lost).gpus[0].sample->health = GpuHealth::Lost;
  const auto next = [&narrow] {
    auto request = narrow.take();
    GYRE_ASSERT(request);
    return std::get<Inbox::Posting>(std::move(*request)).body;
  };
  agent.session->report(report(1));
  EXPECT_EQ(next(), Event::Body(GpuHealthSeen{NodeId{0}, 0, GpuHealth::Ok}));
  narrow.post(NodeDutySet{NodeId{0}, NodeDuty::Open}, nullptr);
  agent.session->report(lost);
  static_cast<void>(next());
  EXPECT_FALSE(narrow.take()) << "there was no room for it";
  agent.session->report(lost);
  EXPECT_EQ(next(), Event::Body(GpuErrorSeen{NodeId{0}, 0, 79}));
  agent.session->report(lost);
  EXPECT_EQ(next(), Event::Body(GpuHealthSeen{NodeId{0}, 0, GpuHealth::Lost}));
  agent.session->report(lost);
  EXPECT_FALSE(narrow.take()) << "each is told once";
  agent.leave();
}

TEST_F(GpuFleetTest, WhatTasksUseIsToldByTheirOwnNodeAlone) {
  const act::TaskKey mine{JobId{1}, 1, 0};
  const act::TaskKey anothers{JobId{2}, 1, 0};
  join(agent);
  act::TaskStart start;
  start.key = mine;
  watched.send(NodeId{0}, start);
  seen.told.clear();
  agent.session->report(act::TasksUsed{{{mine, {seconds(1), {}}}, {anothers, {seconds(2), {}}}}});
  agent.session->report(act::TaskSpoke{mine, Duration{7}});
  agent.session->report(act::TaskSpoke{anothers, Duration{8}});
  agent.session->report(act::TaskSpoke{mine, Duration{-1}});
  agent.leave();
  EXPECT_THAT(seen.told,
              testing::ElementsAre("n0 uses 1.1.0", "1.1.0 spoke after 7", "n0 unheard"));
}

TEST_F(GpuFleetTest, WhoTellsWithoutEndWhatTasksUseIsSentAway) {
  join(agent);
  agent.orders();
  for (int i = 0; i <= Fleet::kUseReportsAtOnce; ++i) agent.session->report(act::TasksUsed{});
  EXPECT_THAT(agent.orders(), testing::ElementsAre(HasSubstr("more often than 4 times")));
}

TEST_F(GpuFleetTest, TheErrorsOfANodeReachTheCoreEvenThoseOfABrokenConnection) {
  join(agent);
  agent.session->report(report(0));
  agent.session->report(report(1));
  EXPECT_THAT(posted(), testing::ElementsAre(Event::Body(GpuErrorSeen{NodeId{0}, 0, 79})));
  agent.leave();
  ScriptedAgent again;
  join(again);
  again.session->report(report(2));
  EXPECT_THAT(posted(), testing::ElementsAre(Event::Body(GpuErrorSeen{NodeId{0}, 0, 79})));
  EXPECT_THAT(seen.told, testing::ElementsAre("n0 at 9: GPU-a", "n0 at 9: GPU-a", "n0 unheard",
                                              "n0 at 9: GPU-a"));
}

TEST_F(GpuFleetTest, WhoTellsOfDevicesOfOthersIsHeardNoMore) {
  join(agent);
  agent.session->report(report(0, "GPU-z"));
  EXPECT_THAT(agent.orders(), Contains(HasSubstr("end the agent tells of GPU 'GPU-z'")));
  EXPECT_TRUE(seen.told.empty());
}

TEST_F(GpuFleetTest, ASessionThatSpeaksForNoNodeTellsOfNone) {
  come(agent);
  agent.session->report(report(0));
  join(agent);
  ScriptedAgent successor;
  auto old = std::move(agent.session);
  join(successor);
  old->report(report(1));
  EXPECT_TRUE(seen.told.empty());
  old.reset();
  EXPECT_TRUE(seen.told.empty()) << "its successor is heard";
}

}  // namespace
}  // namespace gyre::live
