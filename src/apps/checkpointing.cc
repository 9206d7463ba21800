#include "apps/checkpointing.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>

#include "adapter/process/shell_command.h"

namespace gyre::apps {
namespace {

using Level = cli::Finding::Level;

constexpr std::chrono::seconds kPatience{5};
constexpr Duration kLookPause = milliseconds(50);
constexpr int kLooksAfterKill = 40;
constexpr std::size_t kLineMax = 200;
constexpr int kDriverMin = 550;  // the first with CUDA checkpoint
constexpr std::string_view kNotUsed =
    "Gyre moves jobs by their own checkpoint signal and does not use it";

struct Ran {
  std::optional<int> code;  // of its exit; nullopt: it was ended, or a signal did
  std::string output;
};

Ran run(const std::string& command) {
  auto child = process::ShellCommand::start(command, {});
  if (!child) return {std::nullopt, child.error().message};
  const auto until = std::chrono::steady_clock::now() + kPatience;
  std::optional<int> status = child->look(Duration{0});
  while (!status && std::chrono::steady_clock::now() < until) status = child->look(kLookPause);
  if (!status) {
    child->kill();
    for (int looks = 0; looks < kLooksAfterKill && !child->look(kLookPause);) ++looks;
    return {std::nullopt, "it did not end in time, and was ended"};
  }
  if (!WIFEXITED(*status)) return {std::nullopt, fmt::format("signal {}", WTERMSIG(*status))};
  return {WEXITSTATUS(*status), child->output()};
}

/// The first line that says what is wrong, else the first that says anything. What helpers of CRIU
/// ended with is no reason.
std::string telling_line(std::string_view output) {
  std::string_view any;
  while (!output.empty()) {
    const std::size_t end = output.find('\n');
    const std::string_view line = output.substr(0, std::min(end, kLineMax));
    if (any.empty()) any = line;
    const bool wrong = line.starts_with("Error") || line.starts_with("error");
    if (wrong && line.find("exited, status=") == line.npos) return process::plain_text(line);
    output = end == output.npos ? std::string_view() : output.substr(end + 1);
  }
  return process::plain_text(any);
}

std::string criu_text() {
  const Ran asked = run("exec criu --version");
  if (asked.code == 127) return "not on PATH";
  std::string version = telling_line(asked.output);
  if (asked.code != 0) return fmt::format("it does not tell its version: {}", version);
  constexpr std::string_view kLabel = "Version: ";
  if (version.starts_with(kLabel)) version.erase(0, kLabel.size());
  if (version.empty()) version = "of no version that it tells";
  if (geteuid() != 0) return fmt::format("{}; whether it works here only root can ask", version);
  const Ran ran = run("exec criu check");
  const std::string said = telling_line(ran.output);
  if (ran.code == 0) return fmt::format("{}, and its check finds that it works here", version);
  if (!ran.code) return fmt::format("{}; its check failed: {}", version, said);
  return fmt::format("{}; its check failed with exit code {}: {}", version, *ran.code, said);
}

int release_of(std::string_view driver) {
  int release = 0;
  std::from_chars(driver.data(), driver.data() + driver.size(), release);
  return release;
}

std::string cuda_text(const Result<std::vector<act::Gpu>>& gpus) {
  std::vector<std::string> missing;
  const std::string driver = gpus && !gpus->empty() ? gpus->front().driver : "";
  if (driver.empty()) {
    missing.push_back(
        fmt::format("an NVIDIA driver of release {} or later (none is found)", kDriverMin));
  } else if (release_of(driver) < kDriverMin) {
    missing.push_back(fmt::format("an NVIDIA driver of release {} or later (this is {})",
                                  kDriverMin, process::plain_text(driver)));
  }
  if (run("command -v cuda-checkpoint").code != 0) missing.emplace_back("cuda-checkpoint on PATH");
  if (!missing.empty()) return fmt::format("missing: {}", fmt::join(missing, ", "));
  return fmt::format("driver {} and cuda-checkpoint are there", process::plain_text(driver));
}

}  // namespace

std::vector<cli::Finding> examine_checkpointing(const Result<std::vector<act::Gpu>>& gpus) {
  return {{Level::Ok, "criu", fmt::format("{}; {}", criu_text(), kNotUsed), ""},
          {Level::Ok, "CUDA checkpoint", fmt::format("{}; {}", cuda_text(gpus), kNotUsed), ""}};
}

}  // namespace gyre::apps
