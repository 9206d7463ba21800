#include "observe/ledger.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <utility>

namespace gyre::observe {
namespace {

constexpr std::int64_t kParts = 1000 * 1024;
constexpr std::int64_t kHourNs = 3'600'000'000'000;

struct Amounts {
  std::string_view gpu_model;
  std::int64_t gpu_milli;
  CpuMilli cpu;
  MemoryMib memory;
};

FineMoney rate_at(const PriceList& prices, const Amounts& held) {
  const FineMoney gpu = FineMoney{gpu_hour_of(prices, held.gpu_model).value} * held.gpu_milli;
  const FineMoney cpu = FineMoney{prices.cpu_hour.value} * held.cpu.value;
  const FineMoney memory = FineMoney{prices.memory_hour.value} * held.memory.value;
  return (gpu + cpu) * 1024 + memory * 1000;
}

std::int64_t gpu_milli(const Allocation& held) {
  return std::int64_t{held.gpu_milli.value} * std::popcount(held.devices);
}

HeldTime held_by(const Job& job, const TaskPlacement& task, const Cluster& cluster, Time to) {
  const Allocation& part = task.allocation;
  return {job.id,
          job.spec->tenant,
          job.spec->queue,
          cluster.node(task.node).spec.gpu_model,
          gpu_milli(part),
          part.cpu,
          part.memory,
          placed_at(job, task.rank),
          to};
}

FineMoney rate_at(const PriceList& prices, const HeldTime& held) {
  return rate_at(prices, Amounts{held.gpu_model, held.gpu_milli, held.cpu, held.memory});
}

/// Calls `visit` with each task that holds something, as held until `now`.
template <class Visitor>
void for_each_holding(const Job& job, const Cluster& cluster, Time now, Visitor&& visit) {
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] != TaskState::Ended) visit(held_by(job, job.placement[i], cluster, now));
  }
}

}  // namespace

FineMoney rate_of(const PriceList& prices, const Allocation& held, std::string_view gpu_model) {
  return rate_at(prices, Amounts{gpu_model, gpu_milli(held), held.cpu, held.memory});
}

FineMoney rate_of(const PriceList& prices, const Request& asked, std::string_view gpu_model) {
  return rate_at(prices, Amounts{gpu_model, asked.gpu_total().value, asked.cpu, asked.memory});
}

namespace {

/// Of all that the job holds.
FineMoney rate_now(const PriceList& prices, const Job& job, const Cluster& cluster) {
  FineMoney sum = 0;
  for (std::size_t i = 0; i < job.placement.size(); ++i) {
    if (job.tasks[i] == TaskState::Ended) continue;
    const TaskPlacement& task = job.placement[i];
    sum += rate_of(prices, task.allocation, cluster.node(task.node).spec.gpu_model);
  }
  return sum;
}

}  // namespace

Money per_hour(FineMoney rate) { return {static_cast<std::int64_t>(rate / kParts)}; }

Money over(FineMoney rate, Duration time) {
  return {static_cast<std::int64_t>(rate * time.ns / kParts / kHourNs)};
}

void Ledger::set_prices(std::optional<PriceList> prices, const JobTable& jobs,
                        const Cluster& cluster, Time now) {
  if (!prices_.empty() && prices_.back().from == now) prices_.pop_back();
  const bool same = prices_.empty() ? !prices : prices_.back().prices == prices;
  if (!same) prices_.push_back({now, std::move(prices)});
  if (prices_.size() > kPriceChangesMax) prices_.erase(prices_.begin());
  count_rate(jobs, cluster);
}

const PriceList* Ledger::prices() const {
  return prices_.empty() || !prices_.back().prices ? nullptr : &*prices_.back().prices;
}

void Ledger::count_rate(const JobTable& jobs, const Cluster& cluster) {
  rate_ = 0;
  const PriceList* now = prices();
  if (now == nullptr) return;
  jobs.for_each([&](const Job& job) { rate_ += rate_now(*now, job, cluster); });
}

void Ledger::placed(const Job& job, const Cluster& cluster) {
  const PriceList* now = prices();
  if (now != nullptr) rate_ += rate_now(*now, job, cluster);
}

void Ledger::placed_anew(const TaskPlacement& task, const Cluster& cluster) {
  if (const PriceList* now = prices()) {
    rate_ += observe::rate_of(*now, task.allocation, cluster.node(task.node).spec.gpu_model);
  }
}

void Ledger::gave_back(const Job& job, const TaskPlacement& task, const Cluster& cluster,
                       Time ended_at, Time now) {
  if (prices_.empty()) return;
  const Time end = ended_at == Time{} ? now : std::clamp(ended_at, placed_at(job, task.rank), now);
  HeldTime held = held_by(job, task, cluster, end);
  if (const PriceList* in_force = prices()) rate_ -= rate_at(*in_force, held);
  const Charge charge = until(held, end);
  if (charge == Charge{}) return;
  jobs_[job.id] += charge;
  held_.push_back(std::move(held));
  bound();
}

