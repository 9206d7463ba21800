#include "adapter/process/container/session.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>

#include "adapter/process/child.h"
#include "adapter/process/line.h"

namespace gyre::process {
namespace {

constexpr int kRuntimePatienceMs = 60'000;
constexpr std::size_t kLogBytesMax = 65'536;
constexpr const char* kName = "task";  // in the box's own state; no other container is there

constexpr int kOrdersDescriptor = kInitDescriptor + 1;
constexpr std::size_t kOrderBytesMax = 65'536;

/// What a seed is to become: the mount that is to be hidden from it, which may be empty, and the
/// words of the command. Each ends with a NUL.
std::string encode(const std::string& hidden, const std::vector<std::string>& command) {
  std::string text = hidden + '\0';
  for (const std::string& word : command) text.append(word).push_back('\0');
  return text;
}

/// Keeps `line` and `orders` alone, under their numbers.
void keep_only(int line, int orders) {
  const int first = ::fcntl(line, F_DUPFD, kOrdersDescriptor + 1);
  const int second = ::fcntl(orders, F_DUPFD, kOrdersDescriptor + 1);
  ::dup2(first, kInitDescriptor);
  ::dup2(second, kOrdersDescriptor);
  ::fcntl(kOrdersDescriptor, F_SETFD, FD_CLOEXEC);
  ::close_range(kOrdersDescriptor + 1, ~0U, 0);
  const int nothing = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    ::dup2(nothing, standard);
  }
  ::close(nothing);
}

/// The seed: joins its groups, and becomes what it is told.
[[noreturn]] void grow(const TaskGroups& groups, std::size_t joined, int line, int orders,
                       pid_t supervisor) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(127);  // it died before the line above
  keep_only(line, orders);
  if (!join(groups, joined)) ::_exit(126);
  const auto order = read_all(Fd(kOrdersDescriptor), kOrderBytesMax);
  if (!order || order->empty()) ::_exit(0);
  std::string text = *order;
  std::vector<char*> words = split_words(text.data(), text.size());
  const char* hidden = words.front();
  // The supervisor still needs what the runtime must not see.
  if (*hidden != '\0' && (::unshare(CLONE_NEWNS) != 0 || ::umount2(hidden, MNT_DETACH) != 0)) {
    ::_exit(125);
  }
  words.erase(words.begin());
  words.push_back(nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execv(words.front(), words.data());
  ::_exit(127);
}

bool send_all(const Fd& line, const void* data, std::size_t size) {
  const auto* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::send(line.get(), at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

}  // namespace

Result<void> ContainerSession::make_root() {
  auto box = make_box(plan_);
  if (!box) return tl::unexpected(box.error());
  box_ = std::move(*box);
  return {};
}

std::vector<std::string> ContainerSession::runtime_command(const char* verb) const {
  std::vector<std::string> command{plan_.runtime, "--root", box_.state, "--log",
                                   box_.bundle + "/log"};
  // The supervisor's control groups are the container's.
  if (plan_.is_crun) command.insert(command.end(), {"--cgroup-manager", "disabled"});
  command.emplace_back(verb);
  return command;
}

Result<RuntimeSeed> RuntimeSeed::plant(const TaskGroups& groups) {
  if (auto left = leave_namespace(); !left) return tl::unexpected(left.error());
  std::array<int, 2> lines{};
  std::array<int, 2> orders{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lines.data()) != 0) {
    return os_error("cannot start a container");
  }
  RuntimeSeed seed;
  seed.line = Fd(lines[0]);
  const Fd their_line(lines[1]);
  if (::pipe2(orders.data(), O_CLOEXEC) != 0) return os_error("cannot start a container");
  const Fd their_orders(orders[0]);
  seed.orders = Fd(orders[1]);
  const pid_t supervisor = ::getpid();
  const auto [pid, joined] = fork_into(groups);
  if (pid < 0) return os_error("cannot start another process on this node");
  if (pid == 0) grow(groups, joined, their_line.get(), their_orders.get(), supervisor);
  seed.pid = pid;
  return seed;
}

Result<void> ContainerSession::launch(RuntimeSeed seed) {
  std::vector<std::string> command = runtime_command("run");
  command.insert(command.end(), {"--detach", "--bundle", box_.bundle, "--pid-file",
                                 box_.bundle + "/pid", "--preserve-fds", "1", kName});
  line_ = std::move(seed.line);
  runtime_ = seed.pid;
  // Where it is gone, wait_ready() finds out why.
  static_cast<void>(write_all(seed.orders, encode(plan_.hide_cgroup2, command)));
  return {};
}

tl::unexpected<Error> ContainerSession::runtime_failed(int status) const {
  const auto bundle = open_folder(box_.bundle);
  const auto log = bundle ? read_file(*bundle, "log", kLogBytesMax) : std::nullopt;
  std::string reason = log && *log ? **log : "";
  while (!reason.empty() && reason.back() == '\n') reason.pop_back();
  if (const auto line = reason.rfind('\n'); line != std::string::npos) reason.erase(0, line + 1);
  if (reason.empty()) {
    reason = WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                                 : fmt::format("code {}", WEXITSTATUS(status));
  }
  return fail(ErrorKind::Unavailable, "the runtime {} could not make the container: {}",
              plan_.runtime, reason);
}

Result<Time> ContainerSession::wait_ready() {
  const auto word = wait_for_word();
  int status = 0;
  while (::waitpid(runtime_, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !word || word->word != InitWord::Ready) {
    return runtime_failed(status);
  }
  std::istringstream pid(read_control(box_.bundle + "/pid"));
  if (!(pid >> init_) || init_ <= 0) return runtime_failed(status);
  return Time{word->at_ns};
}

/// The next word; an error where the container ended or says nothing for long.
Result<InitReport> ContainerSession::wait_for_word() {
  // The runtime's own copy is closed when it ends, so a container that never came is seen at once.
  InitReport report;
  pollfd wait{line_.get(), POLLIN, 0};
  while (::poll(&wait, 1, kRuntimePatienceMs) < 0 && errno == EINTR) {
  }
  const ssize_t n =
      wait.revents == 0 ? -1 : ::recv(line_.get(), &report, sizeof report, MSG_WAITALL);
  if (n == static_cast<ssize_t>(sizeof report)) return report;
  return fail(ErrorKind::Unavailable, "the container ended before its command ran");
}

bool ContainerSession::send_order(const InitOrder& order, const Output& output) const {
  const std::array<int, 2> descriptors{output.out.get(), output.err.get()};
  const auto uid = static_cast<uid_t>(plan_.user_base + box_.user.uid);
  const auto gid = static_cast<gid_t>(plan_.user_base + box_.user.gid);
  for (const int descriptor : descriptors) {
    if (::fchown(descriptor, uid, gid) != 0) return false;
  }
  std::vector<int> all(descriptors.begin(), descriptors.end());
  if (output.door) all.push_back(output.door.get());
  return send_word(line_.get(), &order, sizeof order, all);
}

Result<Time> ContainerSession::run(const std::string& folder,
                                   const std::vector<std::string>& command,
                                   const std::vector<std::string>& env, const Output& output) {
  std::string text = folder.empty() ? plan_.working_directory : folder;
  text += '\0';
  for (const auto* words : {&command, &env}) {
    for (const std::string& word : *words) text.append(word).push_back('\0');
  }
  InitOrder order;
  order.arguments = static_cast<std::uint32_t>(command.size());
  order.variables = static_cast<std::uint32_t>(env.size());
  order.bytes = static_cast<std::uint32_t>(text.size());
  if (text.size() > kInitBytesMax || !send_order(order, output) ||
      !send_all(line_, text.data(), text.size())) {
    return fail(ErrorKind::Unavailable, "the container ended before its command ran");
  }
  const auto word = wait_for_word();
  if (!word) return tl::unexpected(word.error());
  if (word->word == InitWord::Started) return Time{word->at_ns};
  if (word->word == InitWord::NoFolder) {
    return fail(ErrorKind::Unavailable, "cannot enter the working directory '{}' in the image: {}",
                folder.empty() ? plan_.working_directory : folder, error_text(word->value));
  }
  return fail(kind_of_exec_error(word->value), "cannot run '{}' in the image: {}", command.front(),
              word->value == ENOENT ? "there is no such program" : error_text(word->value));
}

ArtifactSource ContainerSession::files(const std::string& folder) const {
  const std::string mounts = fmt::format("/proc/{}/ns/mnt", init_);
  return {.folder = folder.empty() ? plan_.working_directory : folder,
          .mounts = Fd(::open(mounts.c_str(), O_RDONLY | O_CLOEXEC)),
          .user = static_cast<uid_t>(plan_.user_base + box_.user.uid),
          .group = static_cast<gid_t>(plan_.user_base + box_.user.gid)};
}

int ContainerSession::status_of_command(int status) const {
  InitReport report;
  while (::recv(line_.get(), &report, sizeof report, MSG_DONTWAIT) ==
         static_cast<ssize_t>(sizeof report)) {
    if (report.word == InitWord::Ended) return report.value;
  }
  return status;
}

bool ContainerSession::root_is_full() const {
  struct statvfs space {};
  if (!plan_.writable_root || ::statvfs((box_.folder + "/rw").c_str(), &space) != 0) return false;
  return space.f_bavail == 0;
}

void ContainerSession::clean_up() const {
  if (plan_.is_crun || runtime_ == 0) return;
  std::vector<std::string> command = runtime_command("delete");
  command.insert(command.end(), {"--force", kName});
  auto seed = RuntimeSeed::plant({});
  if (!seed) return;
  static_cast<void>(write_all(seed->orders, encode("", command)));
  seed->orders.reset();
  ::waitpid(seed->pid, nullptr, 0);
}

}  // namespace gyre::process
