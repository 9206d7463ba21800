#include "server/api/watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "control/random_history.h"
#include "server/api/api.h"
#include "server/api/job_list.h"

namespace gyre::server {
namespace {

using ::testing::HasSubstr;

/// A core with two nodes of two GPUs, and what watches it.
struct WatchTest : testing::Test {
  control::Controller core{control::Config{}};
  Watch watch{100, core, Time{}};
  std::uint64_t seq = 0;

  WatchTest() {
    tell(PolicySet{*policy_by_name("preemptive")});
    tell(QueueSet{{"default", ""}});
    for (const std::uint32_t i : {0U, 1U}) {
      tell(NodeJoined{NodeId{i},
                      {"node-" + std::to_string(i), "", "H100", 2, MemoryMib{81'920},
                       CpuMilli{8000}, MemoryMib{32'768}, true}});
    }
  }

  void tell(Event::Body body) {
    ++seq;
    const Event event{Time{} + seconds(static_cast<std::int64_t>(seq)), EventSeq{seq},
                      std::move(body)};
    watch.after(event, core.step(event), core);
    watch.committed(event.seq);
  }

  JobId submit(JobSpec spec) {
    const JobId id{core.jobs().last().value + 1};
    tell(JobSubmitted{id, std::move(spec), ""});
    return id;
  }
  static JobSpec spec(std::string name, std::int32_t gpus, std::int32_t priority = 5) {
    JobSpec spec;
    spec.name = std::move(name);
    spec.priority = priority;
    spec.tasks.resize(1);
    spec.tasks[0].request.gpus = gpus;
    spec.launch.command = {"true"};
    return spec;
  }
  void start(JobId id) { tell(TaskStarted{id, core.jobs().find(id)->attempt, 0}); }
  void end(JobId id, std::int32_t code = 0, bool stopped = false) {
    TaskExit exit{TaskExit::Kind::Exited, code, stopped, ""};
    tell(TaskEnded{id, core.jobs().find(id)->attempt, 0, exit});
  }
  std::vector<Decision> decisions(DecisionLog::Query query = {}) const {
    return watch.decisions.read(query).decisions;
  }
};

TEST_F(WatchTest, AStartIsToldWithWhatBecameOfIt) {
  const JobId id = submit(spec("train", 2));
  ASSERT_EQ(decisions().size(), 1U);
  EXPECT_EQ(decisions()[0].kind, DecisionKind::Start);
  EXPECT_EQ(decisions()[0].nodes, std::vector<std::string>{"node-0"});
  EXPECT_NE(decisions()[0].why.find("2 GPUs on node-0"), std::string::npos) << decisions()[0].why;
  EXPECT_EQ(decisions()[0].compared, "nobody before it in line could start; no other job waits");
  EXPECT_FALSE(decisions()[0].outcome);
  start(id);
  EXPECT_EQ(decisions()[0].outcome->to, JobState::Running);
  end(id);
  EXPECT_EQ(decisions()[0].outcome->to, JobState::Succeeded);
}

TEST_F(WatchTest, WhatIsFreeAndOfNoUseIsMeasured) {
  FragmentationWatch& fragmentation = watch.fragmentation;
  EXPECT_FALSE(fragmentation.measure(core, core.now()).ratio) << "nothing was asked for yet";
  const JobId half = submit(spec("one", 1));
  start(half);
  submit(spec("two", 2));
  // The free GPU is alone on its node, where a task of two, half of what is asked for, finds no
  // room. The other node is full.
  const auto sum = fragmentation.measure(core, core.now());
  EXPECT_EQ(sum.free_milli, 1000);
  EXPECT_DOUBLE_EQ(sum.lost_milli, 500);
  EXPECT_DOUBLE_EQ(sum.ratio.value(), 0.5);
  EXPECT_EQ(fragmentation.gpu_milli_free().value(), 1000);
  EXPECT_EQ(fragmentation.gpu_milli_fragmented().value(), 500);
}

TEST_F(WatchTest, WhatIsMeasuredLateIsToldOfTheTimeSinceItWasSo) {
  FragmentationWatch& fragmentation = watch.fragmentation;
  fragmentation.measure(core, core.now());
  const std::int64_t all = fragmentation.gpu_milli_free().value();
  submit(spec("one", 1));
  const Time later = core.now() + seconds(100);
  fragmentation.measure(core, later);
  const auto means = fragmentation.gpu_milli_free().read(0, later).means;
  ASSERT_GE(means.size(), 6U);
  for (std::size_t i = means.size() - 5; i < means.size(); ++i) EXPECT_EQ(means[i], all - 1000);
}

TEST_F(WatchTest, FragmentationIsLookedAtAsTimeGoesBy) {
  submit(spec("one", 1));
  submit(spec("two", 2));
  // Nobody asks. Where the machine is busy a look may be left out, so there are more than one.
  for (int i = 0; i < 10'000 && watch.fragmentation.gpu_milli_fragmented().value() == 0; ++i) {
    seq += 20;  // so many seconds later
    tell(Tick{});
  }
  EXPECT_EQ(watch.fragmentation.gpu_milli_fragmented().value(), 500);
}

TEST_F(WatchTest, ABackfillNamesWhatItWasWeighedAgainst) {
  JobSpec long_one = spec("long", 2);
  long_one.expected_duration = seconds(1000);
  submit(long_one);
  JobSpec big = spec("big", 2, 9);
  big.tasks[0].count = 2;
  submit(big);
  JobSpec small = spec("small", 1);
  small.expected_duration = seconds(10);
  const JobId id = submit(small);
  const auto told = decisions({.job = id});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].kind, DecisionKind::Backfill);
  EXPECT_NE(told[0].compared.find("'big'"), std::string::npos) << told[0].compared;
  EXPECT_TRUE(told[0].compared.ends_with("; one other job waits")) << told[0].compared;
}

TEST_F(WatchTest, APreemptionSaysWhatARestartIsTakenToCost) {
  PolicySpec policy = *policy_by_name("srtf");
  const auto preempted = [&] {
    tell(PolicySet{policy});
    std::vector<JobId> longs;
    for (int i = 0; i < 2; ++i) {
      JobSpec long_one = spec("long", 2);
      long_one.preemptible = true;
      long_one.expected_duration = seconds(10'000);
      longs.push_back(submit(long_one));
      start(longs.back());
    }
    JobSpec small = spec("small", 1);
    small.expected_duration = seconds(1);
    const JobId id = submit(small);
    for (const JobId one : longs) tell(JobStopRequested{one});
    for (const JobId one : longs) end(one, 0, true);
    start(id);
    end(id);
    for (const Decision& one : decisions()) {
      if (one.kind == DecisionKind::Preempt) return one.compared;
    }
    return std::string("none was preempted");
  };
  EXPECT_THAT(preempted(), HasSubstr("; a restart is taken to cost 0s, as the policy"));
  for (int i = 0; i < 10; ++i) {
    const JobId id = submit(spec("quick", 1));
    start(id);
    end(id);
  }
  EXPECT_THAT(preempted(), HasSubstr("as measured: the latest starts took 1.0s and stops 0s"));
  policy.restart_cost = seconds(60);
  EXPECT_THAT(preempted(), HasSubstr("a restart is taken to cost 1m 00s, as the policy says"));
}

TEST_F(WatchTest, AStartSaysWhatWasKeptForIt) {
  JobSpec long_one = spec("long", 2);
  long_one.expected_duration = seconds(1000);
  const JobId first = submit(long_one);
  JobSpec big = spec("big", 2, 9);
  big.tasks[0].count = 2;
  const JobId waits = submit(big);
  JobSpec small = spec("small", 1);
  small.expected_duration = seconds(10);
  const JobId passes = submit(small);
  JobSpec last = spec("last", 2);
  last.tasks[0].count = 2;
  submit(last);
  start(first);
  start(passes);
  end(passes);
  end(first);
  const auto told = decisions({.job = waits});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].compared,
            "room was kept for it while one job overtook it; one other job waits");
}

TEST_F(WatchTest, APreemptionNamesBothSides) {
  JobSpec weak = spec("weak", 2, 1);
  weak.preemptible = true;
  const JobId first = submit(weak);
  const JobId second = submit(weak);
  start(first);
  start(second);
  const JobId winner = submit(spec("strong", 2, 9));
  const unsigned preempt = 1U << static_cast<unsigned>(DecisionKind::Preempt);
  const auto told = decisions({.kinds = preempt});
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].beneficiary, winner);
  EXPECT_NE(told[0].why.find("'strong'"), std::string::npos);
  EXPECT_EQ(told[0].compared, "priority 9 against 1; 2 GPUs against 2 GPUs");
  end(told[0].job, 0, true);
  EXPECT_EQ(decisions({.kinds = preempt})[0].outcome->to, JobState::Queued);
  EXPECT_EQ(decisions({.job = winner})[0].compared,
            "one job was stopped to make room for it; one other job waits");
}

TEST_F(WatchTest, ARetryAndItsEndAreTold) {
  JobSpec flaky = spec("flaky", 1);
  flaky.retry.on_error = true;
  flaky.retry.retries_max = 1;
  flaky.retry.backoff = seconds(0);
  const JobId id = submit(flaky);
  end(id, 3);
  end(id, 3);
  const auto told = decisions({.job = id});
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].kind, DecisionKind::GiveUp);
  EXPECT_EQ(told[1].kind, DecisionKind::Start);
  EXPECT_EQ(told[2].kind, DecisionKind::Requeue);
  EXPECT_NE(told[2].why.find("retry 1 of 1"), std::string::npos) << told[2].why;
}

