#include "server/proxy/backend.h"

#include <algorithm>
#include <utility>

namespace gyre::server::proxy {
namespace {

constexpr std::array kBounds{1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 0.1,  0.2,
                             0.5,  1.0,  2.0,  5.0,  10.0, 30.0, 60.0, 300.0};
constexpr Duration kSliceLength = seconds(10);
constexpr Duration kEjection = milliseconds(100);  // doubles with each failure in a row
constexpr Duration kEjectionMax = seconds(10);

/// By linear interpolation within the bucket (as Prometheus' histogram_quantile).
std::optional<Duration> quantile(const std::vector<std::uint64_t>& buckets, double share) {
  std::uint64_t all = 0;
  for (const std::uint64_t count : buckets) all += count;
  if (all == 0) return std::nullopt;
  const double rank = share * static_cast<double>(all);
  double below = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    const auto count = static_cast<double>(buckets[i]);
    if (below + count >= rank && count > 0) {
      const double low = i == 0 ? 0 : kBounds[i - 1];
      const double high = i < kBounds.size() ? kBounds[i] : kBounds.back();
      return Duration{
          static_cast<std::int64_t>((low + (high - low) * (rank - below) / count) * 1e9)};
    }
    below += count;
  }
  return seconds(static_cast<std::int64_t>(kBounds.back()));
}

}  // namespace

ServiceStats::ServiceStats() : durations(kBounds), waits(kBounds) {}
Backend::Slice::Slice() : durations(kBounds) {}

void Backend::update(const Route& route, Duration now) {
  route_ = route;
  std::vector<Target> targets;
  for (const Endpoint& endpoint : route.endpoints) {
    const Target* known = find(endpoint.key);
    Target target = known != nullptr ? *known : Target{};
    target.endpoint = endpoint;
    targets.push_back(std::move(target));
  }
  targets_ = std::move(targets);
  wake_waiters(now);
}

Backend::Target* Backend::find(const EndpointKey& key) {
  const auto at = std::find_if(targets_.begin(), targets_.end(),
                               [&key](const Target& target) { return target.endpoint.key == key; });
  return at == targets_.end() ? nullptr : &*at;
}

bool Backend::may_take(const Target& target) const {
  const std::int64_t most = route_.requests.in_flight_max;
  return target.endpoint.ready && !target.endpoint.draining &&
         (most == 0 || target.in_flight < most);
}

std::optional<Endpoint> Backend::take(Duration now) {
  Target* best = nullptr;
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    Target& target = targets_[(turn_ + i) % targets_.size()];
    if (!may_take(target) || target.ejected_until > now) continue;
    if (best == nullptr || target.in_flight < best->in_flight) best = &target;
  }
  if (best == nullptr) return std::nullopt;
  ++turn_;
  count_time(now);
  ++best->in_flight;
  ++stats_.in_flight;
  return best->endpoint;
}

void Backend::give_back(const EndpointKey& key, Outcome outcome, Duration now) {
  count_time(now);
  --stats_.in_flight;
  if (Target* target = find(key)) {
    --target->in_flight;
    if (outcome == Outcome::Answered) target->failures = 0;
    if (outcome == Outcome::Failed) {
      ++target->failures;
      const auto doublings = std::min(target->failures - 1, 10);
      target->ejected_until =
          now + std::min(kEjectionMax, kEjection * (std::int64_t{1} << doublings));
      ++stats_.ejections;
    }
  }
  wake_waiters(now);
}

bool Backend::wait(const std::weak_ptr<Waiter>& waiter, Duration now) {
  if (stats_.queued >= route_.requests.queue_max) return false;
  count_time(now);
  ++stats_.queued;
  const auto queued = static_cast<std::size_t>(stats_.queued);
  if (waiters_.size() > 2 * queued + 16) {  // most have given up
    std::erase_if(waiters_, [](const Waiting& waiting) {
      const auto one = waiting.waiter.lock();
      return !one || !one->waits();
    });
  }
  waiters_.push_back({waiter, now});
  return true;
}

