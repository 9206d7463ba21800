#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"

namespace gyre {

/// What a task's container is like, beyond its command. The decision core carries it and never
/// looks inside.
struct ContainerSpec {
  /// Host: the node's own network. None: a loopback device alone.
  enum class Network : std::uint8_t { Host, None };
  struct Volume {  // a folder or file of the node, seen in the container
    std::string source;
    std::string target;
    bool read_only = false;

    bool operator==(const Volume&) const = default;
  };
  struct Tmpfs {  // memory as a folder
    std::string path;
    MemoryMib size{64};

    bool operator==(const Tmpfs&) const = default;
  };

  std::string image;  // see parse_image_ref(); empty: no container, a process of the node
  std::string user;   // "UID[:GID]" or names that the image knows; empty: the image's own
  bool writable_root = false;
  Network network = Network::Host;
  std::vector<Volume> volumes;
  std::vector<Tmpfs> tmpfs;
  std::vector<std::string> secrets;  // names; their values are files under /run/secrets
  std::string registry_login{};  // the secret that opens the image's registry; empty: the node's
  std::vector<std::string> devices;  // of the Container Device Interface: "vendor.com/class=name"

  bool operator==(const ContainerSpec&) const = default;
};

inline constexpr std::size_t kMountsPerContainerMax = 64;
inline constexpr std::size_t kSecretsPerContainerMax = 64;
inline constexpr std::size_t kDevicesPerContainerMax = 64;

/// "/data:/mnt/data" or "/data:/mnt/data:ro"; absolute paths without "..". Errors: Invalid.
Result<ContainerSpec::Volume> parse_volume(std::string_view text);
std::string to_string(const ContainerSpec::Volume& volume);

/// "/scratch" (64 MiB) or "/scratch:2GB". Errors: Invalid.
Result<ContainerSpec::Tmpfs> parse_tmpfs(std::string_view text);
std::string to_string(const ContainerSpec::Tmpfs& tmpfs);

/// Errors: Invalid: no image name; a path in the container that is not absolute, leaves it, hides
/// what the container needs (/, /proc, /sys, /dev) or is named twice; a bad user, secret or device;
/// more than the limits above; container fields where there is no image.
Result<void> validate(const ContainerSpec& container);

}  // namespace gyre
