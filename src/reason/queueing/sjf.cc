#include "reason/queueing/sjf.h"

#include "reason/queueing/estimate.h"

namespace gyre::reason {

Rank Sjf::rank(const Job& job, const OrderView& /*view*/) const {
  return estimate_of(job.spec).value_or(Duration::max()).ns;
}

}  // namespace gyre::reason