TEST_F(WatchTest, WhatAPersonAskedForIsNoDecision) {
  const JobId id = submit(spec("train", 2));
  tell(JobStopRequested{id});
  EXPECT_EQ(decisions().size(), 1U);
  EXPECT_EQ(decisions()[0].outcome->to, JobState::Stopping);
}

TEST_F(WatchTest, ATaskThatIsStartedAnewIsTold) {
  tell(NodeJoined{
      NodeId{2},
      {"node-2", "", "H100", 2, MemoryMib{81'920}, CpuMilli{8000}, MemoryMib{32'768}, true}});
  JobSpec gang = spec("elastic", 2);
  gang.tasks[0].count = 2;
  gang.retry.on_node_loss = NodeLossAnswer::Task;
  submit(gang);
  tell(NodeLost{NodeId{1}, "not heard for 30s"});
  auto told = decisions();
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0].kind, DecisionKind::Replace);
  EXPECT_EQ(told[0].attempt, 2);
  EXPECT_EQ(told[0].nodes, std::vector<std::string>{"node-2"});
  EXPECT_EQ(told[0].why,
            "task 1 was started anew on node node-2: node node-1 was lost (not heard for 30s); the "
            "other task ran on; retry 1 of 3");
  tell(NodeLost{NodeId{2}, "gone"});
  told = decisions();
  EXPECT_EQ(told[0].kind, DecisionKind::Stop);
  EXPECT_EQ(told[0].why,
            "task 1: gone; no place is free for this task alone, so all are started anew");
  const auto events = watch.feed.read(std::nullopt, JobId{1}, 100).events;
  EXPECT_EQ(std::count_if(events.begin(), events.end(),
                          [](const JobEvent& one) {
                            return one.detail ==
                                   "task 1 is started anew on node-2: node-1 was lost (not heard "
                                   "for 30s)";
                          }),
            1);
}

