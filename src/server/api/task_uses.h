#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "act/agent_protocol.h"
#include "act/task_usage.h"

namespace gyre::server {

/// What running tasks have used, as their nodes' agents told it last. Thread-safe.
class TaskUses final : public act::TaskUsages {
 public:
  /// All that run on the node.
  void told(const std::string& node, const std::vector<act::TaskUse>& tasks);
  void forget(const std::string& node) { told(node, {}); }

  act::TaskUsage usage(const act::TaskKey& key) const override;

 private:
  mutable std::mutex mutex_;
  std::map<act::TaskKey, act::TaskUsage> uses_;
  std::map<std::string, std::vector<act::TaskKey>> tasks_;  // by node
};

}  // namespace gyre::server
