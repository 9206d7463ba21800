#include "server/api/policy_log.h"

#include <variant>

namespace gyre::server {

PolicyLog::PolicyLog(const control::Controller& core) {
  if (core.last_event() != EventSeq{}) entries_.push_back({core.policy(), {}, {}});
}

void PolicyLog::after(const Event& event, const control::Decisions&,
                      const control::Controller& core) {
  if (!std::holds_alternative<PolicySet>(event.body)) return;
  if (!entries_.empty() && entries_.back().policy == core.policy()) return;
  entries_.push_back({core.policy(), event.at, event.seq});
  if (entries_.size() > kKept) entries_.pop_front();
}

}  // namespace gyre::server
