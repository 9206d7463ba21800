#include "server/api/fragmentation_watch.h"

#include <cmath>
#include <utility>

#include "server/api/fleet_watch.h"

namespace gyre::server {
namespace {

constexpr Duration kStep = seconds(10);  // the finest of the history
constexpr int kPart = 20;                // of the thread's time

}  // namespace

FragmentationWatch::FragmentationWatch(const control::Controller& core, Time now)
    : free_(FleetWatch::new_history(now)), fragmented_(FleetWatch::new_history(now)) {
  core.jobs().for_each([this](const Job& job) { learn(mix_, job.spec->tasks); });
  measure(core, now);
}

void FragmentationWatch::after(const Event& event, const control::Decisions& decisions,
                               const control::Controller& core) {
  for (const Transition& change : decisions.transitions) {
    if (change.from != change.to) continue;  // the job is not new
    const Job* job = core.jobs().find(change.job);
    if (job == nullptr) continue;
    learn(mix_, job->spec->tasks);
    ruler_.reset();
  }
  changed_at_ = event.at;
  if (event.at - measured_at_ >= kStep) lately(core, event.at);
}

const reason::Fragmentation::Sum& FragmentationWatch::measure(const control::Controller& core,
                                                              Time now) {
  const auto began = Clock::now();
  if (!ruler_) ruler_.emplace(mix_.seen);
  sum_ = ruler_->measure(core.cluster());
  const Time since = std::exchange(changed_at_, std::nullopt).value_or(now);
  free_.set(since, sum_.free_milli);
  fragmented_.set(since, std::llround(sum_.lost_milli));
  measured_at_ = now;
  measured_ = Clock::now();
  took_ = measured_ - began;
  return sum_;
}

const reason::Fragmentation::Sum& FragmentationWatch::lately(const control::Controller& core,
                                                             Time now) {
  return Clock::now() - measured_ < kPart * took_ ? sum_ : measure(core, now);
}

}  // namespace gyre::server
