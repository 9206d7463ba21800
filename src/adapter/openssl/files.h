#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre::adapter::openssl {

/// Puts a file in place, whole, durable, and for its owner alone (mode 0600).
Result<void> write_secret(const std::string& path, std::string_view content);
/// Errors: NotFound; Internal; Invalid, more than 16 MiB.
Result<std::string> read_secret(const std::string& path);
/// Makes a folder for its owner alone where it is missing.
Result<void> make_private_folder(const std::string& path);

}  // namespace gyre::adapter::openssl
