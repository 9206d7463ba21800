#include "adapter/process/process_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "act/gang_start.h"
#include "adapter/process/file_logs.h"
#include "adapter/process/folder.h"
#include "adapter/process/process_tree.h"
#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;
using test::NamedPipe;
using test::shell_task;
using testing::HasSubstr;

constexpr Duration kLong = seconds(600);  // a grace that no test waits out

act::TaskKey key(int number, int attempt = 1, int rank = 0) {
  return {JobId{static_cast<std::uint64_t>(number)}, attempt, rank};
}

class ProcessExecutorTest : public testing::Test {
 protected:
  void SetUp() override { open(); }

  void TearDown() override {
    close();
    EXPECT_THAT(descendants(::getpid()), testing::IsEmpty());
    for (const std::string& parent : group_parents_) EXPECT_FALSE(fs::exists(parent)) << parent;
  }

  void open(const Retention& retention = {}) {
    ExecutorOptions options{.folder = tasks(), .supervisor = {}, .retention = retention};
    options.containers.pids_max = pids_max_;
    auto executor = ProcessExecutor::open(std::move(options));
    ASSERT_TRUE(executor) << executor.error().message;
    executor_ = std::move(*executor);
    executor_->listen(*recorder_);
  }

  void close() { executor_.reset(); }

  /// As after a crash: nobody remembers what was told.
  void reopen() {
    close();
    recorder_ = std::make_unique<test::Recorder>();
    open();
  }

  std::string tasks() const { return folder_ / "tasks"; }
  std::string folder_of(const act::TaskKey& task) const {
    return tasks() + "/" + act::to_string(task);
  }

  TaskExit run(const act::TaskStart& task) {
    executor_->start(task);
    return recorder_->wait_ended(task.key);
  }

  std::string log(const act::TaskKey& task, act::LogStream stream = act::LogStream::Stdout) const {
    act::LogQuery query;
    query.job = task.job;
    query.rank = task.rank;
    query.stream = stream;
    query.bytes_max = 1 << 20;
    const auto chunk = FileLogs(tasks()).read(query);
    return chunk ? chunk->data : chunk.error().message;
  }

  pid_t supervisor_of(const act::TaskKey& task) {
    const auto folder = open_folder(folder_of(task));
    auto state = inspect(*folder);
    for (const std::string& group : state->groups.folders) {
      group_parents_.push_back(fs::path(group).parent_path());
    }
    return state->supervisor.value_or(0);
  }

  test::TemporaryFolder folder_;
  std::int64_t pids_max_ = 4096;
  std::unique_ptr<test::Recorder> recorder_ = std::make_unique<test::Recorder>();
  std::unique_ptr<ProcessExecutor> executor_;
  std::vector<std::string> group_parents_;  // must be gone in the end
};

TEST_F(ProcessExecutorTest, ReportsExitCodes) {
  EXPECT_EQ(run(shell_task(key(1), "exit 0")), (TaskExit{TaskExit::Kind::Exited, 0, false, ""}));
  EXPECT_EQ(run(shell_task(key(2), "exit 37")), (TaskExit{TaskExit::Kind::Exited, 37, false, ""}));
  EXPECT_EQ(recorder_->times_started(key(1)), 1);
  EXPECT_EQ(recorder_->times_ended(key(1)), 1U);
}

TEST_F(ProcessExecutorTest, GivesNoTwoReplicasOnePortThoughNoneListensYet) {
  NamedPipe pipe(folder_ / "pipe");
  const auto start = [&](int number) {
    act::TaskStart task = shell_task(key(number), "echo $PORT > " + pipe.path() + "; sleep 1000");
    task.env = {{act::kPortVariable, "31777"}, {act::kServiceVariable, "web"}};
    executor_->start(task);
    EXPECT_TRUE(recorder_->wait_started(key(number)));
  };
  std::set<std::string> ports;
  for (int number = 1; number <= 2; ++number) {
    start(number);
    ports.insert(pipe.line());
  }
  reopen();  // what an earlier life gave counts, too
  for (int number = 1; number <= 2; ++number) {
    executor_->adopt(key(number));
    EXPECT_TRUE(recorder_->wait_started(key(number)));
  }
  start(3);
  ports.insert(pipe.line());
  EXPECT_EQ(ports.size(), 3U);
  for (int number = 1; number <= 3; ++number) {
    supervisor_of(key(number));
    executor_->stop(key(number), {});
    recorder_->wait_ended(key(number));
  }
}

