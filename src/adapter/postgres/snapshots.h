#pragma once

#include <cstdint>
#include <vector>

#include "adapter/postgres/connection.h"
#include "domain/controller_state.h"

namespace gyre::adapter::postgres {

struct Snapshot {
  ControllerState state;
  std::int64_t position = 0;  // the last record whose effect is in it
};

/// Writes `state` beside the newest one there is, and drops older ones. Requires: a transaction.
Result<void> save_snapshot(Connection& connection, const ControllerState& state,
                           std::int64_t position);

/// The snapshots there are, newest first, by the last event in them.
Result<std::vector<std::int64_t>> snapshot_seqs(Connection& connection);

Result<void> drop_snapshots(Connection& connection, const std::vector<std::int64_t>& seqs);

/// Errors: Invalid, a part is missing or damaged.
Result<Snapshot> load_snapshot(Connection& connection, std::int64_t seq);

}  // namespace gyre::adapter::postgres
