#pragma once

#include <cstdint>
#include <vector>

#include "adapter/sqlite/database.h"
#include "domain/controller_state.h"

namespace gyre::adapter::sqlite {

struct Snapshot {
  ControllerState state;
  std::int64_t position = 0;  // the last record whose effect is in it
};

inline constexpr int kSnapshotsKept = 2;

/// Writes `state` beside the newest one there is, and drops older ones. Requires: a transaction.
Result<void> save_snapshot(Database& database, const ControllerState& state, std::int64_t position);

/// The snapshots there are, newest first, by the last event in them.
Result<std::vector<std::int64_t>> snapshot_seqs(Database& database);

Result<void> drop_snapshots(Database& database, const std::vector<std::int64_t>& seqs);

/// Errors: Invalid, a part is missing or damaged.
Result<Snapshot> load_snapshot(Database& database, std::int64_t seq);

}  // namespace gyre::adapter::sqlite
