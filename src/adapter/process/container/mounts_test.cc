#include "adapter/process/container/mounts.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace gyre::process {
namespace {

constexpr std::int64_t kBase = 1'000'000;

TEST(UserNamespace, NothingOutlivesWhoIsKilledWhileMakingOne) {
  if (!make_user_namespace(kBase)) GTEST_SKIP() << "user namespaces cannot be made here";
  for (int round = 0; round < 300; ++round) {
    int line[2];
    ASSERT_EQ(::pipe(line), 0);
    const pid_t maker = ::fork();
    if (maker == 0) {
      ::close(line[0]);
      ::setpgid(0, 0);  // so that what is left can be found
      while (make_user_namespace(kBase)) continue;
      ::_exit(1);
    }
    ::close(line[1]);
    ::usleep(static_cast<useconds_t>(200 + 7 * round));
    ::kill(maker, SIGKILL);
    ::waitpid(maker, nullptr, 0);
    // The line ends when nobody has it any more.
    pollfd end{line[0], POLLIN, 0};
    EXPECT_EQ(::poll(&end, 1, 10'000), 1) << "a process is left, round " << round;
    ::close(line[0]);
    if (HasFailure()) {
      ::kill(-maker, SIGKILL);
      return;
    }
  }
}

}  // namespace
}  // namespace gyre::process
