// The first process of every container: forks the task's command, hands signals on to it, takes in
// orphans, forks the holders of further commands, and tells the supervisor how the command ended.
// Without libraries beyond libc: it is linked statically and runs on whatever the image holds.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "adapter/process/container/init_protocol.h"
#include "adapter/process/default_signals.h"
#include "adapter/process/exec/holder.h"
#include "adapter/process/line.h"
#include "apps/init/filter.h"

namespace {

using namespace gyre::process;

constexpr int kBrokenProtocol = 70;
constexpr int kNoFilter = 71;

void tell(InitWord word, int value) {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const InitReport report{word, value, now.tv_sec * 1'000'000'000 + now.tv_nsec};
  static_cast<void>(!::send(kInitDescriptor, &report, sizeof report, MSG_NOSIGNAL));
}

/// False where the supervisor is gone.
bool receive(void* out, std::size_t size) {
  auto* at = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t n = ::recv(kInitDescriptor, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

/// Receives the order's head. The first two descriptors that come with it become this process's
/// output; the third is the door, -1 where there is none.
bool receive_head(InitOrder& head, int& door) {
  const Received got = receive_word(kInitDescriptor, &head, sizeof head, MSG_WAITALL);
  if (got.size != static_cast<long>(sizeof head) || got.descriptors.size() < 2) return false;
  const bool taken = ::dup2(got.descriptors[0], STDOUT_FILENO) >= 0 &&
                     ::dup2(got.descriptors[1], STDERR_FILENO) >= 0;
  ::close(got.descriptors[0]);
  ::close(got.descriptors[1]);
  door = got.descriptors.size() > 2 ? got.descriptors[2] : -1;
  return taken;
}

struct Order {
  std::vector<char> text;
  int door = -1;  // where further commands are asked for
  const char* folder = "";
  std::vector<char*> arguments;
  std::vector<char*> variables;
};

/// Ends the process where the supervisor is gone or does not speak the protocol.
Order wait_for_order() {
  InitOrder head;
  int door = -1;
  if (!receive_head(head, door)) ::_exit(0);
  if (head.magic != kInitMagic || head.bytes == 0 || head.bytes > kInitBytesMax) {
    ::_exit(kBrokenProtocol);
  }
  Order order;
  order.door = door;
  order.text.resize(head.bytes);
  if (!receive(order.text.data(), head.bytes)) ::_exit(0);
  if (order.text.back() != '\0') ::_exit(kBrokenProtocol);
  const std::vector<char*> words = split_words(order.text.data(), order.text.size());
  if (head.arguments == 0 || words.size() != std::size_t{1} + head.arguments + head.variables) {
    ::_exit(kBrokenProtocol);
  }
  order.folder = words.front();
  const auto middle = words.begin() + 1 + static_cast<std::ptrdiff_t>(head.arguments);
  order.arguments.assign(words.begin() + 1, middle);
  order.variables.assign(middle, words.end());
  order.arguments.push_back(nullptr);
  return order;
}

void become(Order& order, int failure) {
  const auto give_up = [failure](InitWord word) {
    const InitReport report{word, errno, 0};
    static_cast<void>(!::write(failure, &report, sizeof report));
    ::_exit(127);
  };
  ::setsid();
  for (char* variable : order.variables) ::putenv(variable);
  if (*order.folder != '\0' && ::chdir(order.folder) != 0) give_up(InitWord::NoFolder);
  default_signals();
  ::execvp(order.arguments.front(), order.arguments.data());
  give_up(InitWord::NoCommand);
}

/// The command's pid; ends the process where it could not be started.
pid_t start(Order& order) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) ends = {-1, -1};
  const pid_t child = ends[0] < 0 ? -1 : ::fork();
  if (child == 0) become(order, ends[1]);
  if (child < 0) {
    tell(InitWord::NoCommand, errno);
    ::_exit(0);
  }
  ::close(ends[1]);
  InitReport failure;
  ssize_t n = 0;
  do {
    n = ::read(ends[0], &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  ::close(ends[0]);
  if (n == static_cast<ssize_t>(sizeof failure)) {
    tell(failure.word, failure.value);
    ::_exit(0);
  }
  tell(InitWord::Started, 0);
  return child;
}

/// Starts a holder for each further command that is asked for.
void admit(const Order& order) {
  for (;;) {
    const int connection = ::accept4(order.door, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) return;
    if (::fork() == 0) {
      const bool entered = *order.folder == '\0' || ::chdir(order.folder) == 0;
      hold_command(connection, order.variables, entered ? 0 : errno);
    }
    ::close(connection);  // where no process could be had, its other end sees this
  }
}

/// Takes in what has ended; ends the process with the command.
void reap(pid_t command) {
  int status = 0;
  for (pid_t pid = ::waitpid(-1, &status, WNOHANG); pid > 0;
       pid = ::waitpid(-1, &status, WNOHANG)) {
    if (pid != command) continue;
    tell(InitWord::Ended, status);
    ::_exit(0);
  }
}

}  // namespace

int main() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::fcntl(kInitDescriptor, F_SETFD, FD_CLOEXEC);
  ::close_range(kInitDescriptor + 1, ~0U, 0);
  // The command must not be able to speak in this process's name.
  ::prctl(PR_SET_DUMPABLE, 0);
  const int signals = ::signalfd(-1, &all, SFD_CLOEXEC);
  if (signals < 0) return kBrokenProtocol;
  if (!gyre::init::install_filter()) return kNoFilter;
  tell(InitWord::Ready, 0);
  Order order = wait_for_order();
  const pid_t command = start(order);
  std::array<pollfd, 3> wait{
      {{signals, POLLIN, 0}, {kInitDescriptor, POLLIN, 0}, {order.door, POLLIN, 0}}};
  for (reap(command);; reap(command)) {
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[1].revents != 0) return 0;  // the supervisor is gone
    if (wait[2].revents != 0) admit(order);
    if (wait[0].revents == 0) continue;
    signalfd_siginfo signal{};
    if (::read(signals, &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) continue;
    const int number = static_cast<int>(signal.ssi_signo);
    if (number != SIGCHLD) ::kill(-command, number);
  }
}