TEST_F(ProcessExecutorTest, ReportsSignals) {
  EXPECT_EQ(run(shell_task(key(1), "kill -SEGV $$")),
            (TaskExit{TaskExit::Kind::Signaled, SIGSEGV, false, ""}));
}

TEST_F(ProcessExecutorTest, KeepsStdoutAndStderrApart) {
  run(shell_task(key(1), "echo one; echo two >&2; echo three"));
  EXPECT_EQ(log(key(1)), "one\nthree\n");
  EXPECT_EQ(log(key(1), act::LogStream::Stderr), "two\n");
}

TEST_F(ProcessExecutorTest, GivesATaskTheEnvironmentItWasPromisedAndNoMore) {
  ::setenv("GYRE_TEST_SECRET", "hidden", 1);
  reopen();
  act::TaskStart task = shell_task(key(1), "env");
  task.env = {{"PATH", "/usr/bin:/bin"}, {"TWICE", "no"}, {"TWICE", "yes=1"}, {"EMPTY", ""}};
  run(task);
  const std::string env = log(key(1));
  EXPECT_THAT(env, HasSubstr("TWICE=yes=1\n"));
  EXPECT_THAT(env, Not(HasSubstr("TWICE=no")));
  EXPECT_THAT(env, HasSubstr("PATH=/usr/bin:/bin\n"));
  EXPECT_THAT(env, HasSubstr("EMPTY=\n"));
  EXPECT_THAT(env, Not(HasSubstr("hidden")));
  ::unsetenv("GYRE_TEST_SECRET");
}

TEST_F(ProcessExecutorTest, StartsATaskWithNothingOpenButItsOutput) {
  run(shell_task(key(1),
                 "cat; ls -l /proc/self/fd; umask; grep -E 'Sig(Blk|Ign)' /proc/self/status"));
  const std::string text = log(key(1));
  EXPECT_THAT(text, HasSubstr("0 -> /dev/null"));
  EXPECT_THAT(text, HasSubstr("stdout.log"));
  EXPECT_THAT(text, Not(HasSubstr("lock")));
  EXPECT_THAT(text, Not(HasSubstr("socket")));
  EXPECT_THAT(text, HasSubstr("0022"));
  EXPECT_THAT(text, HasSubstr("SigBlk:\t0000000000000000"));
  const std::size_t ignored = text.find("SigIgn:");
  ASSERT_NE(ignored, std::string::npos);
  // The C library's own two, 32 and 33, may stay ignored: no program can set them.
  EXPECT_EQ(std::stoull(text.substr(ignored + 8), nullptr, 16) & ~0x180000000ULL, 0U) << text;
}

TEST_F(ProcessExecutorTest, RunsInTheFolderThatWasAskedForOrInOneOfItsOwn) {
  act::TaskStart task = shell_task(key(1), "pwd");
  task.working_directory = "/usr";
  run(task);
  EXPECT_EQ(log(key(1)), "/usr\n");
  run(shell_task(key(2), "pwd"));
  EXPECT_EQ(log(key(2)), fs::canonical(folder_of(key(2))).string() + "/work\n");
}

