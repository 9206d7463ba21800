#include "adapter/process/exec/holder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "adapter/process/default_signals.h"
#include "adapter/process/exec/exec_protocol.h"
#include "adapter/process/line.h"
#include "adapter/process/process_list.h"

namespace gyre::process {
namespace {

constexpr int kHangUpGraceMs = 1'000;  // between SIGHUP and SIGKILL
constexpr int kSweepPauseMs = 5;
constexpr int kSweepRounds = 2'000;  // until what cannot be killed is left to the task's own end

/// The request, and where its parts are in it.
struct Order {
  std::vector<char> packet;
  ExecRequest request;
  std::vector<char*> arguments;  // with the null pointer that execvp() wants
  std::vector<char*> variables;
};

/// Both ends of what the command reads and writes.
struct Streams {
  std::array<int, 3> own{-1, -1, -1};  // the command's
  std::vector<int> others;             // the node's

  void close() const {
    for (const int descriptor : own) ::close(descriptor);
    for (const int descriptor : others) ::close(descriptor);
  }
};

void tell(int connection, ExecWord word, int value, const std::vector<int>& descriptors = {}) {
  const ExecAnswer answer{word, value};
  send_word(connection, &answer, sizeof answer, descriptors);
}

[[noreturn]] void give_up(int connection, ExecWord word, int value) {
  tell(connection, word, value);
  ::_exit(0);
}

/// False where it is none.
bool receive(int connection, Order& order) {
  order.packet.resize(kExecRequestMax + 1);
  const Received got = receive_word(connection, order.packet.data(), kExecRequestMax, 0);
  for (const int descriptor : got.descriptors) ::close(descriptor);
  constexpr long kHead = sizeof(ExecRequest);
  if (got.size <= kHead) return false;
  std::memcpy(&order.request, order.packet.data(), kHead);
  const std::vector<char*> words =
      split_words(order.packet.data() + kHead, static_cast<std::size_t>(got.size - kHead));
  const ExecRequest& request = order.request;
  const bool whole = order.packet[static_cast<std::size_t>(got.size) - 1] == '\0';
  if (request.magic != kExecMagic || !whole || request.arguments == 0 ||
      request.arguments > words.size() || request.variables != words.size() - request.arguments) {
    return false;
  }
  const auto middle = words.begin() + static_cast<std::ptrdiff_t>(request.arguments);
  order.arguments.assign(words.begin(), middle);
  order.arguments.push_back(nullptr);
  order.variables.assign(middle, words.end());
  return true;
}

bool make_terminal(const ExecRequest& request, Streams& streams) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
  int unlock = 0;
  if (master < 0 || ::ioctl(master, TIOCSPTLCK, &unlock) != 0) return false;
  const int slave = ::ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) return false;
  winsize size{};
  size.ws_col = request.columns;
  size.ws_row = request.rows;
  ::ioctl(master, TIOCSWINSZ, &size);
  streams.own = {slave, ::fcntl(slave, F_DUPFD_CLOEXEC, 0), ::fcntl(slave, F_DUPFD_CLOEXEC, 0)};
  streams.others = {master};
  return streams.own[1] >= 0 && streams.own[2] >= 0;
}

/// Made here and not by the node, so that the task's user owns them and may open /dev/stdout.
bool make_pipes(Streams& streams) {
  for (int stream = 0; stream < 3; ++stream) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return false;
    const int own = stream == STDIN_FILENO ? ends[0] : ends[1];
    const int other = stream == STDIN_FILENO ? ends[1] : ends[0];
    if (::fcntl(other, F_SETFL, O_NONBLOCK) != 0) return false;
    streams.own[static_cast<std::size_t>(stream)] = own;
    streams.others.push_back(other);
  }
  return true;
}

/// The command's own process, until it is the command.
[[noreturn]] void become(Order& order, const std::vector<char*>& variables, const Streams& streams,
                         int failure, pid_t holder) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != holder) ::_exit(127);  // it died before the line above
  if (order.request.terminal != 0) ::ioctl(streams.own[0], TIOCSCTTY, 0);
  for (int stream = 0; stream < 3; ++stream) {
    ::dup2(streams.own[static_cast<std::size_t>(stream)], stream);
  }
  for (char* variable : variables) ::putenv(variable);
  for (char* variable : order.variables) ::putenv(variable);
  default_signals();
  ::execvp(order.arguments.front(), order.arguments.data());
  const int error = errno;
  static_cast<void>(!::write(failure, &error, sizeof error));
  ::_exit(127);
}

