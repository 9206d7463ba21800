#include "reason/queueing/fifo.h"

namespace gyre::reason {

Rank Fifo::rank(const Job& /*job*/, const OrderView& /*view*/) const { return 0; }

}  // namespace gyre::reason
