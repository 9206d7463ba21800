// Running tasks: what agents tell of them, and are told.
#include <fmt/format.h>

#include <algorithm>

#include "live/fleet.h"

namespace gyre::live {

/// Requires: the lock. Whether the session speaks for the node that has that task.
bool Fleet::keeps(const Session& session, const act::TaskKey& key) const {
  const std::int64_t node = session.node_.load();
  const auto place = logs_.find({key.job, key.rank, key.attempt});
  return node >= 0 && place != logs_.end() && place->second.value == node;
}

/// A task is its node's alone.
void Fleet::on_used(Session& session, act::TasksUsed used) {
  {
    const std::lock_guard guard(mutex_);
    if (!session.uses_.take(now_())) {
      return session.sink_.end(
          {ErrorKind::Unavailable,
           fmt::format("the agent tells what tasks use more often than {} times a second",
                       kUseReportsPerSecond)});
    }
    if (session.node_.load() < 0) return;
    auto& tasks = used.tasks;
    tasks.resize(std::min(tasks.size(), act::kTasksUsedMax));
    tasks.erase(std::remove_if(tasks.begin(), tasks.end(),
                               [&](const auto& task) { return !keeps(session, task.key); }),
                tasks.end());
    session.told_ = true;
  }
  if (listener_ != nullptr) listener_->used(session.name_, used.tasks);
}

void Fleet::on_spoke(const Session& session, const act::TaskSpoke& spoke) {
  {
    const std::lock_guard guard(mutex_);
    if (!keeps(session, spoke.key)) return;
  }
  if (listener_ != nullptr && spoke.after >= Duration{}) listener_->spoke(spoke);
}

void Fleet::freeze(NodeId node, const act::FreezeTask& order) {
  const std::lock_guard guard(mutex_);
  const auto peer = peers_.find(node);
  if (peer == peers_.end() || peer->second.session == nullptr) return;
  if (peer->second.session->protocol_ < act::kProtocolFreeze) return;
  peer->second.session->sink_.give(order);
}

}  // namespace gyre::live
