#include "server/api/task_uses.h"

namespace gyre::server {

void TaskUses::told(const std::string& node, const std::vector<act::TaskUse>& tasks) {
  const std::lock_guard lock(mutex_);
  std::vector<act::TaskKey>& known = tasks_[node];
  for (const act::TaskKey& key : known) uses_.erase(key);
  known.clear();
  for (const act::TaskUse& task : tasks) {
    uses_[task.key] = task.used;
    known.push_back(task.key);
  }
  if (known.empty()) tasks_.erase(node);
}

act::TaskUsage TaskUses::usage(const act::TaskKey& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = uses_.find(key);
  return found == uses_.end() ? act::TaskUsage{} : found->second;
}

}  // namespace gyre::server