TEST_F(WatchTest, PagesGoOnWhereTheyEnded) {
  for (int i = 0; i < 4; ++i) submit(spec("j", 1));
  auto page = watch.decisions.read({.count_max = 3});
  ASSERT_EQ(page.decisions.size(), 3U);
  EXPECT_TRUE(page.more);
  page = watch.decisions.read({.before = page.decisions.back().position, .count_max = 3});
  ASSERT_EQ(page.decisions.size(), 1U);
  EXPECT_EQ(page.decisions[0].job, JobId{1});
  EXPECT_FALSE(page.more);
  EXPECT_EQ(watch.decisions.count_since(Time{})[0], 4);
}

/// What a watch tells of its past, as text.
std::string told_by(const Watch& watch) {
  std::string text;
  for (const Decision& one : watch.decisions.read({.count_max = 1000}).decisions) {
    text += to_string(one.position) + " " + std::string(to_string(one.kind)) + ": " + one.why +
            "; " + one.compared + "; " +
            (one.outcome ? std::string(to_string(one.outcome->to)) : "") + "\n";
  }
  for (const JobEvent& one : watch.feed.read(std::nullopt, std::nullopt, 1000).events) {
    text += to_string(one.position) + " " + one.job_name + " " +
            std::string(to_string(one.transition.to)) + " " + one.detail + "\n";
  }
  return text;
}

/// Keeps a journal's events, and tells them anew as a store does.
struct KeptEvents final : control::Journal {
  void append(const Event& event) override { events.push_back(event); }
  void append(const Command&) override {}
  Result<void> commit() override { return {}; }
  Result<void> save(const ControllerState&) override { return {}; }

