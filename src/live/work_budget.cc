#include "live/work_budget.h"

#include <algorithm>
#include <ctime>

namespace gyre::live {

Duration thread_cpu_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

void WorkBudget::after(const Event& event, const control::Decisions&,
                       const control::Controller& core) {
  const Duration took = std::max(cpu_time_() - began_, nanoseconds(1));
  if (std::holds_alternative<WorkBudgetSet>(event.body)) asked_ = false;
  const std::int64_t work = core.last_work();
  // What no budget could have cut off says nothing of one: the event itself may have been dear.
  if (asked_ || work < kWorkMin) return;
  const std::int64_t budget = core.work_max();
  const double fits =
      static_cast<double>(work) * static_cast<double>(kCycle.ns) / static_cast<double>(took.ns);
  const auto wanted = static_cast<std::int64_t>(
      std::clamp(fits, static_cast<double>(kWorkMin), static_cast<double>(kWorkMax)));
  // What takes next to no time says little of a unit's cost.
  const bool too_much = took.ns > kCycle.ns / 8 && wanted < budget - budget / 4;
  const bool too_little = core.has_leftover() && work >= budget && wanted > budget + budget / 4;
  if (!too_much && !too_little) return;
  asked_ = true;
  inbox_.post(WorkBudgetSet{wanted}, [this](const Result<EventSeq>& done) {
    if (!done) asked_ = false;
  });
}

}  // namespace gyre::live
