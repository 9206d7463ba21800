#include "server/api/telemetry.h"

#include <algorithm>
#include <chrono>
#include <memory>

namespace gyre::server {

http::Reply HttpTimes::timed(const http::Request& request, http::Reply reply) {
  const auto known = std::find(kMethods.begin(), kMethods.end(), request.method);
  const auto method = std::min<std::size_t>(static_cast<std::size_t>(known - kMethods.begin()),
                                            kMethods.size() - 1);
  const auto began = std::chrono::steady_clock::now();
  const auto once = std::make_shared<std::atomic<bool>>(false);
  return [this, method, began, once, reply = std::move(reply)](http::Answer answer) {
    if (!once->exchange(true)) {
      const auto took = std::chrono::steady_clock::now() - began;
      add(method, std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
    reply(std::move(answer));
  };
}

void HttpTimes::add(std::size_t method, std::int64_t us) {
  Counts& counts = counts_[method];
  const auto bound = std::lower_bound(kBoundsUs.begin(), kBoundsUs.end(), us);
  ++counts.buckets[static_cast<std::size_t>(bound - kBoundsUs.begin())];
  counts.sum_us += static_cast<std::uint64_t>(std::max<std::int64_t>(0, us));
}

HttpTimes::Histogram HttpTimes::read(std::size_t method) const {
  const Counts& counts = counts_[method];
  Histogram out;
  for (std::size_t i = 0; i < out.buckets.size(); ++i) out.buckets[i] = counts.buckets[i];
  out.sum_us = counts.sum_us;
  return out;
}

CoreCounts::CoreCounts(const control::Controller& core) : last_(core.now()) {
  core.jobs().for_each([this](const Job& job) {
    if (is_placed(job.state)) read_.gpu_milli += gpu_total(job.spec.tasks).value;
  });
}

void CoreCounts::advance(Time now) {
  if (now <= last_) return;
  read_.gpu_seconds += (now - last_).seconds() * static_cast<double>(read_.gpu_milli) / 1000;
  last_ = now;
}

void CoreCounts::after(const Event& event, const control::Decisions& decisions,
                       const control::Controller& core) {
  const std::lock_guard lock(mutex_);
  advance(event.at);
  ++read_.events;
  for (const Command& command : decisions.commands) {
    ++(std::holds_alternative<StartGang>(command.body) ? read_.starts : read_.stops);
  }
  for (const Transition& change : decisions.transitions) {
    ++read_.transitions[{change.to, change.cause}];
    const Job* job = core.jobs().find(change.job);
    if (job == nullptr || is_placed(change.from) == is_placed(change.to)) continue;
    const std::int64_t held = gpu_total(job->spec.tasks).value;
    read_.gpu_milli += is_placed(change.to) ? held : -held;
  }
}

CoreCounts::Read CoreCounts::read(Time now) const {
  const std::lock_guard lock(mutex_);
  Read out = read_;
  if (now > last_) {
    out.gpu_seconds += (now - last_).seconds() * static_cast<double>(out.gpu_milli) / 1000;
  }
  return out;
}

}  // namespace gyre::server
