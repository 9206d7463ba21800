// The tests' main(): the same program is the tests, the supervisor of the tasks that they start,
// and the server that they kill.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "adapter/process/supervisor.h"
#include "adapter/process/test_kit.h"

namespace {

using namespace gyre;
using namespace gyre::process;

/// A server that starts `tasks` tasks with the given script and waits to be killed.
int run_doomed_server(const std::string& folder, int tasks, const std::string& script) {
  test::Recorder recorder;
  auto executor = ProcessExecutor::open({.folder = folder, .supervisor = {}, .retention = {}});
  if (!executor) return 1;
  (*executor)->listen(recorder);
  for (int rank = 0; rank < tasks; ++rank) {
    (*executor)->start(test::shell_task({JobId{1}, 1, rank}, script));
  }
  for (;;) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc > 1 ? argv[1] : "";
  if (role == kSupervisorCommand && argc == 3) return supervise_task(argv[2]);
  if (role == "doomed-server" && argc == 5) {
    return run_doomed_server(argv[2], std::atoi(argv[3]), argv[4]);
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
