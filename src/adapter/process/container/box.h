#pragma once

#include <string>
#include <vector>

#include "adapter/process/container/oci_config.h"
#include "adapter/process/container/plan.h"
#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

/// What a container runs in, put together in a mount namespace of the calling process's own: its
/// root, an overlay over the image's layers; what is bound into it; and the runtime's own files.
/// All of it is in memory or mounted there, and gone when the last process of the namespace is: no
/// crash leaves a mount.
struct Box {
  std::string folder;  // of all that follows; below it nothing of the node is seen
  std::string root;
  std::string state;   // the runtime's
  std::string bundle;  // config.json, and what the runtime writes: pid, log
  ContainerUser user;
  std::vector<Fd> locks;  // of the layers, which are not evicted while it has them
};

/// Puts the calling process into a mount namespace of its own for good. Requires: root; one thread.
Result<void> leave_namespace();

/// Mounts the box in the namespace of the calling process. Errors: Invalid, what the job asks for
/// is not there or not allowed (a volume, a secret, a user); Unavailable, a layer of the image is
/// gone; Internal. Requires: leave_namespace(), before anything was opened that is mounted here.
Result<Box> make_box(const ContainerPlan& plan);

}  // namespace gyre::process
