#include "reason/queueing/waiting_list.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <map>

#include "base/rng.h"

namespace gyre::reason {
namespace {

/// RC_ASSERT renders its operands each time, which takes longer than what is tested here.
void require(bool condition) {
  if (!condition) RC_FAIL("the list differs from the map");
}

RC_GTEST_PROP(WaitingList, BehavesLikeASortedMap, (std::uint64_t seed)) {
  Rng rng(seed);
  WaitingList list;
  std::map<OrderKey, Duration> model;
  for (int step = 0; step < 700; ++step) {
    const auto rank = static_cast<std::int32_t>(rng.below(3));
    const OrderKey key{rank, {rng.below(400)}};
    if (rng.below(3) == 0) {
      require(list.erase(key) == (model.erase(key) == 1));
    } else if (!model.contains(key)) {
      const Duration expected{static_cast<std::int64_t>(rng.below(1000))};
      list.insert({key, expected, 0});
      model[key] = expected;
    }
    require(list.size() == model.size());
    require(list.empty() || list.first().key == model.begin()->first);
    const auto lower = model.lower_bound(key);
    require(list.rank(key) == static_cast<std::size_t>(std::distance(model.begin(), lower)));
    const Duration limit{static_cast<std::int64_t>(rng.below(1000))};
    auto wanted = model.upper_bound(key);
    while (wanted != model.end() && wanted->second > limit) ++wanted;
    const Waiting* found = list.next(key, limit);
    require((found == nullptr) == (wanted == model.end()));
    if (found != nullptr) require(found->key == wanted->first);
  }
}

}  // namespace
}  // namespace gyre::reason
