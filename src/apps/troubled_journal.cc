#include "apps/troubled_journal.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace gyre::apps {

/// A delay that is mended ends at once.
Result<void> TroubledJournal::suffer() {
  constexpr std::int64_t kSliceNs = 20'000'000;
  for (std::int64_t waited = 0; waited < trouble_.delay_ns && !trouble_.broken;) {
    const std::int64_t slice = std::min(kSliceNs, trouble_.delay_ns - waited);
    std::this_thread::sleep_for(std::chrono::nanoseconds(std::max<std::int64_t>(slice, 0)));
    waited += kSliceNs;
  }
  if (!trouble_.broken) return {};
  trouble_.struck = true;
  return fail(ErrorKind::Internal, "chaos has broken the journal's disk on purpose");
}

Result<void> TroubledJournal::commit() {
  if (auto done = suffer(); !done) return done;
  return journal_.commit();
}

Result<void> TroubledJournal::save(const ControllerState& state) {
  if (auto done = suffer(); !done) return done;
  return journal_.save(state);
}

}  // namespace gyre::apps
