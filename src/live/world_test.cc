#include "live/world.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "live/test_kit.h"

namespace gyre::live {
namespace {

using test::gpu_job;
using test::Server;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(World, GivesJobsDenseIdsAndStartsThem) {
  Server server;
  server.start();
  EXPECT_EQ(server.submit(gpu_job("a")).get(), JobId{1});
  EXPECT_EQ(server.submit(gpu_job("b")).get(), JobId{2});
  EXPECT_EQ(server.submit(gpu_job("c")).get(), JobId{3});
  EXPECT_EQ(server.state_of({3}), JobState::Queued);
  server.stop();
  EXPECT_THAT(server.agent.orders(), ElementsAre("start 1.1.0", "start 2.1.0"));
}

TEST(World, RunsAJobToItsEndAndReleasesItsTaskOnceThatIsDurable) {
  Server server;
  server.agent.obedient = true;
  server.agent.short_lived = true;
  server.start();
  const JobId id = *server.submit(gpu_job("a")).get();
  EXPECT_TRUE(server.reaches(id, JobState::Succeeded));
  server.stop();
  EXPECT_THAT(server.agent.orders(), ElementsAre("start 1.1.0", "release 1.1.0"));
}

TEST(World, TellsWhatIsDurableAndNothingElse) {
  Server server;
  server.start();
  std::atomic<int> early = 0;
  std::vector<std::future<Result<JobId>>> answers;
  for (int i = 0; i < 500; ++i) {
    answers.push_back(server.submit(gpu_job("a")));
    const auto asked = server.inbox.ask([&](const control::Controller&) {
      if (!server.journal.durable) ++early;
    });
    EXPECT_TRUE(asked);
  }
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  server.stop();
  EXPECT_EQ(early, 0);
}

TEST(World, TakesASubmissionKeyForOneJob) {
  Server server;
  server.start();
  const auto first = server.submit(gpu_job("a"), "key-1");
  const auto second = server.submit(gpu_job("a"), "key-1");
  const auto other = server.submit(gpu_job("b"), "key-1");
  server.submit(gpu_job("a"), "key-2").wait();
  server.stop();
  EXPECT_EQ(server.core().jobs().last(), JobId{2});
}

TEST(World, RemembersSubmissionKeysAfterARestart) {
  Server first;
  first.start();
  EXPECT_EQ(first.submit(gpu_job("a"), "key-1").get(), JobId{1});
  first.stop();
  Server second(first.core());
  second.start();
  EXPECT_EQ(second.submit(gpu_job("a"), "key-1").get(), JobId{1});
  const auto clash = second.submit(gpu_job("b"), "key-1").get();
  ASSERT_FALSE(clash);
  EXPECT_EQ(clash.error().kind, ErrorKind::Conflict);
  EXPECT_THAT(clash.error().message, HasSubstr("was used for job 1"));
}

TEST(World, RefusesWhatCanNeverRun) {
  Server server;
  server.start();
  const auto too_big = server.submit(gpu_job("a", 3)).get();
  ASSERT_FALSE(too_big);
  EXPECT_EQ(too_big.error().kind, ErrorKind::NeverFits);
  EXPECT_THAT(too_big.error().message, HasSubstr("2"));

  JobSpec spec = gpu_job("b");
  spec.queue = "elsewhere";
  EXPECT_EQ(server.submit(spec).get().error().kind, ErrorKind::Invalid);

  spec = gpu_job("c");
  spec.launch.command.clear();
  EXPECT_THAT(server.submit(spec).get().error().message, HasSubstr("has no command"));
  spec.launch.command = {std::string("a\0b", 3)};
  EXPECT_THAT(server.submit(spec).get().error().message, HasSubstr("NUL"));
  spec.launch = {.command = {"true"}, .env = {{"A=B", "c"}}, .working_directory = {}};
  EXPECT_THAT(server.submit(spec).get().error().message, HasSubstr("'A=B' cannot be the name"));
  server.stop();
  EXPECT_EQ(server.core().jobs().size(), 0U) << "what is refused is not journalled";
}

TEST(World, RefusesMoreJobsThanItMayHold) {
  Server server;
  WorldOptions options;
  options.jobs_max = 2;
  server.start(options);
  EXPECT_TRUE(server.submit(gpu_job("a")).get());
  EXPECT_TRUE(server.submit(gpu_job("a")).get());
  EXPECT_EQ(server.submit(gpu_job("a")).get().error().kind, ErrorKind::Unavailable);
}

TEST(World, StopsAJobThatIsThereAndNotOver) {
  Server server;
  server.agent.obedient = true;
  server.start();
  const JobId id = *server.submit(gpu_job("a")).get();
  ASSERT_TRUE(server.reaches(id, JobState::Running));
  EXPECT_TRUE(server.post(JobStopRequested{id}).get());
  EXPECT_TRUE(server.reaches(id, JobState::Cancelled));
  EXPECT_EQ(server.post(JobStopRequested{id}).get().error().kind, ErrorKind::Conflict);
  EXPECT_EQ(server.post(JobStopRequested{{99}}).get().error().kind, ErrorKind::NotFound);
  server.stop();
  EXPECT_THAT(server.agent.orders(), Contains("stop 1.1.0 30000ms 0"));
}

TEST(World, SendsTheCheckpointSignalOnlyWhenItPreempts) {
  Server server;
  server.agent.obedient = true;
  server.start();
  PolicySpec policy = named_policies().back();
  policy.order = PolicySpec::Order::Priority;
  policy.preemption = true;
  EXPECT_TRUE(server.post(PolicySet{policy}).get());
  JobSpec low = gpu_job("low", 2);
  low.preemptible = true;
  low.priority = 1;
  low.checkpoint = {.path = "", .interval = {}, .signal = SIGUSR1, .grace = seconds(7)};
  const JobId victim = *server.submit(low).get();
  ASSERT_TRUE(server.reaches(victim, JobState::Running));
  JobSpec high = gpu_job("high", 2);
  high.priority = 9;
  const JobId winner = *server.submit(high).get();
  EXPECT_TRUE(server.reaches(winner, JobState::Running));
  server.stop();
  EXPECT_THAT(server.agent.orders(), Contains("stop 1.1.0 7000ms " + std::to_string(SIGUSR1)));
}

TEST(World, EndsAJobAtItsDeadline) {
  Server server;
  server.agent.obedient = true;
  server.start();
  JobSpec spec = gpu_job("a");
  spec.deadline = milliseconds(30);
  const JobId id = *server.submit(spec).get();
  EXPECT_TRUE(server.reaches(id, JobState::Failed));
  server.stop();
  EXPECT_EQ(server.core().jobs().find(id)->ending, Termination::DeadlineExceeded);
}

TEST(World, DropsReportsThatTheCoreDoesNotWaitFor) {
  Server server;
  server.start();
  ASSERT_TRUE(server.submit(gpu_job("a")).get());
  server.agent.started({{1}, 2, 0});    // no such attempt
  server.agent.ended({{7}, 1, 0}, {});  // no such job
  server.agent.ended({{1}, 1, 5}, {});  // no such rank
  server.agent.ended({{1}, 1, 0}, {});
  server.agent.ended({{1}, 1, 0}, {});  // told twice
  EXPECT_TRUE(server.reaches({1}, JobState::Succeeded));
  server.stop();
  int task_events = 0;
  for (const control::Record& record : server.journal.records) {
    const auto* event = std::get_if<Event>(&record);
    if (event != nullptr && (std::holds_alternative<TaskEnded>(event->body) ||
                             std::holds_alternative<TaskStarted>(event->body))) {
      ++task_events;
    }
  }
  EXPECT_EQ(task_events, 1);
  EXPECT_THAT(server.agent.orders(), Contains("release 7.1.0"));
}

TEST(World, StampsEventsInOrderThoughTheClockIsSetBack) {
  auto hour = std::make_shared<std::atomic<std::int64_t>>(0);
  Server server;
  WorldOptions options;
  options.clock = [hour, system = system_clock_source()] {
    ClockReading reading = system();
    reading.real = reading.real - seconds(3600 * hour->load());
    return reading;
  };
  server.start(options);
  EXPECT_TRUE(server.submit(gpu_job("a")).get());
  *hour = 1;
  EXPECT_TRUE(server.submit(gpu_job("b")).get());
  *hour = 0;
  EXPECT_TRUE(server.submit(gpu_job("c")).get());
  server.stop();
  Time last;
  EventSeq seq;
  for (const control::Record& record : server.journal.records) {
    const auto* event = std::get_if<Event>(&record);
    if (event == nullptr) continue;
    EXPECT_GE(event->at, last);
    EXPECT_EQ(event->seq.value, seq.value + 1);
    last = event->at;
    seq = event->seq;
  }
  ASSERT_EQ(server.notices.size(), 1U);
  EXPECT_THAT(server.notices.front(), HasSubstr("it was set back"));
}

TEST(World, StartsNothingThatTheJournalCouldNotTake) {
  Server server;
  server.start();
  ASSERT_TRUE(server.submit(gpu_job("a")).get());
  server.agent.orders();
  server.journal.broken = true;
  const auto answer = server.submit(gpu_job("b")).get();
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::Unavailable);
  server.stop();
  EXPECT_FALSE(server.outcome);
  EXPECT_THAT(server.agent.orders(), Not(Contains("start 2.1.0")));
}

TEST(World, FencesTheTasksOfALostNode) {
  Server server;
  server.start();
  const JobId id = *server.submit(gpu_job("a")).get();
  server.agent.started({id, 1, 0});
  ASSERT_TRUE(server.reaches(id, JobState::Running));
  EXPECT_TRUE(server.post(NodeLost{NodeId{0}, "test"}).get());
  EXPECT_EQ(server.state_of(id), JobState::Queued);
  server.stop();
  EXPECT_THAT(server.agent.orders(), ElementsAre("start 1.1.0", "stop 1.1.0 0ms 0"));
}

// --- recovery ------------------------------------------------------------------------------------

/// A core with jobs 1 (running), 2 (starting), 3 (being stopped, never started), 4 (queued).
control::Controller core_with_history() {
  Server server;
  server.start();
  JobSpec half = gpu_job("a");
  half.tasks[0].request.gpu_milli = {500};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(server.submit(half).get());
  EXPECT_TRUE(server.submit(gpu_job("d", 2)).get());
  server.agent.started({{1}, 1, 0});
  EXPECT_TRUE(server.reaches({1}, JobState::Running));
  EXPECT_TRUE(server.post(JobStopRequested{{3}}).get());
  server.stop();
  return server.core();
}

TEST(Recovery, AdoptsStartsAndStopsWhatTheCoreWaitsFor) {
  Server server(core_with_history());
  server.start();
  server.stop();
  EXPECT_THAT(server.agent.orders(), UnorderedElementsAre("adopt 1.1.0", "start 2.1.0",
                                                          "adopt 3.1.0", "stop 3.1.0 30000ms 0"));
}

TEST(Recovery, EndsStrangersAndLateAttemptsAndKeepsFinishedOnes) {
  Server server(core_with_history());
  server.agent.left_behind = {{.key = {{1}, 1, 0}, .ended = false},
                              {.key = {{1}, 2, 0}, .ended = false},  // from a longer journal
                              {.key = {{2}, 0, 0}, .ended = false},  // an attempt that is over
                              {.key = {{4}, 0, 0}, .ended = true},
                              {.key = {{50}, 1, 0}, .ended = true}};  // from another journal
  server.start();
  server.stop();
  EXPECT_THAT(
      server.agent.orders(),
      UnorderedElementsAre("discard 1.2.0", "stop 2.0.0 0ms 0", "release 4.0.0", "discard 50.1.0",
                           "adopt 1.1.0", "start 2.1.0", "adopt 3.1.0", "stop 3.1.0 30000ms 0"));
  EXPECT_EQ(server.notices.size(), 3U);
}

TEST(Recovery, SaysAnewWhatIsFrozen) {
  Server server;
  server.start();
  ServiceSpec spec;
  spec.replica = gpu_job("chat");
  spec.replicas.min = 0;
  spec.replicas.frozen_max = 1;
  spec.rollout.drain = {};
  EXPECT_TRUE(server.post(ServiceApplied{spec}).get());
  server.agent.started({{1}, 1, 0});
  EXPECT_TRUE(server.reaches({1}, JobState::Running));
  EXPECT_TRUE(server.post(ReplicaProbed{{1}, 1, ReplicaHealth::Ready, ""}).get());
  spec.replicas.idle = {};
  EXPECT_TRUE(server.post(ServiceApplied{spec}).get());
  server.stop();
  EXPECT_THAT(server.agent.orders(), ElementsAre("start 1.1.0", "freeze 1.1.0"));
  Server next(server.core());
  next.start();
  EXPECT_TRUE(next.post(ServiceLoadSeen{"chat", 1000, 0}).get());
  next.stop();
  EXPECT_THAT(next.agent.orders(), ElementsAre("adopt 1.1.0", "freeze 1.1.0", "thaw 1.1.0"));
}

// --- inbox ---------------------------------------------------------------------------------------

TEST(Inbox, RefusesAtOnceWhenItIsFull) {
  Inbox inbox({.requests_max = 2, .queries_max = 1});
  int refused = 0;
  const auto count = [&](const Result<JobId>& id) { refused += id ? 0 : 1; };
  for (int i = 0; i < 5; ++i) inbox.submit(gpu_job("a"), "", count);
  EXPECT_EQ(refused, 3);
  for (int i = 0; i < 5; ++i) inbox.put_report({NodeId{0}, {{1}, 1, 0}, {}, {}});  // never refused
  EXPECT_TRUE(inbox.ask([](const control::Controller&) {}));
  const auto second = inbox.ask([](const control::Controller&) {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Unavailable);
  int taken = 0;
  while (inbox.take()) ++taken;
  EXPECT_EQ(taken, 7);
}

TEST(Inbox, RefusesEverythingWhenItIsShutDownButWorksOffTheRest) {
  Server server;
  std::vector<std::future<Result<JobId>>> answers;
  server.start();
  for (int i = 0; i < 50; ++i) answers.push_back(server.submit(gpu_job("a")));
  server.inbox.shutdown();
  EXPECT_EQ(server.submit(gpu_job("late")).get().error().kind, ErrorKind::Unavailable);
  EXPECT_FALSE(server.inbox.ask([](const control::Controller&) {}));
  for (auto& answer : answers) EXPECT_TRUE(answer.get());
  server.stop();
  EXPECT_TRUE(server.outcome);
}

// --- opening -------------------------------------------------------------------------------------

TEST(Opening, BringsANewCoreUpAndAnOldOneUpToDate) {
  control::Controller core{control::Config{}};
  Opening opening = test::opening();
  NodeSpec node = test::two_gpu_machine();
  std::vector<Event::Body> events;
  std::uint64_t seq = 0;
  const auto look = [&] {
    events = opening_events(core, opening);
    for (Event::Body& body : node_arrival(core, node).events) events.push_back(std::move(body));
  };
  const auto apply = [&] {
    for (Event::Body& body : events) core.step({Time{}, EventSeq{++seq}, std::move(body)});
    look();
  };
  look();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<PolicySet>(events[0]));
  apply();
  EXPECT_THAT(events, IsEmpty());

  node.gpus = 4;
  opening.policy = named_policies().front();
  look();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<PolicySet>(events[0]));
  EXPECT_TRUE(std::holds_alternative<NodeLost>(events[1]));
  EXPECT_EQ(std::get<NodeJoined>(events[2]).node, NodeId{1});
  EXPECT_TRUE(node_arrival(core, node).changed);
  apply();
  EXPECT_THAT(events, IsEmpty());