TEST_F(ProcessExecutorTest, SaysWhyACommandCannotRun) {
  act::TaskStart task = shell_task(key(1), "");
  task.command = {"gyre-no-such-command"};
  TaskExit exit = run(task);
  EXPECT_EQ(exit.kind, TaskExit::Kind::Exited);
  EXPECT_EQ(exit.code, 127) << "as a shell tells it";
  EXPECT_THAT(exit.message, HasSubstr("cannot run 'gyre-no-such-command': no such command on the"));

  task.key = key(2);
  task.command = {"/etc/passwd"};
  exit = run(task);
  EXPECT_EQ(exit.kind, TaskExit::Kind::Exited);
  EXPECT_EQ(exit.code, 126);
  EXPECT_THAT(exit.message, HasSubstr("cannot run '/etc/passwd': Permission denied"));

  task = shell_task(key(3), "true");
  task.working_directory = "/no/such/folder";
  exit = run(task);
  EXPECT_EQ(exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_THAT(exit.message, HasSubstr("cannot enter the working directory '/no/such/folder'"));
  EXPECT_EQ(recorder_->times_started(key(3)), 0);
}

TEST_F(ProcessExecutorTest, KillsWhatIgnoresSigtermAfterItsGrace) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(
      key(1), "trap '' TERM; echo up > " + pipe.path() + "; while :; do sleep 1000; done"));
  ASSERT_EQ(pipe.line(), "up");
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = milliseconds(50)});
  const TaskExit exit = recorder_->wait_ended(key(1));
  EXPECT_EQ(exit.kind, TaskExit::Kind::Signaled);
  EXPECT_EQ(exit.code, SIGKILL);
  EXPECT_TRUE(exit.stopped);
  EXPECT_THAT(exit.message, HasSubstr("did not end within 0.1 s"));
}

TEST_F(ProcessExecutorTest, LetsATaskEndItselfOnSigterm) {
  NamedPipe pipe(folder_ / "pipe");
  NamedPipe never(folder_ / "never");
  executor_->start(shell_task(
      key(1), "trap 'exit 5' TERM; echo up > " + pipe.path() + "; read x < " + never.path()));
  ASSERT_EQ(pipe.line(), "up");
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = kLong});
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = kLong});
  EXPECT_EQ(recorder_->wait_ended(key(1)),
            (TaskExit{TaskExit::Kind::Exited, 5, true, "stopped on request"}));
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = kLong});
  EXPECT_EQ(recorder_->times_ended(key(1)), 1U);
}

TEST_F(ProcessExecutorTest, ShortensAGraceThatIsRunning) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(key(1), "trap 'echo asked > " + pipe.path() + "' TERM; echo up > " +
                                          pipe.path() + "; while :; do sleep 1000 & wait; done"));
  ASSERT_EQ(pipe.line(), "up");
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = kLong});
  ASSERT_EQ(pipe.line(), "asked");
  executor_->stop(key(1), {});
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, SIGKILL);
}

TEST_F(ProcessExecutorTest, SendsTheCheckpointSignalBeforeSigterm) {
  NamedPipe pipe(folder_ / "pipe");
  const std::string say = " > " + pipe.path();
  executor_->start(shell_task(key(1), "trap 'echo saving" + say + "' USR1; trap 'echo asked" + say +
                                          "; exit 0' TERM; echo up" + say +
                                          "; while :; do sleep 1000 & wait; done"));
  ASSERT_EQ(pipe.line(), "up");
  executor_->stop(key(1), {.checkpoint_signal = SIGUSR1, .grace = milliseconds(2000)});
  EXPECT_EQ(pipe.line(), "saving");
  EXPECT_EQ(pipe.line(), "asked");
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, 0);
}

TEST_F(ProcessExecutorTest, EndsWhatDetachedItselfFromTheTask) {
  NamedPipe pipe(folder_ / "pipe");
  // A daemon by the book: two forks, and a session of its own.
  run(shell_task(key(1), "(setsid sh -c '(sh -c \"echo \\$\\$ > " + pipe.path() +
                             "; exec sleep 1000\") &' &) ; (sh -c 'echo $$ > " + pipe.path() +
                             "; sleep 1000; true' &)"));
  // It may be killed before it has said its number; then it is gone as well.
  EXPECT_THAT(descendants(::getpid()), testing::IsEmpty());
}

