#pragma once

#include <string>
#include <string_view>

#include "adapter/process/container/oci_config.h"
#include "base/result.h"

namespace gyre::process {

/// Who "UID", "UID:GID", "name" or "name:group" is by the /etc/passwd and /etc/group of an image
/// (texts that anybody may have written); empty: root. Errors: Invalid, a name that is in neither.
Result<ContainerUser> find_user(std::string_view wanted, std::string_view passwd,
                                std::string_view group);

/// The same, with the files below `root`, whose links do not lead out of it.
Result<ContainerUser> find_user(const std::string& root, const std::string& wanted);

}  // namespace gyre::process
