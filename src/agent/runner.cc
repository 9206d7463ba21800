#include "agent/runner.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/boot_clock.h"

namespace gyre::agent {
namespace {

constexpr std::size_t kBeatsKept = 1'000;
constexpr std::uint64_t kBeatsPerUsage = 5;

std::chrono::nanoseconds nanoseconds_of(Duration duration) {
  return std::chrono::nanoseconds(duration.ns);
}

}  // namespace

Runner::Runner(Agent& agent, Dialer& dialer, RunnerOptions options)
    : agent_(agent), dialer_(dialer), options_(std::move(options)), rng_(options_.seed) {}

void Runner::run() {
  for (;;) {
    {
      const std::lock_guard guard(mutex_);
      if (stop_) return;
      orders_.clear();
      broken_.reset();
      refused_ = false;
    }
    stay_connected();
    wait_before_dialing();
  }
}

void Runner::stop() {
  {
    const std::lock_guard guard(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
}

void Runner::received(act::Order order) {
  {
    const std::lock_guard guard(mutex_);
    if (refused_) return;
    orders_.push_back(std::move(order));
  }
  changed_.notify_all();
}

void Runner::broke(const Error& why) {
  {
    const std::lock_guard guard(mutex_);
    if (!broken_) broken_ = why;
  }
  changed_.notify_all();
}

/// One connection, from its hello to its end.
void Runner::stay_connected() {
  act::Hello hello = options_.hello();
  hello.tasks = agent_.tasks();
  hello.logs = agent_.logs();
  sent_ = {boot_clock()};
  first_sent_ = 0;
  const std::unique_ptr<Link> link = dialer_.dial(hello, *this);
  agent_.report_to(link.get());
  Time next_beat = boot_clock() + options_.beat;
  std::unique_lock lock(mutex_);
  while (!stop_ && !(broken_ && orders_.empty())) {  // what came before the break counts
    if (!orders_.empty()) {
      const act::Order order = std::move(orders_.front());
      orders_.pop_front();
      lock.unlock();
      obey(order);
      lock.lock();
      continue;
    }
    const Time now = boot_clock();
    if (now < next_beat) {
      changed_.wait_for(lock, nanoseconds_of(next_beat - now));
      continue;
    }
    next_beat = now + options_.beat;
    sent_.push_back(now);
    if (sent_.size() > kBeatsKept) {
      sent_.pop_front();
      ++first_sent_;
    }
    const std::uint64_t number = first_sent_ + sent_.size() - 1;
    lock.unlock();
    link->say(act::Beat{number});
    agent_.tell_images();
    if (number % kBeatsPerUsage == 1) agent_.tell_usage();
    lock.lock();
  }
  const std::optional<Error> why = broken_;
  lock.unlock();
  agent_.report_to(nullptr);
  if (why) report_break(*why);
}

void Runner::obey(const act::Order& order) {
  const auto* grant = std::get_if<act::GrantLease>(&order);
  if (grant == nullptr) return agent_.obey(order);
  if (options_.accepts) {
    const auto accepted = options_.accepts(grant->term);
    if (!accepted) return refuse_server(accepted.error());
  }
  agent_.obey(order);
  if (failures_ > 0 || last_notice_.empty()) options_.notice(kConnected);
  failures_ = 0;
  last_notice_ = kConnected;
  // A lease runs from when the beat was sent: the server counts from when it came, which is later.
  if (grant->beat < first_sent_ || grant->beat >= first_sent_ + sent_.size()) return;
  options_.lease(saturating_add(sent_[grant->beat - first_sent_], grant->lease));
}

/// None of its orders is carried out: the grant is the first of them.
void Runner::refuse_server(const Error& why) {
  const std::lock_guard guard(mutex_);
  refused_ = true;
  orders_.clear();
  broken_ = why;
}

void Runner::report_break(const Error& why) {
  ++failures_;
  if (why.message == last_notice_) return;
  last_notice_ = why.message;
  options_.notice("not connected: " + why.message);
}

/// Half of the time is certain, half is chance ("equal jitter").
void Runner::wait_before_dialing() {
  const int doublings = std::min(std::max(failures_ - 1, 0), 20);
  const Duration whole =
      std::min(options_.backoff_max, options_.backoff_min * (std::int64_t{1} << doublings));
  const auto half = static_cast<std::uint64_t>(whole.ns / 2);
  const Duration wait{static_cast<std::int64_t>(half + rng_.below(half + 1))};
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, nanoseconds_of(wait), [this] { return stop_; });
}

}  // namespace gyre::agent
