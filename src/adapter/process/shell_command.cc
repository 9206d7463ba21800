#include "adapter/process/shell_command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

extern char** environ;

namespace gyre::process {
namespace {

/// This process's environment with `more` in the place of what has their names. A join token is
/// for nobody else.
std::vector<std::string> environment_with(std::vector<std::string> more) {
  const auto name_of = [](std::string_view one) {
    return std::string(one.substr(0, one.find('=')));
  };
  std::set<std::string> left_out{"GYRE_JOIN_TOKEN"};
  for (const std::string& one : more) left_out.insert(name_of(one));
  for (char** one = environ; *one != nullptr; ++one) {
    if (!left_out.contains(name_of(*one))) more.emplace_back(*one);
  }
  return more;
}

}  // namespace

std::string plain_text(std::string_view text) {
  std::string plain(text);
  std::replace_if(
      plain.begin(), plain.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return plain;
}

Result<ShellCommand> ShellCommand::start(const std::string& command,
                                         const std::vector<std::string>& more_environment) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return os_error("making a pipe");
  ShellCommand started;
  started.out_ = Fd(ends[0]);
  const Fd in(ends[1]);
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, in.get(), 1);
  posix_spawn_file_actions_adddup2(&files, in.get(), 2);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  std::vector<std::string> environment = environment_with(more_environment);
  std::vector<char*> pointers;
  for (std::string& one : environment) pointers.push_back(one.data());
  pointers.push_back(nullptr);
  std::string shell = "sh";
  std::string flag = "-c";
  // Nobody may hear it any more when it says something: it goes on then.
  std::string text = "trap '' PIPE\n" + command;
  std::array<char*, 4> words{shell.data(), flag.data(), text.data(), nullptr};
  const int error =
      ::posix_spawn(&started.pid_, "/bin/sh", &files, &attributes, words.data(), pointers.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return fail(ErrorKind::Internal, "starting /bin/sh: {}", error_text(error));
  return started;
}

void ShellCommand::kill() const { ::kill(-pid_, SIGKILL); }

std::optional<int> ShellCommand::look(Duration pause) {
  pollfd wait{out_.get(), POLLIN, 0};
  if (out_) {
    ::poll(&wait, 1, static_cast<int>(pause.ns / 1'000'000));
  } else {
    ::poll(nullptr, 0, static_cast<int>(pause.ns / 1'000'000));
  }
  int status = 0;
  const bool over = ::waitpid(pid_, &status, WNOHANG) == pid_;
  read_output();
  return over ? std::optional(status) : std::nullopt;
}

void ShellCommand::read_output() {
  std::array<char, 4096> buffer{};
  for (int reads = 0; out_ && reads < 64; ++reads) {
    const ssize_t count = ::read(out_.get(), buffer.data(), buffer.size());
    if (count == 0) out_.reset();
    if (count <= 0) return;
    output_.append(buffer.data(), static_cast<std::size_t>(count));
    if (output_.size() > kOutputKept) output_.erase(0, output_.size() - kOutputKept);
  }
}

}  // namespace gyre::process
