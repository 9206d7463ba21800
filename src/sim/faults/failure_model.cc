#include "sim/faults/failure_model.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace gyre::sim {
namespace {

constexpr double kSpanNsMax = 9e18;
constexpr std::uint64_t kFailuresPerNodeMax = 100;
constexpr std::uint64_t kFailuresAlways = 20'000;

Duration draw(Rng& rng, double mean_ns) {
  const double span = rng.exponential(mean_ns);
  // At least a nanosecond: a node is never down and up again at one instant.
  return Duration{static_cast<std::int64_t>(std::clamp(span, 1.0, kSpanNsMax))};
}

}  // namespace

FailureModel FailureModel::by_rate(Duration mtbf, Duration mttr, std::uint32_t nodes, Rng rng) {
  FailureModel model;
  model.rng_ = rng;
  model.mtbf_ = mtbf;
  model.mttr_ = mttr;
  model.failures_max_ = failures_max(nodes);
  model.up_.resize(nodes);
  std::iota(model.up_.begin(), model.up_.end(), 0U);
  return model;
}

FailureModel FailureModel::by_trace(FaultTrace trace, std::uint32_t nodes) {
  FailureModel model;
  for (const NodeChange& change : trace.changes) {
    if (change.node < nodes) model.trace_.push_back(change);
  }
  return model;
}

std::uint64_t FailureModel::failures_max(std::uint32_t nodes) {
  return std::max(kFailuresAlways, nodes * kFailuresPerNodeMax);
}

std::optional<NodeChange> FailureModel::peek(Time now, bool failures) {
  if (!rng_) return next_ < trace_.size() ? std::optional(trace_[next_]) : std::nullopt;
  std::optional<NodeChange> first;
  if (!repairs_.empty()) first = {repairs_.begin()->first, repairs_.begin()->second, true};
  if (!failures || up_.empty()) return first;
  if (!failure_ || failure_->at < now) draw_failure(now);
  return first && first->at <= failure_->at ? first : failure_;
}

void FailureModel::draw_failure(Time now) {
  const Duration wait =
      draw(*rng_, static_cast<double>(mtbf_.ns) / static_cast<double>(up_.size()));
  const std::uint64_t victim = rng_->below(up_.size());
  failure_ = {saturating_add(now, wait), up_[victim], false};
}

void FailureModel::pop(const NodeChange& change) {
  if (!rng_) {
    ++next_;
    return;
  }
  failure_.reset();
  if (change.up) {
    repairs_.erase({change.at, change.node});
    up_.push_back(change.node);
    return;
  }
  ++failures_;
  std::swap(*std::find(up_.begin(), up_.end(), change.node), up_.back());
  up_.pop_back();
  const Duration down = draw(*rng_, static_cast<double>(mttr_.ns));
  repairs_.emplace(saturating_add(change.at, down), change.node);
}

}  // namespace gyre::sim
