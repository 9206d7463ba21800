#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace gyre::nvml {

/// Why no instances can be made on a device that is in MIG mode.
struct MigHindrance {
  std::string device;  // UUID
  std::string why;     // with what to do

  bool operator==(const MigHindrance&) const = default;
};

/// Looks at `devices`, which are in MIG mode: whether this user may make instances, and whether
/// there are any that no record in `records` (a folder, see MigRecords) knows. Errors: as
/// find_gpus().
Result<std::vector<MigHindrance>> survey_mig(const std::vector<std::string>& devices,
                                             const std::string& records,
                                             const std::string& library = "libnvidia-ml.so.1",
                                             Duration patience = seconds(20));

}  // namespace gyre::nvml
