#include "control/forecast/quote.h"

#include <algorithm>

#include "control/forecast/run_time_lessons.h"
#include "reason/placement/placement.h"

namespace gyre::control {
namespace {

using observe::FineMoney;

struct Rates {
  FineMoney low = 0;
  FineMoney high = 0;
};

Rates rates_of(const PriceList& prices, const Plan& plan, const Cluster& cluster) {
  Rates rates;
  for (const TaskPlacement& task : plan.placement) {
    const std::string& model = cluster.node(task.node).spec.gpu_model;
    rates.low += observe::rate_of(prices, task.allocation, model);
  }
  rates.high = rates.low;
  return rates;
}

/// On whichever nodes of its queue's partition may take it.
Rates rates_of(const PriceList& prices, const JobSpec& spec, const Controller& core) {
  const Cluster& cluster = core.cluster();
  const auto& queues = core.queues();
  const auto queue = std::find_if(queues.begin(), queues.end(),
                                  [&](const QueueSpec& one) { return one.name == spec.queue; });
  Rates rates;
  if (queue == queues.end()) return rates;
  for (const TaskGroup& group : spec.tasks) {
    std::optional<Rates> one;
    for (std::uint32_t i = 0; i < cluster.shape_count(); ++i) {
      const Shape& shape = cluster.shape(ShapeId{i});
      const bool near = cluster.partition_name(shape.partition) == queue->partition;
      if (!near || !reason::could_run(shape, group.request)) continue;
      const FineMoney rate = observe::rate_of(prices, group.request, shape.gpu_model);
      if (!one) one = Rates{rate, rate};
      one->low = std::min(one->low, rate);
      one->high = std::max(one->high, rate);
    }
    if (!one) continue;
    rates.low += one->low * group.count;
    rates.high += one->high * group.count;
  }
  return rates;
}

std::optional<Duration> learned_duration(const Controller& core, const JobSpec& spec, Time now) {
  RunTimeLessons lessons = RunTimeLessons::of(core.jobs(), now);
  if (!lessons.knows(spec)) return std::nullopt;
  Job job;
  job.id = JobId{core.jobs().last().value + 1};
  job.spec = spec;
  job.submitted_at = now;
  lessons.expect(job, now);
  return lessons.quantile(job, Duration{}, 0.5);
}

}  // namespace

std::optional<Quote> quote(const Controller& core, const JobSpec& spec, const Plan& plan,
                           Time now) {
  const PriceList* prices = core.ledger().prices();
  if (prices == nullptr) return std::nullopt;
  const Rates rates =
      plan.starts_now ? rates_of(*prices, plan, core.cluster()) : rates_of(*prices, spec, core);
  Quote quote;
  quote.hour = {observe::per_hour(rates.low), observe::per_hour(rates.high)};
  quote.declared = spec.expected_duration.has_value();
  quote.duration = quote.declared ? spec.expected_duration : learned_duration(core, spec, now);
  if (quote.duration) {
    quote.total = Quote::Range{observe::over(rates.low, *quote.duration),
                               observe::over(rates.high, *quote.duration)};
  }
  return quote;
}

}  // namespace gyre::control
