#include "server/api/foresight.h"

#include <algorithm>
#include <utility>

namespace gyre::server {

bool Foresight::ask(JobId job, const Moment& now, Told told) {
  std::unique_lock lock(mutex_);
  const auto found = entries_.find(job);
  if (found == entries_.end()) return false;
  Entry& entry = found->second;
  if (entry.outlook == nullptr) {
    entry.waiting.push_back(std::move(told));
    return true;
  }
  if (entry.begun.seq != now.seq || now.at - entry.begun.at > kLasts) return false;
  const auto outlook = entry.outlook;
  lock.unlock();
  told(outlook);
  return true;
}

void Foresight::begin(JobId job, const Moment& now, Told told) {
  const std::lock_guard lock(mutex_);
  entries_.insert_or_assign(job, Entry{now, nullptr, {std::move(told)}});
}

void Foresight::tell(JobId job, std::shared_ptr<const control::Outlook> outlook) {
  std::vector<Told> waiting;
  {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_.at(job);
    entry.outlook = outlook;
    waiting.swap(entry.waiting);
    const auto older = [](const auto& a, const auto& b) {
      const auto rank = [](const auto& one) {
        return std::pair(one.second.outlook == nullptr, one.second.begun.seq);
      };
      return rank(a) < rank(b);
    };
    if (entries_.size() > kKept) {
      entries_.erase(std::min_element(entries_.begin(), entries_.end(), older));
    }
  }
  for (const Told& told : waiting) told(outlook);
}

std::shared_ptr<const control::Controller> Foresight::copy_of(const control::Controller& core) {
  auto copy = copy_.lock();
  if (copy == nullptr || copy->last_event() != core.last_event()) {
    copy = std::make_shared<const control::Controller>(core);
    copy_ = copy;
  }
  return copy;
}

}  // namespace gyre::server