TEST_F(ProcessExecutorTest, EndsGrandchildrenWhenItStops) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(key(1), "setsid sh -c 'echo $$ > " + pipe.path() +
                                          "; exec sleep 1000' & (sh -c 'echo $$ > " + pipe.path() +
                                          "; sleep 1000; true') & wait"));
  const int first = std::atoi(pipe.line().c_str());
  const int second = std::atoi(pipe.line().c_str());
  ASSERT_GT(first, 0);
  ASSERT_GT(second, 0);
  executor_->stop(key(1), {});
  recorder_->wait_ended(key(1));
  EXPECT_NE(::kill(first, 0), 0);
  EXPECT_NE(::kill(second, 0), 0);
}

TEST_F(ProcessExecutorTest, ReportsATaskAsLostWhoseSupervisorWasKilled) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(key(1), "setsid sh -c 'echo $$ > " + pipe.path() +
                                          "; exec sleep 1000' & echo $$ > " + pipe.path() +
                                          "; sleep 1000"));
  const int first = std::atoi(pipe.line().c_str());
  const int second = std::atoi(pipe.line().c_str());
  ASSERT_TRUE(recorder_->wait_started(key(1)));
  ASSERT_EQ(::kill(supervisor_of(key(1)), SIGKILL), 0);
  const TaskExit exit = recorder_->wait_ended(key(1));
  EXPECT_EQ(exit.kind, TaskExit::Kind::Lost);
  EXPECT_THAT(exit.message, HasSubstr("supervisor was killed"));
  EXPECT_TRUE(test::wait_gone(first));
  EXPECT_TRUE(test::wait_gone(second));
  reopen();
  executor_->adopt(key(1));
  EXPECT_EQ(recorder_->wait_ended(key(1)), exit) << "its end must be the same after a restart";
}

TEST_F(ProcessExecutorTest, NeverRunsATaskThatWasStoppedOrAdoptedBeforeItStarted) {
  for (int number = 1; number <= 2; ++number) {
    number == 1 ? executor_->stop(key(number), {}) : executor_->adopt(key(number));
    EXPECT_EQ(recorder_->wait_ended(key(number)),
              (TaskExit{TaskExit::Kind::Lost, 0, true, "stopped before it ran"}));
    executor_->start(shell_task(key(number), "echo ran"));
  }
  reopen();
  executor_->start(shell_task(key(1), "echo ran"));
  EXPECT_EQ(recorder_->wait_ended(key(1)).kind, TaskExit::Kind::Lost);
  EXPECT_EQ(log(key(1)), "");
}

TEST_F(ProcessExecutorTest, RunsAKeyOnlyOnce) {
  const act::TaskStart task = shell_task(key(1), "echo ran; exit 4");
  executor_->start(task);
  executor_->start(task);
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, 4);
  executor_->start(task);
  reopen();
  EXPECT_EQ(executor_->found().size(), 1U);
  EXPECT_TRUE(executor_->found().front().ended);
  EXPECT_EQ(run(task).code, 4);
  EXPECT_EQ(recorder_->times_started(key(1)), 1);
  EXPECT_EQ(log(key(1)), "ran\n");
}

TEST_F(ProcessExecutorTest, KeepsTheEnvironmentOnDiskNoLongerThanNeeded) {
  act::TaskStart task = shell_task(key(1), "exit 0");
  task.env = {{"TOKEN", "a-secret"}};
  run(task);
  for (const auto& file : fs::directory_iterator(folder_of(key(1)))) {
    std::stringstream text;
    text << std::ifstream(file.path()).rdbuf();
    EXPECT_THAT(text.str(), Not(HasSubstr("a-secret"))) << file.path();
  }
}

TEST_F(ProcessExecutorTest, AdoptsWhatRunsAndWhatEndedMeanwhile) {
  NamedPipe pipe(folder_ / "pipe");
  NamedPipe go(folder_ / "go");
  executor_->start(
      shell_task(key(1), "echo up > " + pipe.path() + "; read x < " + go.path() + "; exit 9"));
  executor_->start(shell_task(key(2), "exit 3"));
  ASSERT_EQ(pipe.line(), "up");
  recorder_->wait_ended(key(2));
  reopen();
  executor_->adopt(key(1));
  executor_->adopt(key(2));
  EXPECT_EQ(recorder_->wait_ended(key(2)).code, 3);
  ASSERT_TRUE(recorder_->wait_started(key(1)));
  EXPECT_EQ(recorder_->times_ended(key(1)), 0U);
  go.write("on\n");
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, 9);
  EXPECT_EQ(recorder_->times_started(key(1)), 1);
}