/// What has come together by `to`, rounded down.
Charge Ledger::until(const HeldTime& held, Time to) const {
  to = std::min(to, held.to);
  FineMoney amount = 0;
  FineMoney gpu = 0;
  for (std::size_t i = 0; i < prices_.size(); ++i) {
    const Time begin = std::max(prices_[i].from, held.from);
    const Time end = i + 1 < prices_.size() ? std::min(prices_[i + 1].from, to) : to;
    if (!prices_[i].prices || end <= begin) continue;
    amount += rate_at(*prices_[i].prices, held) * (end - begin).ns;
    gpu += FineMoney{held.gpu_milli} * (end - begin).ns;
  }
  return {{static_cast<std::int64_t>(amount / kParts / kHourNs)},
          static_cast<std::int64_t>(gpu / 1'000'000)};
}

Charge Ledger::within(const HeldTime& held, const Window& window) const {
  if (window.to <= held.from || window.from >= held.to) return {};
  return until(held, window.to) - until(held, window.from);
}

Charge Ledger::charge_of(const Job& job, const Cluster& cluster, Time now) const {
  const auto known = jobs_.find(job.id);
  Charge sum = known == jobs_.end() ? Charge{} : known->second;
  if (prices_.empty()) return sum;
  for_each_holding(job, cluster, now, [&](const HeldTime& held) { sum += until(held, now); });
  return sum;
}

Money Ledger::rate_of(const Job& job, const Cluster& cluster) const {
  const PriceList* now = prices();
  return now == nullptr ? Money{} : per_hour(rate_now(*now, job, cluster));
}

/// Adds it to the sums of the hours that it was held in.
void Ledger::sum_up(const HeldTime& held) {
  for (std::int64_t hour = held.from.ns / kHourNs; hour * kHourNs < held.to.ns; ++hour) {
    const Charge part = within(held, {Time{hour * kHourNs}, Time{(hour + 1) * kHourNs}});
    if (part != Charge{}) hours_[{hour, held.tenant, held.queue}] += part;
  }
}

void Ledger::bound() {
  while (held_.size() > kHeldMax) {
    sum_up(held_.front());
    held_.pop_front();
  }
  while (hours_.size() > kHoursMax) {
    const std::int64_t oldest = std::get<0>(hours_.begin()->first);
    while (!hours_.empty() && std::get<0>(hours_.begin()->first) == oldest) {
      hours_.erase(hours_.begin());
    }
    forgotten_ = Time{(oldest + 1) * kHourNs};
  }
}

Ledger::Bill Ledger::bill(By by, const Window& window, const JobTable& jobs, const Cluster& cluster,
                          Time now) const {
  std::map<std::pair<JobId, std::string>, Charge> sums;
  Bill bill;
  bill.forgotten = forgotten_;
  const auto add = [&](JobId job, const std::string& tenant, const std::string& queue,
                       const Charge& charge) {
    if (charge == Charge{}) return;
    bill.total += charge;
    if (by == By::Job) {
      sums[{job, {}}] += charge;
    } else {
      sums[{{}, by == By::Tenant ? tenant : queue}] += charge;
    }
  };
  for (const auto& [key, charge] : hours_) {
    const auto& [hour, tenant, queue] = key;
    const Time begin{hour * kHourNs};
    if (begin >= window.from && begin < window.to) add({}, tenant, queue, charge);
  }
  for (const HeldTime& one : held_) add(one.job, one.tenant, one.queue, within(one, window));
  const auto add_open = [&](const HeldTime& one) {
    add(one.job, one.tenant, one.queue, within(one, window));
  };
  if (!prices_.empty()) {
    jobs.for_each([&](const Job& job) { for_each_holding(job, cluster, now, add_open); });
  }
  for (auto& [key, charge] : sums) {
    const Job* job = by == By::Job ? jobs.find(key.first) : nullptr;
    bill.lines.push_back({key.first, job != nullptr ? job->spec->name : key.second, charge});
  }
  std::stable_sort(bill.lines.begin(), bill.lines.end(),
                   [](const Line& a, const Line& b) { return a.charge.amount > b.charge.amount; });
  return bill;
}

LedgerState Ledger::state() const {
  LedgerState state;
  state.prices = prices_;
  state.held.assign(held_.begin(), held_.end());
  for (const auto& [job, charge] : jobs_) state.jobs.push_back({job, charge});
  for (const auto& [key, charge] : hours_) {
    state.hours.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), charge});
  }
  state.forgotten = forgotten_;
  return state;
}

Result<void> Ledger::restore(const LedgerState& state, const JobTable& jobs,
                             const Cluster& cluster) {
  for (std::size_t i = 0; i < state.prices.size(); ++i) {
    const bool in_order = i == 0 || state.prices[i - 1].from < state.prices[i].from;
    if (in_order && (!state.prices[i].prices || validate(*state.prices[i].prices))) continue;
    return fail(ErrorKind::Invalid, "price {} of the ledger is none, or out of order", i);
  }
  for (const HeldTime& held : state.held) {
    if (held.from <= held.to) continue;
    return fail(ErrorKind::Invalid, "job {} held something until before it did", held.job.value);
  }
  prices_ = state.prices;
  held_.assign(state.held.begin(), state.held.end());
  jobs_.clear();
  for (const JobCharge& one : state.jobs) jobs_[one.job] = one.charge;
  hours_.clear();
  for (const HourCharge& one : state.hours) {
    hours_[{one.hour, one.tenant, one.queue}] = one.charge;
  }
  forgotten_ = state.forgotten;
  count_rate(jobs, cluster);
  return {};
}

}  // namespace gyre::observe
