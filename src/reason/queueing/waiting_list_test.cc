#include "reason/queueing/waiting_list.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "base/rng.h"

namespace gyre::reason {
namespace {

/// RC_ASSERT renders its operands each time, which takes longer than what is tested here.
void require(bool condition) {
  if (!condition) RC_FAIL("the list differs from the map");
}

using Model = std::map<OrderKey, Duration>;

/// Names some that are there, and some that are not.
void move_some(Rng& rng, WaitingList& list, Model& model) {
  const auto from = static_cast<std::int64_t>(rng.below(3));
  const auto to = static_cast<std::int64_t>(rng.below(3));
  const std::uint64_t sparse = 1 + rng.below(6);
  std::vector<JobId> jobs;
  for (std::uint64_t id = 0; id < 400; ++id) {
    if (rng.below(sparse) == 0 && !model.contains({to, {id}})) jobs.push_back({id});
  }
  list.move(jobs, from, to);
  for (const JobId id : jobs) {
    auto entry = model.extract({from, id});
    if (entry.empty()) continue;
    entry.key().rank = to;
    model.insert(std::move(entry));
  }
}

RC_GTEST_PROP(WaitingList, BehavesLikeASortedMap, (std::uint64_t seed)) {
  Rng rng(seed);
  WaitingList list;
  Model model;
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
    if (rng.below(20) == 0) move_some(rng, list, model);
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
