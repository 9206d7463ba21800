#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gyre::registry {

struct Login {
  std::string user;
  std::string password;
};

/// The login for a registry ("registry.example:5000") that a file of the node's holds, as `docker
/// login` and `podman login --authfile` write it: it names the registries that each login is for,
/// so that no other ever sees it. Read anew each time. nullopt: there is no file, or it has none
/// for that registry. Errors: Invalid, others than its owner may read the file, it is damaged, or
/// it has helpers in the place of passwords. No error tells what is in the file.
Result<std::optional<Login>> find_login(const std::string& file, const std::string& registry);

/// The registries that such a file has logins for, each once, by name; none without a file. Errors:
/// as above.
Result<std::vector<std::string>> login_hosts(const std::string& file);

/// find_login() of a file's text; nullopt where it has no login for the registry. Errors: Invalid.
Result<std::optional<Login>> read_login(std::string_view text, std::string_view registry);

}  // namespace gyre::registry
