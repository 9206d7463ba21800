#pragma once

#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/job_spec.h"

/// The rules of validate(const JobSpec&) for what a node runs, each for one field, so that a reader
/// can say where a text breaks it. All errors: Invalid.
namespace gyre {

/// "UID[:GID]", or names.
Result<void> check_user(std::string_view user);
Result<void> check_secret_name(std::string_view name);
Result<void> check_device(std::string_view device);

/// Where the container has something mounted already.
using MountTargets = std::set<std::string, std::less<>>;
/// Adds it to `taken`. An error: a path that may not be mounted, one twice, one too many.
Result<void> check_mount(const ContainerSpec::Volume& volume, MountTargets& taken);
Result<void> check_mount(const ContainerSpec::Tmpfs& tmpfs, MountTargets& taken);

/// A port's name that none of `others` has.
Result<void> check_port(std::string_view name, const std::vector<std::string>& others);

/// What two fields say together: ports without a network; a registry's login for an image that is
/// no registry's.
Result<void> check_ports_reachable(const Launch& launch);
Result<void> check_registry_login(const ContainerSpec& container);

/// The fields that are set and that a process of the node cannot have, as a spec names them.
std::vector<std::string_view> fields_of_a_container(const ContainerSpec& container);
inline constexpr std::string_view kContainerAlone =
    "only a container has it: name an image, or leave it out";

}  // namespace gyre
