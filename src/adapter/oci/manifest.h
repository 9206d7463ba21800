#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyre::oci {

/// Limits of what a stranger's image may make the reader do.
inline constexpr std::size_t kDocumentBytesMax = 4U << 20U;  // a manifest, an index, a config
inline constexpr std::size_t kLayersMax = 128;               // overlayfs takes more
inline constexpr std::size_t kManifestsMax = 1000;           // of an index

/// What the OCI image specification 1.0 calls a descriptor.
struct Descriptor {
  std::string media_type;
  std::string digest;
  std::uint64_t size = 0;

  bool operator==(const Descriptor&) const = default;
};

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  // lowest first
};

struct ImageConfig {
  std::vector<std::string> env;
  std::vector<std::string> command;  // Entrypoint, then Cmd
  std::string working_directory;
  std::string user;
  std::size_t layers = 0;
};

/// A manifest or an index of them, as both come under one name. Docker's own media types of the
/// same content are taken too. Errors of all: Invalid, not that document, or beyond a limit.

bool is_index(std::string_view text);

/// The manifest for this machine's kind (linux, GOARCH names) in an index; the only one where it
/// does not say. `digest`, where not empty, picks another. Errors: also NotFound.
Result<Descriptor> pick_manifest(std::string_view index, const std::string& digest);

Result<Manifest> read_manifest(std::string_view text);
Result<ImageConfig> read_config(std::string_view text);

/// The "amd64" or "arm64" of this build.
std::string_view architecture();

}  // namespace gyre::oci
