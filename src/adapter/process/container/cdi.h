#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "adapter/process/container/plan.h"
#include "base/result.h"

namespace gyre::process {

/// The Container Device Interface, version 0.3 to 0.8 of its specification: folders of files, YAML
/// or JSON, that say for "vendor.com/class=name" which device nodes, mounts, variables and hooks a
/// container gets. Adds those of `wanted` to the plan; a later folder's word goes before an earlier
/// one's. Errors: NotFound, no file knows a device; Invalid, a file that is none.
Result<void> apply_cdi(const std::vector<std::string>& folders,
                       const std::vector<std::string>& wanted, ContainerPlan& plan);

/// The same with the text of one file: the names (of `wanted`) that it knew.
Result<std::vector<std::string>> apply_cdi_file(std::string_view text,
                                                const std::vector<std::string>& wanted,
                                                ContainerPlan& plan);

}  // namespace gyre::process