  Result<void> recall(live::Recollection& into, std::size_t events_max) const {
    control::Controller core{control::Config{}};
    into.begin(core);
    for (std::size_t i = 0; i < events_max && i < events.size(); ++i) {
      into.after(events[i], core.step(events[i]), core);
    }
    if (events_max < events.size()) return fail(ErrorKind::Invalid, "it is damaged");
    return {};
  }

  std::vector<Event> events;
};

TEST(RememberTest, TheNextLifeTellsWhatTheOneBeforeTold) {
  KeptEvents journal;
  control::RandomHistory life(7);
  control::Controller first{control::Config{}};
  Watch before(300, first, Time{});
  for (int i = 0; i < 2000; ++i) life.step(journal);
  for (const Event& event : journal.events) before.after(event, first.step(event), first);
  before.committed(first.last_event());

  Watch after(300, first, Time{});
  const FeedPosition seen = before.feed.last();
  EXPECT_TRUE(
      after.feed.read(FeedPosition{EventSeq{seen.seq.value - 1}, 0}, std::nullopt, 9).missed);
  const auto recall = [&](std::size_t events_max) {
    return after.remember(
        first, Time{}, [&](live::Recollection& into) { return journal.recall(into, events_max); });
  };
  ASSERT_TRUE(recall(2000));
  EXPECT_EQ(told_by(after), told_by(before));
  EXPECT_FALSE(after.feed.read(seen, std::nullopt, 9).missed);
  EXPECT_EQ(after.feed.last(), seen);
  EXPECT_EQ(after.policies.entries().size(), before.policies.entries().size());
  // A reader that was told of nothing newer than what is durable has missed nothing.
  const FeedPosition end{first.last_event(), 5};
  EXPECT_FALSE(after.feed.read(end, std::nullopt, 9).missed);

  ASSERT_FALSE(recall(1000));
  EXPECT_EQ(told_by(after), "") << "half of the past is none";
  EXPECT_TRUE(after.feed.read(FeedPosition{EventSeq{1000}, 0}, std::nullopt, 9).missed);
}

TEST(DecisionLogTest, KeepsTheLatestAndTheirOutcomes) {
  control::RandomHistory history(7);
  DecisionLog log(5, control::Controller(control::Config{}));
  control::NullJournal nothing;
  for (int i = 0; i < 40; ++i) history.step(nothing);
  control::Controller core = history.core();
  for (std::uint64_t i = 0; i < 20; ++i) {
    const Event event{
        core.now(), EventSeq{core.last_event().value + 1},
        JobSubmitted{JobId{core.jobs().last().value + 1}, WatchTest::spec("x", 1), ""}};
    log.after(event, core.step(event), core);
  }
  EXPECT_LE(log.read({}).decisions.size(), 5U);
}

/// Counts that are kept up must be what a walk over everything finds.
RC_GTEST_PROP(FleetWatchTest, AgreesWithAWalk, ()) {
  struct Feeder final : control::Journal {
    void append(const Event& event) override { events.push_back(event); }
    void append(const Command&) override {}
    Result<void> commit() override { return {}; }
    Result<void> save(const ControllerState&) override { return {}; }
    std::vector<Event> events;
  } journal;
  control::RandomHistory history(*rc::gen::arbitrary<std::uint64_t>());
  for (int i = 0; i < 400; ++i) history.step(journal);
  control::Controller core{control::Config{}};
  FleetWatch watch(core, Time{});
  for (const Event& event : journal.events) watch.after(event, core.step(event), core);
  const FleetWatch fresh(core, core.now());
  const auto& kept = watch.counts();
  const auto& walked = fresh.counts();
  RC_ASSERT(kept.jobs == walked.jobs);
  RC_ASSERT(kept.nodes_up == walked.nodes_up && kept.nodes_down == walked.nodes_down);
  RC_ASSERT(kept.gpu_milli_up == walked.gpu_milli_up);
  RC_ASSERT(kept.gpu_milli_used == walked.gpu_milli_used);
  RC_ASSERT(watch.queues().size() == fresh.queues().size());
  for (std::size_t i = 0; i < fresh.queues().size(); ++i) {
    const auto& a = watch.queues()[i].lines;
    const auto& b = fresh.queues()[i].lines;
    RC_ASSERT(a.jobs_queued.value() == b.jobs_queued.value());
    RC_ASSERT(a.jobs_placed.value() == b.jobs_placed.value());
    RC_ASSERT(a.gpu_milli_used.value() == b.gpu_milli_used.value());
  }
}

