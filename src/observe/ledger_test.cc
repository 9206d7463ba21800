#include "observe/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <utility>

namespace gyre::observe {
namespace {

constexpr Duration kHour = seconds(3600);
constexpr Time kStart{seconds(1'700'000'000).ns};

PriceList prices_of(std::int64_t gpu_hour, std::int64_t h100_hour) {
  PriceList prices;
  prices.gpu_hour = Money{gpu_hour};
  prices.models = {{"H100", Money{h100_hour}}};
  return prices;
}

/// Two nodes, and jobs that hold all of one task each.
class LedgerTest : public ::testing::Test {
 protected:
  LedgerTest() {
    for (const char* model : {"A100", "H100"}) {
      NodeSpec spec{model, "", model, 8, {81'920}, {64'000}, {524'288}, true};
      const NodeId id{static_cast<std::uint32_t>(cluster_.nodes().size())};
      EXPECT_TRUE(cluster_.add(id, spec));
    }
  }

  Job& place(std::uint32_t node, std::int32_t gpus, Time at) {
    Job job;
    job.id = JobId{jobs_.last().value + 1};
    JobSpec spec;
    spec.queue = node == 0 ? "default" : "fast";
    spec.tenant = "ada";
    spec.name = "train";
    job.spec = std::move(spec);
    job.state = JobState::Running;
    job.attempt = 1;
    job.attempt_started_at = at;
    Allocation part;
    part.devices = static_cast<std::uint16_t>((1 << gpus) - 1);
    part.gpu_milli = kWholeGpu;
    part.cpu = CpuMilli{1500};
    part.memory = MemoryMib{512};
    job.placement = {{0, NodeId{node}, part}};
    job.tasks = {TaskState::Running};
    Job& added = jobs_.add(std::move(job));
    ledger_.placed(added, cluster_);
    return added;
  }
  void end(Job& job, Time now, Time ended_at = {}) {
    ledger_.gave_back(job, job.placement[0], cluster_, ended_at, now);
    job.tasks = {TaskState::Ended};
  }
  Charge charge(const Job& job, Time now) { return ledger_.charge_of(job, cluster_, now); }

  Cluster cluster_;
  JobTable jobs_;
  Ledger ledger_;
};

TEST_F(LedgerTest, WithoutAPriceNothingIsKept) {
  Job& job = place(0, 8, kStart);
  EXPECT_EQ(ledger_.rate(), Money{0});
  end(job, kStart + kHour);
  EXPECT_EQ(charge(job, kStart + kHour), Charge{});
  EXPECT_EQ(ledger_.state(), LedgerState{});
}

TEST_F(LedgerTest, ChargesWhatIsHeldAndNoMore) {
  ledger_.set_prices(prices_of(2'000'000, 3'500'000), jobs_, cluster_, kStart);
  Job& job = place(1, 4, kStart);
  EXPECT_EQ(ledger_.rate(), Money{14'000'000});
  EXPECT_EQ(charge(job, kStart + kHour), (Charge{{14'000'000}, 4 * 3600 * 1'000'000LL}));
  end(job, kStart + kHour + kHour);
  const Charge whole{{28'000'000}, 8 * 3600 * 1'000'000LL};
  EXPECT_EQ(charge(job, kStart + kHour + kHour), whole);
  EXPECT_EQ(charge(job, kStart + kHour * 1000), whole);
  EXPECT_EQ(ledger_.rate(), Money{0});
}

TEST_F(LedgerTest, EndsWhenTheTaskDidHoweverLateThatIsTold) {
  ledger_.set_prices(prices_of(1'000'000, 1'000'000), jobs_, cluster_, kStart);
  Job& job = place(0, 1, kStart);
  // Another price came while nobody knew that it was over.
  ledger_.set_prices(prices_of(9'000'000, 9'000'000), jobs_, cluster_, kStart + kHour * 5);
  EXPECT_EQ(charge(job, kStart + kHour * 6).amount, Money{14'000'000});
  end(job, kStart + kHour * 6, kStart + kHour);
  EXPECT_EQ(charge(job, kStart + kHour * 6).amount, Money{1'000'000});
  // A clock that is ahead, or behind, moves no end out of the time that it was held.
  Job& ahead = place(0, 1, kStart + kHour * 7);
  end(ahead, kStart + kHour * 8, kStart + kHour * 90);
  EXPECT_EQ(charge(ahead, kStart + kHour * 8).amount, Money{9'000'000});
  Job& behind = place(0, 1, kStart + kHour * 7);
  end(behind, kStart + kHour * 8, kStart);
  EXPECT_EQ(charge(behind, kStart + kHour * 8).amount, Money{0});
}

TEST_F(LedgerTest, APriceCountsFromThenOn) {
  Job& job = place(0, 1, kStart);
  ledger_.set_prices(prices_of(1'000'000, 0), jobs_, cluster_, kStart + kHour);
  ledger_.set_prices(std::nullopt, jobs_, cluster_, kStart + kHour * 2);
  EXPECT_EQ(ledger_.prices(), nullptr);
  ledger_.set_prices(prices_of(3'000'000, 0), jobs_, cluster_, kStart + kHour * 3);
  EXPECT_EQ(ledger_.rate(), Money{3'000'000});
  EXPECT_EQ(charge(job, kStart + kHour * 4).amount, Money{4'000'000});
  end(job, kStart + kHour * 4);
  EXPECT_EQ(charge(job, kStart + kHour * 9).amount, Money{4'000'000});
}

TEST_F(LedgerTest, CoresAndMemoryCostTheirShare) {
  PriceList prices;
  prices.cpu_hour = Money{10'000};
  prices.memory_hour = Money{3};
  ledger_.set_prices(prices, jobs_, cluster_, kStart);
  const Job& job = place(0, 1, kStart);
  EXPECT_EQ(ledger_.rate(), Money{15'001});  // 1.5 cores, and 1.5 millionths for half a GiB
  EXPECT_EQ(charge(job, kStart + kHour * 2).amount, Money{30'003});
}

TEST_F(LedgerTest, BillsAreByJobTenantAndQueue) {
  ledger_.set_prices(prices_of(1'000'000, 2'000'000), jobs_, cluster_, kStart);
  Job& cheap = place(0, 1, kStart);
  Job& dear = place(1, 1, kStart);
  end(cheap, kStart + kHour * 2);
  const Time now = kStart + kHour * 4;
  const auto bill = [&](Ledger::By by, Time from, Time to) {
    return ledger_.bill(by, {from, to}, jobs_, cluster_, now);
  };
  const Ledger::Bill all = bill(Ledger::By::Job, kStart, now);
  ASSERT_EQ(all.lines.size(), 2U);
  EXPECT_EQ(all.lines[0].job, dear.id);
  EXPECT_EQ(all.lines[0].name, "train");
  EXPECT_EQ(all.lines[0].charge.amount, Money{8'000'000});
  EXPECT_EQ(all.lines[1].charge.amount, Money{2'000'000});
  EXPECT_EQ(all.total.amount, Money{10'000'000});
  const Ledger::Bill later = bill(Ledger::By::Queue, kStart + kHour, kStart + kHour * 3);
  ASSERT_EQ(later.lines.size(), 2U);
  EXPECT_EQ(later.lines[0].name, "fast");
  EXPECT_EQ(later.lines[0].charge.amount, Money{4'000'000});
  EXPECT_EQ(later.lines[1].charge.amount, Money{1'000'000});
  EXPECT_EQ(bill(Ledger::By::Tenant, kStart, now).lines.at(0).name, "ada");
  EXPECT_TRUE(bill(Ledger::By::Job, now, now + kHour).lines.empty());
}

/// What is no longer told apart is still counted.
TEST_F(LedgerTest, OldTimesAreSummedByHour) {
  ledger_.set_prices(prices_of(1'000'000, 0), jobs_, cluster_, kStart);
  const std::size_t jobs = Ledger::kHeldMax + 500;
  Time now = kStart;
  for (std::size_t i = 0; i < jobs; ++i) {
    Job& job = place(0, 1, now);
    now = now + seconds(36);
    end(job, now);
    const JobId id = job.id;
    ledger_.forget(id);
    jobs_.forget(id);
  }
  const LedgerState state = ledger_.state();
  EXPECT_EQ(state.held.size(), Ledger::kHeldMax);
  EXPECT_GE(state.hours.size(), 5U);
  const Ledger::Bill bill =
      ledger_.bill(Ledger::By::Queue, {kStart - kHour, now}, jobs_, cluster_, now);
  EXPECT_EQ(bill.total.amount, Money{static_cast<std::int64_t>(jobs) * 10'000});
  ASSERT_EQ(bill.lines.size(), 1U);
  EXPECT_FALSE(bill.forgotten.has_value());
  Ledger twin;
  ASSERT_TRUE(twin.restore(state, jobs_, cluster_));
  EXPECT_EQ(twin.state(), state);
}

/// A made-up history of prices, and of jobs that each hold some GPUs for a while.
class RandomLedger {
 public:
  struct Run {
    JobId job;
    std::int64_t gpus;
    Time from;
    Time to;
  };

  RandomLedger() {
    RC_ASSERT(cluster_.add(NodeId{0}, {"n", "", "A100", 8, {81'920}, {64'000}, {524'288}, true})
                  .has_value());
    const int steps = *rc::gen::inRange(1, 60);
    for (int i = 0; i < steps; ++i) {
      now_ = now_ + nanoseconds(*rc::gen::inRange<std::int64_t>(1, 5'000'000'000'000));
      const int die = *rc::gen::inRange(0, 4);
      if (die == 0) change_price();
      if (die == 1 || die == 2) begin();
      if (die == 3 && !runs_.empty()) end(*rc::gen::inRange<std::size_t>(0, runs_.size()));
    }
    now_ = now_ + kHour;
  }

  /// In plain arithmetic.
  long double wanted(const Run& run) const {
    long double sum = 0;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      const Time begin = std::max(changes_[i].first, run.from);
      const Time next = i + 1 < changes_.size() ? changes_[i + 1].first : now_;
      const Time end = std::min({next, run.to, now_});
      if (end <= begin) continue;
      sum += static_cast<long double>(changes_[i].second * run.gpus) *
             static_cast<long double>((end - begin).ns) / 3.6e12L;
    }
    return sum;
  }
  std::int64_t price() const { return changes_.empty() ? 0 : changes_.back().second; }
  Charge charge(JobId job, Duration later) const {
    return ledger_.charge_of(*jobs_.find(job), cluster_, now_ + later);
  }
  Money bill(const Ledger& ledger, Ledger::By by, const Ledger::Window& window) const {
    return ledger.bill(by, window, jobs_, cluster_, now_).total.amount;
  }

  Cluster cluster_;
  JobTable jobs_;
  Ledger ledger_;
  std::vector<Run> runs_;
  Time now_ = kStart;

 private:
  void change_price() {
    PriceList list;
    list.gpu_hour = Money{*rc::gen::inRange<std::int64_t>(0, 9'000'001)};
    ledger_.set_prices(list, jobs_, cluster_, now_);
    changes_.emplace_back(now_, list.gpu_hour.value);
  }
  void begin() {
    Job job;
    job.id = JobId{jobs_.last().value + 1};
    job.attempt_started_at = now_;
    Allocation part;
    const int gpus = *rc::gen::inRange(1, 9);
    part.devices = static_cast<std::uint16_t>((1 << gpus) - 1);
    part.gpu_milli = kWholeGpu;
    job.placement = {{0, NodeId{0}, part}};
    job.tasks = {TaskState::Running};
    ledger_.placed(jobs_.add(std::move(job)), cluster_);
    runs_.push_back({jobs_.last(), gpus, now_, Time::max()});
  }
  void end(std::size_t index) {
    Run& run = runs_[index];
    if (run.to != Time::max()) return;
    Job& job = *jobs_.find(run.job);
    run.to = now_;
    ledger_.gave_back(job, job.placement[0], cluster_, {}, now_);
    job.tasks = {TaskState::Ended};
  }

  std::vector<std::pair<Time, std::int64_t>> changes_;  // when, and what a GPU then costs
};

/// Any number of price changes, jobs and ends: the whole is what plain arithmetic says, and nothing
/// is charged after the end.
RC_GTEST_PROP(LedgerProperty, ChargesWhatArithmeticSays, ()) {
  const RandomLedger it;
  std::int64_t rate = 0;
  for (const RandomLedger::Run& run : it.runs_) {
    const Charge charge = it.charge(run.job, {});
    const long double wanted = it.wanted(run);
    RC_ASSERT(charge.amount.value <= static_cast<std::int64_t>(wanted + 0.01L));
    RC_ASSERT(charge.amount.value >= static_cast<std::int64_t>(wanted - 0.01L));
    if (run.to == Time::max()) {
      rate += it.price() * run.gpus;
    } else {
      RC_ASSERT(it.charge(run.job, kHour) == charge);
    }
  }
  RC_ASSERT(it.ledger_.rate() == Money{rate});
}

/// Parts add up to the whole, whichever way they are taken, also after a restart.
RC_GTEST_PROP(LedgerProperty, MoneyIsNeitherMadeNorLost, ()) {
  const RandomLedger it;
  Money sum{0};
  for (const RandomLedger::Run& run : it.runs_) sum += it.charge(run.job, {}).amount;
  Ledger twin;
  RC_ASSERT(twin.restore(it.ledger_.state(), it.jobs_, it.cluster_).has_value());
  RC_ASSERT(twin.state() == it.ledger_.state());
  RC_ASSERT(twin.rate() == it.ledger_.rate());
  const Time cut = kStart + nanoseconds((it.now_ - kStart).ns / *rc::gen::inRange(1, 7));
  for (const auto by : {Ledger::By::Job, Ledger::By::Tenant, Ledger::By::Queue}) {
    const Money before = it.bill(twin, by, {kStart, cut});
    RC_ASSERT(before + it.bill(twin, by, {cut, it.now_}) == sum);
    RC_ASSERT(it.bill(twin, by, {kStart, it.now_}) == sum);
  }
}

}  // namespace
}  // namespace gyre::observe