void Backend::leave(Duration waited, Duration now) {
  count_time(now);
  --stats_.queued;
  stats_.waits.add(waited);
  waited_ = std::max(waited_, waited);
}

void Backend::wake_waiters(Duration now) {
  // A woken one takes its replica at once, so that the next sees what is left; one that finds none
  // stands at the end again.
  for (std::size_t left = waiters_.size(); left > 0 && !waiters_.empty(); --left) {
    const bool any = std::any_of(targets_.begin(), targets_.end(), [&](const Target& target) {
      return may_take(target) && target.ejected_until <= now;
    });
    if (!any) return;
    const auto waiter = waiters_.front().waiter.lock();
    waiters_.pop_front();
    if (waiter && waiter->waits()) waiter->wake();
  }
}

void Backend::drop_waiters() {
  for (const Waiting& waiting : std::exchange(waiters_, {})) {
    const auto waiter = waiting.waiter.lock();
    if (waiter && waiter->waits()) waiter->wake();
  }
}

bool Backend::may_retry() {
  if (budget_milli_ < 1000) return false;
  budget_milli_ -= 1000;
  ++stats_.retries;
  return true;
}

void Backend::ended(int status, Duration took, Duration now) {
  ++stats_.by_class[static_cast<std::size_t>(std::clamp(status / 100, 0, 5))];
  stats_.durations.add(took);
  turn_slice(now);
  ++slices_[0].requests;
  slices_[0].durations.add(took);
}

void Backend::turn_slice(Duration now) {
  if (now - slices_[0].begun < kSliceLength) return;
  const bool old = now - slices_[0].begun >= kSliceLength * 2;
  slices_[1] = old ? Slice() : std::move(slices_[0]);
  slices_[0] = Slice();
  slices_[0].begun = now;
  if (old) slices_[1].begun = now - kSliceLength;
}

void Backend::count_time(Duration now) {
  busy_ns_ += stats_.in_flight * (now - counted_until_).ns;
  counted_until_ = now;
}

std::int64_t Backend::mean_in_flight_milli(Duration now) {
  count_time(now);
  const std::int64_t span = std::max<std::int64_t>(1, (now - measured_from_).ns / 1000);
  const std::int64_t mean =
      measured_from_ == Duration{} ? stats_.in_flight * 1000 : busy_ns_ / span;
  busy_ns_ = 0;
  measured_from_ = now;
  return mean;
}

Duration Backend::longest_wait(Duration now) {
  Duration longest = std::exchange(waited_, Duration{});
  for (const Waiting& waiting : waiters_) {
    const auto one = waiting.waiter.lock();
    if (one && one->waits()) longest = std::max(longest, now - waiting.since);
  }
  return longest;
}

std::vector<EndpointKey> Backend::drained() const {
  std::vector<EndpointKey> keys;
  for (const Target& target : targets_) {
    if (target.endpoint.draining && target.in_flight == 0) {
      keys.push_back(target.endpoint.key);
    }
  }
  return keys;
}

ServiceStats Backend::stats(Duration now) const {
  ServiceStats out = stats_;
  std::vector<std::uint64_t> recent(kBounds.size() + 1);
  std::uint64_t requests = 0;
  Duration since = now;
  for (const Slice& slice : slices_) {
    if (now - slice.begun > kSliceLength * 2) continue;
    since = std::min(since, slice.begun);
    requests += slice.requests;
    for (std::size_t i = 0; i < recent.size(); ++i) recent[i] += slice.durations.buckets()[i];
  }
  const double span = std::max(1.0, (now - since).seconds());
  out.requests_per_s = static_cast<double>(requests) / span;
  out.p50 = quantile(recent, 0.5);
  out.p99 = quantile(recent, 0.99);
  return out;
}

}  // namespace gyre::server::proxy
