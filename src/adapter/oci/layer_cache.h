#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "adapter/oci/unpack.h"
#include "base/result.h"

namespace gyre::oci {

/// The unpacked layers of a node, each in a folder named by its blob's digest: what two images
/// share is there once. Names of layers are digests. Thread-safe; one process at a time.
class LayerCache {
 public:
  /// Makes the folder. What an earlier life left half unpacked is removed.
  LayerCache(std::string folder, std::uint64_t bytes_max, const UnpackLimits& limits);

  /// Writes the blob into the file of that name. Errors: the source's.
  using Fetch = std::function<Result<void>(const std::string& file)>;

  /// The layer's folder, unpacked: by an earlier call, or now from what `fetch` brings, which must
  /// have that digest. `origin`: the repository that a login opened for it; empty: the node may
  /// have it by itself. Who asks with another origin than the layer came from must bring it once
  /// more: a digest that somebody has heard of opens nothing. Errors: Invalid, it has another or
  /// breaks a rule of unpack_layer(); the source's; Unavailable, cancelled; Internal, the disk.
  Result<std::string> get(const std::string& digest, const std::string& origin, const Fetch& fetch,
                          const std::function<bool()>& cancelled);

  /// Whether that folder of get() is still there.
  static bool has(const std::string& folder);

  /// Removes layers that were used longest ago until `bytes_max` is kept; not those of `kept`, nor
  /// those that a running container holds. True if any was removed.
  bool evict(const std::vector<std::string>& kept);

  std::uint64_t bytes() const;

 private:
  Result<void> fill(const std::string& digest, const std::string& origin, const Fetch& fetch,
                    const std::function<bool()>& cancelled);
  Result<void> prove(const std::string& digest, const std::string& origin, const Fetch& fetch);
  static Result<void> bring(const std::string& digest, const std::string& blob, const Fetch& fetch);
  std::string path_of(const std::string& digest) const;

  const std::string folder_;
  const std::uint64_t bytes_max_;
  const UnpackLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> busy_;  // being filled, or asked for anew, by some thread
};

}  // namespace gyre::oci
