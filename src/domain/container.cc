#include "domain/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "domain/image_ref.h"
#include "domain/launch_fields.h"

namespace gyre {
namespace {

constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kWordBytesMax = 128;

bool is_path(std::string_view path) {
  if (!path.starts_with('/') || path.size() > kPathBytesMax) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  const std::string closed = std::string(path) + "/";
  return closed.find("/../") == std::string::npos && closed.find("/./") == std::string::npos;
}

Result<void> check_target(std::string_view path) {
  if (!is_path(path)) {
    return fail(ErrorKind::Invalid, "'{}' is no absolute path without '.' and '..'", path);
  }
  std::string_view inner = path;
  while (inner.size() > 1 && inner.ends_with('/')) inner.remove_suffix(1);
  for (const std::string_view own : {"/proc", "/sys", "/dev", "/run/secrets"}) {
    const bool below =
        inner.starts_with(own) && (inner.size() == own.size() || inner[own.size()] == '/');
    if (!below) continue;
    return fail(ErrorKind::Invalid, "'{}' is where the container has its own {}; use another path",
                path, own);
  }
  if (inner == "/") {
    return fail(ErrorKind::Invalid, "'/' would hide the whole image; use a folder below it");
  }
  return {};
}

/// A name or number as it stands in /etc/passwd, or a secret's: no separators, no control bytes.
bool is_word(std::string_view word) {
  return !word.empty() && word.size() <= kWordBytesMax && word[0] != '-' && word[0] != '.' &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

bool is_user(std::string_view user) {
  const std::size_t colon = user.find(':');
  if (!is_word(user.substr(0, colon))) return false;
  return colon == std::string_view::npos || is_word(user.substr(colon + 1));
}

/// "vendor.com/class=name", as the CDI specification 0.8 has it.
bool is_device(std::string_view device) {
  const std::size_t slash = device.find('/');
  const std::size_t equals = device.find('=');
  if (slash == std::string_view::npos || equals == std::string_view::npos || equals < slash) {
    return false;
  }
  std::string name(device.substr(equals + 1));
  std::replace(name.begin(), name.end(), ':', '_');
  return is_word(device.substr(0, slash)) &&
         is_word(device.substr(slash + 1, equals - slash - 1)) && is_word(name);
}

Result<void> take_target(const std::string& path, MountTargets& taken) {
  if (auto ok = check_target(path); !ok) return ok;
  if (!taken.insert(path).second) return fail(ErrorKind::Invalid, "'{}' is mounted twice", path);
  if (taken.size() <= kMountsPerContainerMax) return {};
  return fail(ErrorKind::Invalid, "{} volumes and tmpfs; at most {}", taken.size(),
              kMountsPerContainerMax);
}

}  // namespace

Result<void> check_user(std::string_view user) {
  if (is_user(user)) return {};
  return fail(ErrorKind::Invalid, "'{}' is no user: write UID, UID:GID or names of the image's",
              user);
}

Result<void> check_secret_name(std::string_view name) {
  if (is_word(name)) return {};
  return fail(ErrorKind::Invalid, "'{}' is no secret's name: letters, digits, '.', '_', '-'", name);
}

Result<void> check_device(std::string_view device) {
  if (is_device(device)) return {};
  return fail(ErrorKind::Invalid, "'{}' is no device: write it as vendor.com/class=name", device);
}

Result<void> check_mount(const ContainerSpec::Volume& volume, MountTargets& taken) {
  if (is_path(volume.source)) return take_target(volume.target, taken);
  return fail(ErrorKind::Invalid, "the volume's source '{}' is no absolute path without '..'",
              volume.source);
}

Result<void> check_mount(const ContainerSpec::Tmpfs& tmpfs, MountTargets& taken) {
  if (tmpfs.size.value < 1) return fail(ErrorKind::Invalid, "a tmpfs has at least 1 MiB");
  return take_target(tmpfs.path, taken);
}

Result<ContainerSpec::Volume> parse_volume(std::string_view text) {
  ContainerSpec::Volume volume;
  std::string_view rest = text;
  if (rest.ends_with(":ro") || rest.ends_with(":rw")) {
    volume.read_only = rest.ends_with(":ro");
    rest.remove_suffix(3);
  }
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos || rest.find(':', colon + 1) != std::string_view::npos) {
    return fail(ErrorKind::Invalid, "'{}' is no volume: write SOURCE:TARGET or SOURCE:TARGET:ro",
                text);
  }
  volume.source = rest.substr(0, colon);
  volume.target = rest.substr(colon + 1);
  return volume;
}

std::string to_string(const ContainerSpec::Volume& volume) {
  return fmt::format("{}:{}{}", volume.source, volume.target, volume.read_only ? ":ro" : "");
}

Result<ContainerSpec::Tmpfs> parse_tmpfs(std::string_view text) {
  ContainerSpec::Tmpfs tmpfs;
  const std::size_t colon = text.find(':');
  tmpfs.path = text.substr(0, colon);
  if (colon == std::string_view::npos) return tmpfs;
  const auto size = parse_memory(text.substr(colon + 1));
  if (!size) return tl::unexpected(size.error());
  tmpfs.size = *size;
  return tmpfs;
}

std::string to_string(const ContainerSpec::Tmpfs& tmpfs) {
  return fmt::format("{}:{}MB", tmpfs.path, tmpfs.size.value);
}

Result<void> check_registry_login(const ContainerSpec& container) {
  const auto image = parse_image_ref(container.image);
  if (container.registry_login.empty() || !image || image->path.empty()) return {};
  return fail(ErrorKind::Invalid,
              "a login opens a registry, and the image is a path of the node: leave it out");
}

std::vector<std::string_view> fields_of_a_container(const ContainerSpec& container) {
  const std::array<std::pair<std::string_view, bool>, 8> fields{
      {{"user", !container.user.empty()},
       {"read_only", container.writable_root},
       {"network", container.network != ContainerSpec::Network::Host},
       {"volumes", !container.volumes.empty()},
       {"tmpfs", !container.tmpfs.empty()},
       {"secrets", !container.secrets.empty()},
       {"registry_login", !container.registry_login.empty()},
       {"devices", !container.devices.empty()}}};
  std::vector<std::string_view> set;
  for (const auto& [name, is_set] : fields) {
    if (is_set) set.push_back(name);
  }
  return set;
}

Result<void> validate(const ContainerSpec& container) {
  if (container.image.empty()) {
    const auto fields = fields_of_a_container(container);
    if (fields.empty()) return {};
    return fail(ErrorKind::Invalid, "{}: {}", fmt::join(fields, ", "), kContainerAlone);
  }
  if (const auto image = parse_image_ref(container.image); !image) {
    return tl::unexpected(image.error());
  }
  if (!container.user.empty()) {
    if (auto ok = check_user(container.user); !ok) return ok;
  }
  if (container.secrets.size() > kSecretsPerContainerMax ||
      container.devices.size() > kDevicesPerContainerMax) {
    return fail(ErrorKind::Invalid, "at most {} secrets and {} devices", kSecretsPerContainerMax,
                kDevicesPerContainerMax);
  }
  for (const std::string& secret : container.secrets) {
    if (auto ok = check_secret_name(secret); !ok) return ok;
  }
  if (!container.registry_login.empty()) {
    if (auto ok = check_secret_name(container.registry_login); !ok) return ok;
  }
  if (auto ok = check_registry_login(container); !ok) return ok;
  for (const std::string& device : container.devices) {
    if (auto ok = check_device(device); !ok) return ok;
  }
  MountTargets taken;
  for (const auto& volume : container.volumes) {
    if (auto ok = check_mount(volume, taken); !ok) return ok;
  }
  for (const auto& tmpfs : container.tmpfs) {
    if (auto ok = check_mount(tmpfs, taken); !ok) return ok;
  }
  return {};
}

}  // namespace gyre