TEST_F(ProcessExecutorTest, StopsWhatItAdopted) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(key(1), "echo up > " + pipe.path() + "; exec sleep 1000"));
  ASSERT_EQ(pipe.line(), "up");
  reopen();
  executor_->adopt(key(1));
  executor_->stop(key(1), {.checkpoint_signal = 0, .grace = kLong});
  EXPECT_EQ(recorder_->wait_ended(key(1)),
            (TaskExit{TaskExit::Kind::Signaled, SIGTERM, true, "stopped on request"}));
}

TEST_F(ProcessExecutorTest, DiscardsAStrangerSoThatItsKeyIsFree) {
  NamedPipe pipe(folder_ / "pipe");
  executor_->start(shell_task(key(1), "echo $$ > " + pipe.path() + "; exec sleep 1000"));
  const int pid = std::atoi(pipe.line().c_str());
  ASSERT_GT(pid, 0);
  reopen();
  executor_->discard(key(1));
  EXPECT_NE(::kill(pid, 0), 0);
  EXPECT_FALSE(fs::exists(folder_of(key(1))));
  EXPECT_EQ(run(shell_task(key(1), "exit 6")).code, 6);
}

TEST_F(ProcessExecutorTest, RefusesAFolderThatAnotherExecutorUses) {
  const auto second = ProcessExecutor::open({.folder = tasks(), .supervisor = {}, .retention = {}});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  EXPECT_THAT(second.error().message, HasSubstr("another Gyre runs tasks in"));
}

