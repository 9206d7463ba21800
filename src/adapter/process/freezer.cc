#include "adapter/process/freezer.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "adapter/process/folder.h"
#include "adapter/process/process_tree.h"

namespace gyre::process {

void freeze(const Fd& folder, pid_t supervisor) {
  const Fd note(::openat(folder.get(), kFrozenFile, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!note) return;  // nobody would know that it is to be let go
  halt_descendants(supervisor);
}

void thaw(const Fd& folder, pid_t supervisor) {
  if (!exists(folder, kFrozenFile)) return;
  for (const pid_t one : descendants(supervisor)) ::kill(one, SIGCONT);
  ::unlinkat(folder.get(), kFrozenFile, 0);
}

}  // namespace gyre::process
