#pragma once

#include <map>
#include <vector>

#include "domain/image_holders.h"

namespace gyre::reason {

/// Which nodes have been asked to fetch which images before a job needs them: never one that holds
/// it, few at a time, and none a second time before kAgainAfter, whatever became of it. Pure;
/// copyable; not thread-safe.
class Prefetcher {
 public:
  static constexpr std::size_t kPerNodeMax = 2;
  static constexpr Duration kAgainAfter = seconds(600);

  /// True if the node is to be asked now, which is noted.
  bool ask(NodeId node, ImageId image, const ImageHolders& holders, Time now);

  /// What the node holds has become another. True if it has what it was asked to fetch, so that it
  /// may be asked for more.
  bool seen(NodeId node, const ImageHolders& holders);
  /// Forgets what was asked so long ago that it may be asked again. True if there was any. O(1)
  /// where nothing is as old.
  bool forget_old(Time now);
  /// The node is gone, and what it was doing with it.
  void forget(NodeId node) { asked_.erase(node); }

  std::vector<ImageFetch> state() const;
  void restore(const std::vector<ImageFetch>& state);

 private:
  std::map<NodeId, std::vector<ImageFetch>> asked_;  // in the order of asking
  Time oldest_ = Time::max();                        // none was asked before
};

}  // namespace gyre::reason
