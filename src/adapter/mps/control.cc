#include "adapter/mps/control.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

extern char** environ;

namespace gyre::mps {
namespace {

constexpr int kPatienceMs = 10'000;
constexpr int kStepMs = 5;
constexpr std::string_view kPidFile = "nvidia-cuda-mps-control.pid";
constexpr std::string_view kLongestSocket = "/control_privileged";

/// The caller's environment with what the daemon must know instead.
std::vector<std::string> environment(const std::string& folder, const std::string& device) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!text.starts_with("CUDA_MPS_") && !text.starts_with("CUDA_VISIBLE_DEVICES=")) {
      out.emplace_back(text);
    }
  }
  out.push_back("CUDA_MPS_PIPE_DIRECTORY=" + folder);
  out.push_back("CUDA_MPS_LOG_DIRECTORY=" + folder);
  if (!device.empty()) out.push_back("CUDA_VISIBLE_DEVICES=" + device);
  return out;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

/// Waits for a child; its wait status, or -1 when it was killed for taking too long.
int wait_for(pid_t pid) {
  const int watched = watch_process(pid);
  pollfd end{watched, POLLIN, 0};
  if (watched >= 0 && poll(&end, 1, kPatienceMs) == 0) kill(pid, SIGKILL);
  const bool late = watched >= 0 && end.revents == 0;
  if (watched >= 0) close(watched);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return late ? -1 : status;
}

/// Runs the program with `input` as its standard input and its words in folder/start.log.
Result<void> run(std::vector<std::string> command, std::vector<std::string> env,
                 const std::string& folder, const std::string& input) {
  const std::string words = folder + "/start.log";
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) {
    return fail(ErrorKind::Internal, "no pipe: {}", std::strerror(errno));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[0], STDIN_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, words.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
  auto argv = pointers(command);
  auto envp = pointers(env);
  pid_t pid = 0;
  const int code = posix_spawn(&pid, argv[0], &actions, &attributes, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  close(pipe[0]);
  if (code == 0 && !input.empty()) {
    static_cast<void>(!write(pipe[1], input.data(), input.size()));
  }
  close(pipe[1]);
  if (code != 0) return fail(ErrorKind::Internal, "{}: {}", command[0], std::strerror(code));
  const int status = wait_for(pid);
  if (status == 0) return {};
  std::string said;
  std::getline(std::ifstream(words), said);
  return fail(ErrorKind::Internal, "{} {}: {}", command[0],
              status == -1 ? "did not answer" : "failed", said.empty() ? "no word of why" : said);
}

}  // namespace

std::optional<std::string> find_control() {
  const char* path = std::getenv("PATH");
  std::string_view rest = path == nullptr ? "/usr/bin" : path;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(':'), rest.size());
    const std::string file = std::string(rest.substr(0, end)) + "/nvidia-cuda-mps-control";
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (end > 0 && access(file.c_str(), X_OK) == 0) return file;
  }
  return std::nullopt;
}

Result<Daemon> start_daemon(const std::string& control, const std::string& folder,
                            const std::string& device) {
  if (folder.size() + kLongestSocket.size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorKind::Internal,
                "the path {} is too long for the sockets of MPS: choose a shorter state folder",
                folder);
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorKind::Internal, "cannot make {}: {}", folder, error.message());
  chmod(folder.c_str(), 0700);
  if (auto done = run({control, "-d"}, environment(folder, device), folder, ""); !done) {
    return fail(ErrorKind::Internal, "MPS cannot be started for GPU {}: {}", device,
                done.error().message);
  }
  // The one that started it may be gone before it has written its number.
  for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += kStepMs) {
    if (const auto daemon = find_daemon(folder)) return *daemon;
    poll(nullptr, 0, kStepMs);
  }
  return fail(ErrorKind::Internal, "MPS cannot be started for GPU {}: its daemon ended at once",
              device);
}

std::optional<Daemon> find_daemon(const std::string& folder) {
  std::ifstream file(folder + "/" + std::string(kPidFile));
  pid_t pid = 0;
  if (!(file >> pid) || pid <= 0) return std::nullopt;
  // A number may be another process's by now: the daemon's command line tells it apart.
  std::string command;
  std::getline(std::ifstream("/proc/" + std::to_string(pid) + "/cmdline"), command, '\1');
  if (command.find("nvidia-cuda-mps-control") == std::string::npos) return std::nullopt;
  return Daemon{folder, pid};
}

void quit_daemon(const std::string& control, const Daemon& daemon) {
  const int watched = watch_process(daemon.pid);
  if (watched < 0) return;
  static_cast<void>(run({control}, environment(daemon.folder, ""), daemon.folder, "quit\n"));
  pollfd end{watched, POLLIN, 0};
  if (poll(&end, 1, kPatienceMs) == 0) kill(daemon.pid, SIGKILL);
  close(watched);
}

int watch_process(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

}  // namespace gyre::mps
