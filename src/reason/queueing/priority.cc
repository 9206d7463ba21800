#include "reason/queueing/priority.h"

namespace gyre::reason {

Rank Priority::rank(const Job& job, const OrderView& /*view*/) const { return -job.spec->priority; }

}  // namespace gyre::reason
