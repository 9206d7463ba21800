#pragma once

#include <vector>

#include "domain/job_table.h"
#include "domain/reservation.h"
#include "reason/placement/demand.h"

namespace gyre::reason {

/// Adds the nodes on which tasks of the demand's group would keep who room is kept for from having
/// it: it asks to be apart from them, or counts them.
void add_in_the_way(const Demand& demand, const Reservation& kept, const JobTable& jobs,
                    std::vector<NodeId>& nodes);

}  // namespace gyre::reason