  node.gpus = 2;  // back to what it was
  look();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(std::get<NodeReturned>(events[0]).node, NodeId{0});
  apply();
  EXPECT_THAT(events, IsEmpty());
}

TEST(Opening, IsInForceBeforeTheFirstQuestionIsAnswered) {
  Server server;
  EventSeq seen;
  ASSERT_TRUE(server.inbox.ask([&](const control::Controller& core) { seen = core.last_event(); }));
  server.start();
  server.stop();
  EXPECT_GE(seen.value, test::opening().queues.size() + 1) << "the policy's and the queues'";
}

HealingSpec resets_gpus() {
  HealingSpec spec = default_healing();
  spec.name = "hardware";
  spec.rules = {
      {Symptom::DeviceFault, 1, seconds(86'400), Remedy::Evacuate, 0, Repair::Reset, false}};
  spec.quarantined_percent_max = 100;
  return spec;
}

TEST(World, OrdersARepairAndAsksAgainWhoComesBack) {
  Server server;
  server.agent.devices = {"GPU-a", "GPU-b"};
  server.start();
  ASSERT_TRUE(server.post(HealingSet{resets_gpus()}).get());
  ASSERT_TRUE(server.post(GpuErrorSeen{{0}, 1, 79}).get());
  ASSERT_TRUE(server.post(Tick{}).get());
  EXPECT_THAT(server.agent.orders(), ElementsAre("reset GPU-b"));
  server.agent.leave();
  server.agent.join(server.fleet, test::two_gpu_machine());
  ASSERT_TRUE(server.post(Tick{}).get());
  ASSERT_TRUE(server.post(Tick{}).get());
  EXPECT_THAT(server.agent.orders(), ElementsAre("reset GPU-b"));
  const CommandId id = server.agent.repairs.at(0).id;
  EXPECT_EQ(server.agent.repairs.at(1), server.agent.repairs.at(0)) << "the same one";
  server.agent.session->report(act::RepairOver{{id.value + 1}, true, "not asked for"});
  server.agent.session->report(act::RepairOver{id, true, "done"});
  server.agent.session->report(act::RepairOver{id, false, "too late"});
  ASSERT_TRUE(server.post(Tick{}).get());
  server.stop();
  const RepairStep& step = server.core().healer().incidents().back().steps.at(0);
  EXPECT_TRUE(step.good);
  EXPECT_EQ(step.detail, "done");
}

TEST(World, AnAgentThatRepairsNothingHasFailedToDoIt) {
  Server server;
  server.agent.newest = act::kProtocolRepairs - 1;
  server.agent.devices = {"GPU-a", "GPU-b"};
  server.start();
  ASSERT_TRUE(server.post(HealingSet{resets_gpus()}).get());
  ASSERT_TRUE(server.post(GpuErrorSeen{{0}, 1, 79}).get());
  ASSERT_TRUE(server.post(Tick{}).get());
  ASSERT_TRUE(server.post(Tick{}).get());
  server.stop();
  EXPECT_THAT(server.agent.orders(), IsEmpty());
  const Incident& incident = server.core().healer().incidents().back();
  EXPECT_EQ(incident.outcome, Incident::Outcome::Failed);
  EXPECT_THAT(incident.steps.at(0).detail, HasSubstr("repairs nothing"));
}

TEST(World, OnlyWhatHasChangedOfANodesImagesIsRecorded) {
  Server server;
  server.start();
  const HeldImage one{"r.example/a:1", ""};
  const HeldImage two{"r.example/b:1", ""};
  for (const auto& held : {std::vector{one}, std::vector{one, one}, std::vector{two, one}, {two}}) {
    server.agent.session->report(act::ImagesHeld{held});
    ASSERT_TRUE(server.post(Tick{}).get());
  }
  server.stop();
  std::vector<NodeImagesSeen> seen;
  for (const control::Record& record : server.journal.records) {
    const auto* event = std::get_if<Event>(&record);
    const auto* news = event == nullptr ? nullptr : std::get_if<NodeImagesSeen>(&event->body);
    if (news != nullptr) seen.push_back(*news);
  }
  EXPECT_THAT(seen, ElementsAre(NodeImagesSeen{{0}, {one}, {}}, NodeImagesSeen{{0}, {two}, {}},
                                NodeImagesSeen{{0}, {}, {one}}));
}

TEST(World, AJobThatWaitsHasItsImageFetchedByItsLogin) {
  Server server;
  server.agent.obedient = true;
  server.start();
  JobSpec first = gpu_job("a", 2);
  first.expected_duration = seconds(60);
  server.submit(std::move(first)).get();
  JobSpec spec = gpu_job("b", 2);
  spec.launch.container.image = "r.example/a:1";
  spec.launch.container.registry_login = "pull";
  server.submit(std::move(spec)).get();
  ASSERT_TRUE(server.post(Tick{}).get());
  ASSERT_TRUE(server.post(Tick{}).get());
  server.stop();
  EXPECT_THAT(server.agent.orders(), ElementsAre("start 1.1.0", "fetch r.example/a:1 pull"));
}

}  // namespace
}  // namespace gyre::live