TEST_F(ProcessExecutorTest, SaysWhenTheSupervisorCannotBeStarted) {
  close();
  auto executor = ProcessExecutor::open(
      {.folder = tasks(), .supervisor = {"/no/such/program"}, .retention = {}});
  executor_ = std::move(*executor);
  executor_->listen(*recorder_);
  const TaskExit exit = run(shell_task(key(1), "true"));
  EXPECT_EQ(exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_THAT(exit.message, HasSubstr("cannot start a task's supervisor"));
}

TEST_F(ProcessExecutorTest, RunsAHundredTasksAtOnce) {
  NamedPipe go(folder_ / "go");
  constexpr int kTasks = 100;
  for (int i = 0; i < kTasks; ++i) {
    executor_->start(
        shell_task(key(1, 1, i), "read x < " + go.path() + "; exit " + std::to_string(i % 7)));
  }
  for (int i = 0; i < kTasks; ++i) ASSERT_TRUE(recorder_->wait_started(key(1, 1, i)));
  for (int i = 0; i < kTasks; ++i) go.write("on\n");
  for (int i = 0; i < kTasks; ++i) {
    EXPECT_EQ(recorder_->wait_ended(key(1, 1, i)).shell_code(), i % 7) << i;
    EXPECT_EQ(recorder_->times_started(key(1, 1, i)), 1);
  }
}

TEST_F(ProcessExecutorTest, KeepsOnlyTheLatestFinishedTasks) {
  close();
  open({.tasks_max = 2, .bytes_max = 1 << 30});
  for (int number = 1; number <= 4; ++number) {
    run(shell_task(key(number), "echo text"));
    executor_->release(key(number));
  }
  executor_->start(shell_task(key(5), "exit 0"));
  recorder_->wait_ended(key(5));  // ended, but not released
  executor_->settle_retention();
  EXPECT_FALSE(fs::exists(folder_of(key(1))));
  EXPECT_FALSE(fs::exists(folder_of(key(2))));
  EXPECT_EQ(log(key(3)), "text\n");
  EXPECT_EQ(log(key(4)), "text\n");
  EXPECT_TRUE(fs::exists(folder_of(key(5))));
}

TEST_F(ProcessExecutorTest, KeepsFinishedTasksOnlyUpToABoundInBytes) {
  close();
  open({.tasks_max = 100, .bytes_max = 3 << 20});
  for (int number = 1; number <= 3; ++number) {
    run(shell_task(key(number), "head -c 2000000 /dev/zero"));
    executor_->release(key(number));
  }
  // What is released reaches the janitor by way of the loop: it is asked until it has seen all.
  for (int left = 2000; left > 0 && fs::exists(folder_of(key(2))); --left) {
    executor_->settle_retention();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_FALSE(fs::exists(folder_of(key(1))));
  EXPECT_FALSE(fs::exists(folder_of(key(2))));
  EXPECT_TRUE(fs::exists(folder_of(key(3))));
}

TEST_F(ProcessExecutorTest, SaysWhenTheDiskIsFullAndKeepsExitCodesAllTheSame) {
  close();
  const std::string small = folder_ / "small";
  fs::create_directory(small);
  if (::mount("tmpfs", small.c_str(), "tmpfs", 0, "size=1m") != 0) {
    open();
    GTEST_SKIP() << "may not mount a small disk here";
  }
  auto executor = ProcessExecutor::open({.folder = small, .supervisor = {}, .retention = {}});
  executor_ = std::move(*executor);
  executor_->listen(*recorder_);
  NamedPipe pipe(folder_ / "pipe");
  NamedPipe go(folder_ / "go");
  executor_->start(
      shell_task(key(1), "echo up > " + pipe.path() + "; read x < " + go.path() + "; exit 8"));
  EXPECT_EQ(pipe.line(), "up");
  std::ofstream(small + "/ballast") << std::string(2 << 20, 'x');
  const TaskExit exit = run(shell_task(key(2), "true"));
  EXPECT_EQ(exit.kind, TaskExit::Kind::StartFailed);
  EXPECT_THAT(exit.message,
              ::testing::AnyOf(HasSubstr("No space left on device"), HasSubstr("disk full")));
  go.write("on\n");
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, 8);
  close();
  EXPECT_EQ(::umount2(small.c_str(), MNT_DETACH), 0);
}

TEST_F(ProcessExecutorTest, EndsATaskThatUsesMoreThanItsMemory) {
  if (!executor_->enforcement().memory) GTEST_SKIP() << "memory limits are not enforced here";
  act::TaskStart task = shell_task(key(1), "");
  task.command = {"dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"};
  task.memory = {64};
  const TaskExit exit = run(task);
  EXPECT_EQ(exit.kind, TaskExit::Kind::Signaled);
  EXPECT_EQ(exit.code, SIGKILL);
  EXPECT_EQ(exit.message, "out of memory: it used more than its 64 MiB; ask for more memory");
}

TEST_F(ProcessExecutorTest, KeepsATaskToItsLimitOfProcesses) {
  if (!executor_->enforcement().pids) GTEST_SKIP() << "process limits are not enforced here";
  close();
  pids_max_ = 20;
  open();
  const TaskExit exit =
      run(shell_task(key(1), "i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done"));
  EXPECT_NE(exit.code, 0);
  EXPECT_EQ(exit.message, "it reached its limit of 20 processes");
}

TEST_F(ProcessExecutorTest, SlowsATaskDownToItsCpus) {
  if (!executor_->enforcement().cpu) GTEST_SKIP() << "CPU limits are not enforced here";
  // Ends only when the kernel says that it has held the task back.
  act::TaskStart task =
      shell_task(key(1),
                 "for m in /sys/fs/cgroup/cpu /sys/fs/cgroup; do for g in $(cut -d: -f3 "
                 "/proc/self/cgroup); do "
                 "test -f $m$g/cpu.stat && test $g != / && f=$m$g/cpu.stat; done; done; "
                 "until grep -q 'nr_throttled [1-9]' $f; do :; done");
  task.cpu = {100};
  EXPECT_EQ(run(task), (TaskExit{}));
}

TEST_F(ProcessExecutorTest, TheLastTaskOfAServerThatHasEndedTakesItsGroupsWithIt) {
  NamedPipe pipe(folder_ / "pipe");
  NamedPipe go(folder_ / "go");
  executor_->start(
      shell_task(key(1), "echo up > " + pipe.path() + "; read x < " + go.path() + "; exit 7"));
  ASSERT_EQ(pipe.line(), "up");
  const pid_t supervisor = supervisor_of(key(1));
  close();
  for (const std::string& parent : group_parents_) EXPECT_TRUE(fs::exists(parent)) << parent;
  go.write("on\n");
  EXPECT_EQ(::waitpid(supervisor, nullptr, 0), supervisor);  // the fixture looks for the groups
}

TEST_F(ProcessExecutorTest, ATaskThatEndsLeavesTheGroupsOfAServerThatLives) {
  EXPECT_EQ(run(shell_task(key(1), "exit 0")), (TaskExit{}));
  supervisor_of(key(1));
  for (const std::string& parent : group_parents_) ::rmdir((parent + "/server").c_str());
  for (int i = 2; i <= 4; ++i) {
    EXPECT_EQ(run(shell_task(key(static_cast<std::uint64_t>(i)), "exit 0")), (TaskExit{}));
  }
  for (const std::string& parent : group_parents_) EXPECT_TRUE(fs::exists(parent)) << parent;
}

// --- the server is killed
// --------------------------------------------------------------------------

pid_t start_doomed_server(const std::string& folder, int tasks, const std::string& script) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execl("/proc/self/exe", "gyre", "doomed-server", folder.c_str(),
            std::to_string(tasks).c_str(), script.c_str(), nullptr);
    ::_exit(127);
  }
  return pid;
}