/// The command's pid; ends the process where it could not be started.
pid_t start(Order& order, const std::vector<char*>& variables, const Streams& streams,
            int connection) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) give_up(connection, ExecWord::NoStreams, errno);
  const pid_t holder = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) become(order, variables, streams, ends[1], holder);
  if (child < 0) give_up(connection, ExecWord::NoProcess, errno);
  ::close(ends[1]);
  int error = 0;
  ssize_t n = 0;
  do {
    n = ::read(ends[0], &error, sizeof error);
  } while (n < 0 && errno == EINTR);
  ::close(ends[0]);
  if (n == static_cast<ssize_t>(sizeof error)) give_up(connection, ExecWord::NoCommand, error);
  return child;
}

/// Takes in what has ended. True once `command` is among it.
bool reap(pid_t command, int& status) {
  bool over = false;
  int one = 0;
  for (pid_t pid = ::waitpid(-1, &one, WNOHANG); pid > 0; pid = ::waitpid(-1, &one, WNOHANG)) {
    if (pid != command) continue;
    status = one;
    over = true;
  }
  return over;
}

void wait_for_child(int signals, int timeout_ms) {
  pollfd wait{signals, POLLIN, 0};
  if (::poll(&wait, 1, timeout_ms) <= 0) return;
  signalfd_siginfo signal{};
  static_cast<void>(!::read(signals, &signal, sizeof signal));
}

/// Kills all that is below this process: as their nearest subreaper it is the parent of whoever has
/// lost its own.
void sweep(int signals) {
  for (int round = 0; round < kSweepRounds; ++round) {
    int status = 0;
    reap(0, status);
    if (::waitid(P_ALL, 0, nullptr, WEXITED | WNOHANG | WNOWAIT) != 0) return;  // no child
    for (const pid_t pid : all_processes()) {
      if (parent_of(pid) == ::getpid()) ::kill(pid, SIGKILL);
    }
    wait_for_child(signals, kSweepPauseMs);
  }
}

/// Until the command is over; false where the connection is, before that.
bool wait_for_command(pid_t command, int connection, int signals, int& status) {
  std::array<pollfd, 2> wait{{{signals, POLLIN, 0}, {connection, POLLIN, 0}}};
  while (!reap(command, status)) {
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[1].revents != 0) return false;  // nothing more is ever said there
    wait_for_child(signals, 0);
  }
  return true;
}

}  // namespace

void hold_command(int connection, const std::vector<char*>& variables, int folder_error) {
  // What was open in the process that was forked, its locks among it, is not this one's.
  if (connection > STDERR_FILENO + 1) {
    ::close_range(STDERR_FILENO + 1, static_cast<unsigned>(connection) - 1, 0);
  }
  ::close_range(static_cast<unsigned>(connection) + 1, ~0U, 0);
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  ::prctl(PR_SET_NAME, "gyre-exec");
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  const int signals = ::signalfd(-1, &child_ended, SFD_CLOEXEC);
  Order order;
  if (!receive(connection, order)) give_up(connection, ExecWord::NoRequest, 0);
  if (folder_error != 0) give_up(connection, ExecWord::NoFolder, folder_error);
  Streams streams;
  const bool made =
      order.request.terminal != 0 ? make_terminal(order.request, streams) : make_pipes(streams);
  if (!made || signals < 0) give_up(connection, ExecWord::NoStreams, errno);
  const pid_t command = start(order, variables, streams, connection);
  tell(connection, ExecWord::Started, 0, streams.others);
  streams.close();
  int status = 0;
  if (!wait_for_command(command, connection, signals, status)) {
    ::kill(-command, SIGHUP);
    ::kill(-command, SIGCONT);
    for (int waited = 0; waited < kHangUpGraceMs && !reap(command, status);
         waited += kSweepPauseMs) {
      ::poll(nullptr, 0, kSweepPauseMs);
    }
    sweep(signals);
    ::_exit(0);
  }
  sweep(signals);
  give_up(connection, ExecWord::Ended, status);
}

}  // namespace gyre::process
