#include "reason/images/prefetcher.h"

#include <algorithm>

namespace gyre::reason {

bool Prefetcher::ask(NodeId node, ImageId image, const ImageHolders& holders, Time now) {
  if (image.value == 0 || holders.holds(node, image)) return false;
  std::vector<ImageFetch>& asked = asked_[node];
  std::erase_if(asked, [&](const ImageFetch& one) { return one.asked_at + kAgainAfter <= now; });
  const bool known = std::any_of(asked.begin(), asked.end(),
                                 [&](const ImageFetch& one) { return one.image == image; });
  if (known || asked.size() >= kPerNodeMax) return false;
  asked.push_back({node, image, now});
  oldest_ = std::min(oldest_, now);
  return true;
}

bool Prefetcher::seen(NodeId node, const ImageHolders& holders) {
  const auto asked = asked_.find(node);
  if (asked == asked_.end()) return false;
  const std::size_t come = std::erase_if(
      asked->second, [&](const ImageFetch& one) { return holders.holds(node, one.image); });
  if (asked->second.empty()) asked_.erase(asked);
  return come > 0;
}

bool Prefetcher::forget_old(Time now) {
  if (saturating_add(oldest_, kAgainAfter) > now) return false;
  oldest_ = Time::max();
  std::size_t forgotten = 0;
  for (auto& [node, asked] : asked_) {
    forgotten += std::erase_if(
        asked, [now](const ImageFetch& one) { return one.asked_at + kAgainAfter <= now; });
    for (const ImageFetch& one : asked) oldest_ = std::min(oldest_, one.asked_at);
  }
  std::erase_if(asked_, [](const auto& one) { return one.second.empty(); });
  return forgotten > 0;
}

std::vector<ImageFetch> Prefetcher::state() const {
  std::vector<ImageFetch> all;
  for (const auto& [node, asked] : asked_) all.insert(all.end(), asked.begin(), asked.end());
  return all;
}

void Prefetcher::restore(const std::vector<ImageFetch>& state) {
  for (const ImageFetch& one : state) {
    asked_[one.node].push_back(one);
    oldest_ = std::min(oldest_, one.asked_at);
  }
}

}  // namespace gyre::reason