TEST_F(ProcessExecutorTest, TasksOutliveAServerThatIsKilled) {
  close();
  NamedPipe pipe(folder_ / "pipe");
  NamedPipe go(folder_ / "go");
  const pid_t server = start_doomed_server(
      tasks(), 1, "echo up > " + pipe.path() + "; read x < " + go.path() + "; exit 7");
  ASSERT_EQ(pipe.line(), "up");
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  open();
  ASSERT_EQ(executor_->found().size(), 1U);
  EXPECT_FALSE(executor_->found().front().ended);
  executor_->adopt(key(1));
  ASSERT_TRUE(recorder_->wait_started(key(1)));
  go.write("on\n");
  EXPECT_EQ(recorder_->wait_ended(key(1)).code, 7);
}

TEST_F(ProcessExecutorTest, NoTaskRunsTwiceWhereverTheServerIsKilled) {
  close();
  const char* loops = std::getenv("GYRE_KILL_LOOPS");
  const int rounds = loops == nullptr ? 15 : std::atoi(loops);
  constexpr int kTasks = 4;
  for (int round = 0; round < rounds; ++round) {
    const std::string ran = folder_ / ("ran" + std::to_string(round));
    const std::string script = "echo $GYRE_TASK >> " + ran;
    const pid_t server = start_doomed_server(tasks(), kTasks, script);
    // Any moment from before the first folder is made to after the last task has ended.
    ::usleep(static_cast<useconds_t>((round * 7919) % 80'000));
    ::kill(server, SIGKILL);
    ::waitpid(server, nullptr, 0);
    recorder_ = std::make_unique<test::Recorder>();
    open();
    for (int rank = 0; rank < kTasks; ++rank) {
      executor_->start(shell_task(key(1, 1, rank), script));
    }
    for (int rank = 0; rank < kTasks; ++rank) {
      EXPECT_EQ(recorder_->wait_ended(key(1, 1, rank)), TaskExit{}) << "round " << round;
    }
    close();
    std::ifstream lines(ran);
    std::multiset<std::string> seen;
    for (std::string line; std::getline(lines, line);) seen.insert(line);
    EXPECT_EQ(seen.size(), static_cast<std::size_t>(kTasks)) << "round " << round;
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), seen.size());
    fs::remove_all(tasks());
  }
  open();
}

}  // namespace
}  // namespace gyre::process
