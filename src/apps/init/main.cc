// The first process of every container: forks the task's command, hands signals on to it, takes in
// orphans, and tells the supervisor how the command ended. Without libraries beyond libc, since it
// is linked statically and runs on whatever the image holds.
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
#include <cstring>
#include <ctime>
#include <string_view>
#include <vector>

#include "adapter/process/container/init_protocol.h"
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

/// Receives the order's head, and makes the descriptors that come with it this process's output.
bool receive_head(InitOrder& head) {
  iovec part{&head, sizeof head};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  ssize_t n = 0;
  do {
    n = ::recvmsg(kInitDescriptor, &message, MSG_WAITALL);
  } while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(sizeof head)) return false;
  const cmsghdr* control = CMSG_FIRSTHDR(&message);
  if (control == nullptr || control->cmsg_len != CMSG_LEN(2 * sizeof(int))) return false;
  std::array<int, 2> output{};
  std::memcpy(output.data(), CMSG_DATA(control), sizeof output);
  const bool taken = ::dup2(output[0], STDOUT_FILENO) >= 0 && ::dup2(output[1], STDERR_FILENO) >= 0;
  for (const int descriptor : output) ::close(descriptor);
  return taken;
}

struct Order {
  std::vector<char> text;
  const char* folder = "";
  std::vector<char*> arguments;
  std::vector<char*> variables;
};

/// Ends the process where the supervisor is gone or does not speak the protocol.
Order wait_for_order() {
  InitOrder head;
  if (!receive_head(head)) ::_exit(0);
  if (head.magic != kInitMagic || head.bytes == 0 || head.bytes > kInitBytesMax) {
    ::_exit(kBrokenProtocol);
  }
  Order order;
  order.text.resize(head.bytes);
  if (!receive(order.text.data(), head.bytes)) ::_exit(0);
  if (order.text.back() != '\0') ::_exit(kBrokenProtocol);
  std::uint32_t index = 0;
  for (std::size_t at = 0; at < order.text.size(); ++index) {
    char* const word = &order.text[at];
    at += std::string_view(word).size() + 1;
    if (index == 0) {
      order.folder = word;
    } else if (index <= head.arguments) {
      order.arguments.push_back(word);
    } else {
      order.variables.push_back(word);
    }
  }
  if (head.arguments == 0 || index != 1 + head.arguments + head.variables) {
    ::_exit(kBrokenProtocol);
  }
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
  for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
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
  std::array<pollfd, 2> wait{{{signals, POLLIN, 0}, {kInitDescriptor, POLLIN, 0}}};
  for (reap(command);; reap(command)) {
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if (wait[1].revents != 0) return 0;  // the supervisor is gone
    signalfd_siginfo signal{};
    if (::read(signals, &signal, sizeof signal) != static_cast<ssize_t>(sizeof signal)) continue;
    const int number = static_cast<int>(signal.ssi_signo);
    if (number != SIGCHLD) ::kill(-command, number);
  }
}
