#include <csignal>
#include <string_view>

#include "adapter/process/supervisor.h"
#include "apps/ports.h"
#include "cli/cli.h"

int main(int argc, char** argv) {
  // First of all, and without any of the rest: it must start as it was spawned.
  if (argc == 3 && std::string_view(argv[1]) == gyre::process::kSupervisorCommand) {
    return gyre::process::supervise_task(argv[2]);
  }
  if (argc == 3 && std::string_view(argv[1]) == gyre::process::kWarmCommand) {
    return gyre::process::supervise_warm(argv[2]);
  }
  return gyre::cli::run(argc, argv, gyre::apps::make_ports());
}
