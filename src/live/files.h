#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre::live {

/// Puts a file in place, whole and durable, for whom the umask lets; what was there stays where
/// that fails. Errors: NoRoom; Internal.
Result<void> write_file(const std::string& path, std::string_view content);
/// The same for its owner alone (mode 0600).
Result<void> write_private_file(const std::string& path, std::string_view content);
/// Errors: NotFound; Internal; Invalid, more than 16 MiB.
Result<std::string> read_private_file(const std::string& path);
/// Makes a folder for its owner alone where it is missing.
Result<void> make_private_folder(const std::string& path);

/// Waits until the disk has a file, and its name. Errors: Internal.
Result<void> make_durable(const std::string& path);

}  // namespace gyre::live
