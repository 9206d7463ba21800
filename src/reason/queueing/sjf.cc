#include "reason/queueing/sjf.h"

namespace gyre::reason {

Rank Sjf::rank(const Job& job, const OrderView& /*view*/) const {
  return job.spec.expected_duration.value_or(Duration::max()).ns;
}

}  // namespace gyre::reason
