#pragma once

#include <cstdint>
#include <span>

#include "adapter/postgres/connection.h"
#include "base/result.h"

namespace gyre::adapter::postgres {

/// The scripts that bring a database without the schema "gyre" to its newest version, one a
/// version: script i leads from version i to i + 1. A script is never edited once released; a
/// change is a new script. The tables `meta`, `lease` and `pulse` stay as they are, since servers
/// of several versions look at them.
std::span<const char* const> schema_scripts();

/// The version that is there; 0: none yet. Errors: Invalid, the schema "gyre" is something else's,
/// or a Restoration has not ended; Unsupported, it is newer than `newest`, with both in the
/// message, or PostgreSQL is too old.
Result<std::int64_t> schema_version(Connection& connection, std::size_t newest);

/// Whose journal it is. Requires: the schema is there.
Result<std::string> cluster_id(Connection& connection);

/// Brings the database from `version` to that of the last script. Requires: a transaction that
/// holds the lock of schema_lock().
Result<void> run_scripts(Connection& connection, std::int64_t version,
                         std::span<const char* const> scripts);

/// Two servers that begin at once change the schema one after the other. Until the transaction's
/// end.
Result<void> schema_lock(Connection& connection);

/// For readers: Errors as schema_version(), Unsupported for an older one, Invalid for none.
Result<void> check_schema(Connection& connection);

/// All that `work` writes, or nothing of it.
template <class Work>
auto transact(Connection& connection, Work work) -> decltype(work()) {
  if (auto begun = connection.run("BEGIN"); !begun) return tl::unexpected(begun.error());
  auto done = work();
  const auto ended = connection.run(done ? "COMMIT" : "ROLLBACK");
  if (done && !ended) return tl::unexpected(ended.error());
  return done;
}

}  // namespace gyre::adapter::postgres
