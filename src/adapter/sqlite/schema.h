#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "adapter/sqlite/database.h"
#include "base/result.h"

namespace gyre::adapter::sqlite {

/// "Gyre" in the file's header (PRAGMA application_id), so that `file` and we know it.
inline constexpr std::int32_t kApplicationId = 0x47797265;

/// The scripts that bring an empty database to the newest schema, one a version: script i leads
/// from version i to i + 1. A script is never edited once released; a change is a new script.
std::span<const char* const> schema_scripts();

/// Whose journal it is; "" for an empty file. Errors: as bring_forward().
Result<std::string> cluster_id(Database& database);

/// Brings the file to the newest schema in one transaction; an empty file becomes a new journal.
/// Errors: Invalid, it is something else's database; Unsupported, its version is newer, with both
/// versions in the message.
Result<void> bring_forward(Database& database, std::span<const char* const> scripts);

/// For readers: Errors as bring_forward, and Unsupported for an older schema.
Result<void> check_schema(Database& database);

}  // namespace gyre::adapter::sqlite
