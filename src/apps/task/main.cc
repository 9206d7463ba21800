// The supervisor of one task as a program of its own: it starts in a tenth of the time in which the
// whole of Gyre does, and there is one for each task.
#include <string_view>

#include "adapter/process/supervisor.h"

int main(int argc, char** argv) {
  const std::string_view role = argc == 3 ? argv[1] : "";
  if (role == gyre::process::kSupervisorCommand) return gyre::process::supervise_task(argv[2]);
  if (role == gyre::process::kWarmCommand) return gyre::process::supervise_warm(argv[2]);
  return 2;
}
