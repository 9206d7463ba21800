#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/image_holders.h"
#include "domain/image_ref.h"

namespace gyre::act {

/// An image that is on the node, unpacked: what a container's root is made of.
struct PreparedImage {
  std::string digest;               // of its manifest
  std::vector<std::string> layers;  // folders, lowest first; absolute
  std::vector<std::string> command;
  std::vector<std::string> env;  // "NAME=value"
  std::string working_directory;
  std::string user;
};

/// An image to be had, and by whose right.
struct ImagePull {
  ImageRef image;
  /// What the registry is shown: logins as a node's file has them; none: the node's own. With it
  /// the registry is asked whatever is on the node, so that nobody has by it what is not his.
  std::optional<std::string> logins = std::nullopt;
};

/// Keeps images of a node. First implementation: adapter/oci.
class ImageStore {
 public:
  virtual ~ImageStore() = default;

  /// Fetches and unpacks what of the image is not there yet; may take minutes, in which it asks
  /// `cancelled` now and then. What it returns stays while it is used (see kLayerLock), and for a
  /// while after. Errors: NotFound; Invalid, the image breaks a rule or a limit (its message says
  /// which); Unavailable, a registry that does not answer, or cancelled; Internal, the disk.
  /// Thread-safe; one image is fetched once, whoever asks.
  virtual Result<PreparedImage> prepare(const ImagePull& pull,
                                        const std::function<bool()>& cancelled) = 0;

  /// Images that are here whole, by what they were asked for as: the latest kImagesPerNodeMax.
  virtual std::vector<HeldImage> held() const = 0;
  /// Another number whenever held() may be something else. Cheap.
  virtual std::uint64_t held_version() const = 0;
};

/// A file beside each layer's folder, named as it with this behind: who uses the layer holds a
/// shared lock (flock) on it, and what is locked is not evicted.
inline constexpr const char* kLayerLock = ".lock";

/// What a registry offers, by the OCI Distribution specification 1.0. First implementation:
/// adapter/registry. Thread-safe.
class Registry {
 public:
  /// Takes what was received, or nothing, now and then while nothing comes; false ends it.
  using Sink = std::function<bool(std::string_view)>;

  virtual ~Registry() = default;

  /// A manifest or an index, by the image's digest or else its tag, `bytes_max` at most. Errors:
  /// NotFound; Invalid, a login is wrong or may not have it; Unavailable, it does not answer, in
  /// time or as specified.
  virtual Result<std::string> manifest(const ImagePull& pull, std::size_t bytes_max,
                                       const std::function<bool()>& cancelled) = 0;

  /// A blob of the image's repository. Its digest is for the caller to check. Errors: as above.
  virtual Result<void> blob(const ImagePull& pull, const std::string& digest, const Sink& sink) = 0;
};

}  // namespace gyre::act