struct JobListTest : WatchTest {
  std::vector<std::uint64_t> ids(const JobListQuery& query) const {
    std::vector<std::uint64_t> found;
    for (const JobView& job : list_jobs(core, query).jobs) found.push_back(job.id.value);
    return found;
  }
  JobListTest() {
    submit(spec("Alpha", 1, 3));
    submit(spec("beta", 2, 9));
    submit(spec("gamma", 1, 3));
    submit(spec("alphabet", 2, 1));
  }
};

TEST_F(JobListTest, AViewSortsCountsAndBeginsAnywhere) {
  using Sort = JobListQuery::Sort;
  using Ids = std::vector<std::uint64_t>;
  EXPECT_EQ(ids({.sort = Sort::Priority, .offset = 0}), (Ids{2, 3, 1, 4}));
  EXPECT_EQ(ids({.sort = Sort::Priority, .ascending = true, .offset = 0}), (Ids{4, 3, 1, 2}));
  EXPECT_EQ(ids({.sort = Sort::Name, .ascending = true, .offset = 0}), (Ids{1, 4, 2, 3}));
  EXPECT_EQ(ids({.ascending = true, .limit = 2, .offset = 1}), (Ids{2, 3}));
  EXPECT_EQ(ids({.search = "alpha", .offset = 0}), (Ids{4, 1}));
  EXPECT_EQ(ids({.search = "3", .offset = 0}), (Ids{3}));
  EXPECT_EQ(ids({.node = "node-1", .offset = 0}), Ids{2});
  EXPECT_EQ(ids({.node = "none", .offset = 0}), Ids{});
  EXPECT_EQ(list_jobs(core, {.limit = 1, .offset = 9}).total, 4U);
  EXPECT_EQ(ids({.offset = 9}), Ids{});
}

TEST_F(JobListTest, AWalkGoesOnByIdAndCountsNothing) {
  const JobPage page = list_jobs(core, {.limit = 3});
  EXPECT_EQ(page.next, JobId{2});
  EXPECT_FALSE(page.total);
  EXPECT_EQ(ids({.below = *page.next}), std::vector<std::uint64_t>{1});
}

TEST_F(JobListTest, AViewThatIsAskedForAgainIsNoOlderThanItMayBe) {
  JobViews views;
  const JobListQuery query{.search = "alpha", .offset = 0};
  const auto start = JobViews::Clock::now();
  const auto total = [&](std::chrono::hours later) {
    return views.list(core, query, start + later).total;
  };
  EXPECT_EQ(total(std::chrono::hours(0)), 2U);
  submit(spec("alpha-2", 1, 3));
  EXPECT_LE(total(std::chrono::hours(0)), 3U);
  EXPECT_EQ(total(std::chrono::hours(1)), 3U);
  for (int i = 0; i < 20; ++i) {  // more views than are kept
    const JobListQuery other{.search = std::to_string(i), .offset = 0};
    EXPECT_EQ(views.list(core, other).total, list_jobs(core, other).total) << i;
  }
  EXPECT_EQ(views.list(core, {.limit = 2, .offset = 1}).jobs.size(), 2U);
}

TEST_F(JobListTest, WrongParametersAreNamed) {
  const auto problem = [](http::Pairs pairs) {
    http::Request request;
    request.query = std::move(pairs);
    const auto read = read_job_list_query(request, 100, 1000);
    const auto* wrong = std::get_if<http::Problem>(&read);
    return wrong ? wrong->errors.at(0).pointer : "none";
  };
  EXPECT_EQ(problem({{"sort", "nmae"}}), "query:sort");
  EXPECT_EQ(problem({{"order", "up"}}), "query:order");
  EXPECT_EQ(problem({{"offset", "-1"}}), "query:offset");
  EXPECT_EQ(problem({{"state", "run"}}), "query:state");
  EXPECT_EQ(problem({{"limit", "0"}}), "query:limit");
  EXPECT_EQ(problem({{"search", std::string(257, 'x')}}), "query:search");
  EXPECT_EQ(problem({{"offset", "1"}, {"cursor", "3"}}), "query:cursor");
  EXPECT_EQ(problem({{"sort", "name"}, {"order", "asc"}}), "none");
}

}  // namespace
}  // namespace gyre::server
