#include "reason/queueing/order.h"

#include <gtest/gtest.h>

namespace gyre::reason {
namespace {

using enum PolicySpec::Order;

class OrderTest : public ::testing::Test {
 protected:
  static Job job(std::uint64_t id, std::int32_t gpus = 1) {
    Job job;
    job.id = {id};
    JobSpec spec;
    spec.tasks = {{1, {}}};
    spec.tasks[0].request.gpus = gpus;
    job.spec = std::move(spec);
    return job;
  }
  static Job named(Job job, const char* name) {
    job.spec = job.spec.with([name](JobSpec& spec) { spec.name = name; });
    return job;
  }
  static Job expected(Job job, Duration run_time) {
    job.spec = job.spec.with([run_time](JobSpec& spec) { spec.expected_duration = run_time; });
    return job;
  }
  static Job running(Job job, Time since) {
    job.state = JobState::Running;
    job.attempt_started_at = since;
    return job;
  }
  Rank rank(PolicySpec::Order order, const Job& job) {
    times_.join(job, job.kept);
    return order_of(order).rank(job, view());
  }
  OrderView view() const { return {policy_, times_, now_, policy_.restart_cost}; }

  PolicySpec policy_;
  RunTimes times_;
  Time now_{seconds(10'000).ns};
};

TEST_F(OrderTest, FifoGoesBySubmissionAlone) { EXPECT_EQ(rank(Fifo, job(1)), rank(Fifo, job(2))); }

TEST_F(OrderTest, PriorityPutsHigherFirst) {
  Job high = job(1);
  high.spec = high.spec.with([](JobSpec& spec) { spec.priority = 9; });
  EXPECT_LT(rank(Priority, high), rank(Priority, job(2)));
}

TEST_F(OrderTest, SjfGoesByTheDeclaredRunTimeAndPutsUnknownOnesLast) {
  Job brief = expected(job(1), seconds(10));
  Job lengthy = expected(job(2), seconds(20));
  EXPECT_LT(rank(Sjf, brief), rank(Sjf, lengthy));
  EXPECT_LT(rank(Sjf, lengthy), rank(Sjf, job(3)));
}

TEST_F(OrderTest, SrtfComparesWhatRemainsOfWaitingAndRunning) {
  Job half_done = expected(job(1), seconds(100));
  half_done.kept = seconds(60);
  const Rank waits = rank(Srtf, half_done);
  EXPECT_EQ(waits, seconds(40).ns);
  Job other = expected(job(2), seconds(100));
  const Order& srtf = order_of(Srtf);
  const Rank fresh = srtf.standing(running(other, now_ - seconds(30)), view()).rank;
  const Rank ending = srtf.standing(running(other, now_ - seconds(70)), view()).rank;
  EXPECT_GT(fresh, srtf.bar(waits, 1000, view())) << "70 s remain against 40 s";
  EXPECT_EQ(srtf.bar(kStarving, 1000, view()), kStarving) << "nothing that may be stopped is safe";
  EXPECT_LT(ending, srtf.bar(waits, 1000, view())) << "30 s remain against 40 s";
  policy_.restart_cost = seconds(31);
  EXPECT_LT(fresh, srtf.bar(waits, 1000, view())) << "not worth the restart";
}

TEST_F(OrderTest, TiresiasMovesAJobDownOnceItHasHadItsGpuTime) {
  policy_.level_gpu_seconds = 1000;
  const Job wide = running(job(1, 4), now_ - seconds(100));
  const Standing first = order_of(Tiresias).standing(wide, view());
  EXPECT_EQ(first.rank, 0);
  EXPECT_EQ(first.until, now_ + seconds(150));
  now_ = first.until;
  EXPECT_EQ(order_of(Tiresias).standing(wide, view()).rank, 1);
  Job again = job(2, 4);
  again.ran = seconds(250);
  EXPECT_EQ(rank(Tiresias, again), 1);
  EXPECT_EQ(rank(Tiresias, job(3, 4)), 0);
}

TEST_F(OrderTest, QssfAndGyreGoByWhatPastRunsTaughtAndBySize) {
  Job quick = named(job(1), "quick");
  Job slow = named(job(2), "slow");
  for (Job* const one : {&quick, &slow}) {
    one->batch = times_.batch_for(one->spec, one->id, now_);
    for (int i = 0; i < 8; ++i) times_.observe(*one, one == &quick ? seconds(60) : seconds(6000));
  }
  Job wide = quick;
  wide.id = {3};
  wide.spec = wide.spec.with([](JobSpec& spec) { spec.tasks[0].request.gpus = 8; });
  for (const PolicySpec::Order order : {Qssf, Gyre}) {
    EXPECT_LT(rank(order, quick), rank(order, wide));
    EXPECT_LT(rank(order, wide), rank(order, slow));
  }
}

TEST_F(OrderTest, GyreDoesNotForgetHowLongAJobRanThatKeepsNothing) {
  const Job fresh = [&] {
    Job one = job(1);
    one.batch = times_.batch_for(one.spec, one.id, now_);
    for (const int s : {1, 1, 1, 1, 1, 1, 300, 400}) times_.observe(one, seconds(s));
    times_.refresh(one.batch);
    return one;
  }();
  Job stopped = fresh;
  stopped.ran = seconds(61);
  Job other = running(fresh, now_ - seconds(61));
  other.id = {2};
  times_.join(fresh, age_of(fresh));
  times_.join(other, age_of(other, now_));
  const Order& gyre = order_of(Gyre);
  EXPECT_GT(gyre.standing(other, view()).rank, gyre.rank(fresh, view()));
  EXPECT_LE(gyre.standing(other, view()).rank, gyre.rank(stopped, view()))
      << "else they would take turns";
}

TEST_F(OrderTest, GyreCountsTheWorkThatAStopWouldLose) {
  const auto standing = [&](std::uint64_t id, Duration interval) {
    Job one = job(id, 8);
    if (interval.ns > 0) {
      one.spec = one.spec.with([&](JobSpec& spec) { spec.checkpoint.interval = interval; });
    }
    one.batch = times_.batch_for(one.spec, one.id, now_);
    for (int i = 0; i < 20; ++i) times_.observe(one, seconds(4000));
    times_.refresh(one.batch);
    one = running(one, now_ - seconds(3000));
    times_.join(one, age_of(one, now_));
    return order_of(Gyre).standing(one, view()).rank;
  };
  EXPECT_LT(standing(1, {}), standing(2, seconds(600)));
}

TEST_F(OrderTest, GyreStopsAJobOnlyForGainNetOfItsCost) {
  const Order& gyre = order_of(Gyre);
  policy_.gain_min_percent = 100;
  const Rank minute = log_step(60);
  EXPECT_EQ(gyre.bar(minute, 1000, view()), minute);
  policy_.restart_cost = seconds(60);
  const Rank with_cost = gyre.bar(minute, 1000, view());
  EXPECT_GT(with_cost, minute);
  policy_.gain_min_percent = 300;
  EXPECT_GT(gyre.bar(minute, 1000, view()), with_cost);
  EXPECT_GT(gyre.bar(minute, 8000, view()), gyre.bar(minute, 1000, view()));
}

}  // namespace
}  // namespace gyre::reason
