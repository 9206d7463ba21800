#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"

namespace gyre::oci {

/// What one layer may be at most.
struct UnpackLimits {
  std::uint64_t bytes_max = 64ULL << 30U;  // of all its files
  std::uint64_t entries_max = 2'000'000;
  std::uint64_t ratio_max = 200;  // bytes unpacked for each one packed, beyond the first 256 MiB
  std::size_t path_bytes_max = 4096;
};

/// Unpacks a layer (tar; plain, gzip or zstd) into an empty folder, as an overlay's layer: what it
/// removes of layers below becomes overlayfs's own marks.
///
/// The layer is a stranger's. Nothing is written outside of the folder, whatever its names and
/// links say: each parent folder is looked up by openat2 with RESOLVE_IN_ROOT. Refused as a whole
/// are: absolute names and names with ".."; device nodes and sockets; hard links to what is not a
/// file of the layer; more than the limits. Extended attributes are left out. Owners and modes are
/// kept where the caller is root.
///
/// Errors: Invalid, with the entry and the rule; Unavailable, cancelled; Internal, the disk. What
/// was unpacked so far is left for the caller to remove.
Result<void> unpack_layer(const std::string& blob, const std::string& folder,
                          const UnpackLimits& limits, const std::function<bool()>& cancelled);

/// Unpacks an archive of an OCI layout (tar) by the same rules.
Result<void> unpack_archive(const std::string& archive, const std::string& folder,
                            const UnpackLimits& limits, const std::function<bool()>& cancelled);

}  // namespace gyre::oci
