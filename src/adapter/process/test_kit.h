#pragma once

// What the tests of this adapter share; not part of the program.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "adapter/process/files.h"
#include "adapter/process/process_executor.h"
#include "base/assert.h"

namespace gyre::process::test {

/// How long a test waits for what must come; only a failure takes that long.
inline constexpr std::chrono::seconds kPatience{60};

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "gyre-test-XXXXXX";
    GYRE_ASSERT(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

/// A named pipe: tasks write to it what the test waits for, or wait in it for what the test writes.
class NamedPipe {
 public:
  explicit NamedPipe(std::string path) : path_(std::move(path)) {
    GYRE_ASSERT(::mkfifo(path_.c_str(), 0600) == 0);
    // Open for both, so that neither side waits for the other and no end is ever seen.
    pipe_ = Fd(::open(path_.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC));
  }

  const std::string& path() const { return path_; }

  /// The next line that somebody writes; empty if none comes.
  std::string line() {
    for (;;) {
      const std::size_t end = buffer_.find('\n');
      if (end != std::string::npos) {
        const std::string first = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        return first;
      }
      pollfd wait{.fd = pipe_.get(), .events = POLLIN, .revents = 0};
      const auto patience = std::chrono::milliseconds(kPatience).count();
      if (::poll(&wait, 1, static_cast<int>(patience)) <= 0) return {};
      char chunk[512];
      const ssize_t n = ::read(pipe_.get(), chunk, sizeof chunk);
      if (n > 0) buffer_.append(chunk, static_cast<std::size_t>(n));
    }
  }

  void write(const std::string& text) {
    GYRE_ASSERT(::write(pipe_.get(), text.data(), text.size()) ==
                static_cast<ssize_t>(text.size()));
  }

 private:
  std::string path_;
  Fd pipe_;
  std::string buffer_;
};

/// Keeps what an executor tells, and lets a test wait for it.
class Recorder final : public act::TaskListener {
 public:
  void started(const act::TaskKey& key, const StartStages&) override {
    const std::lock_guard guard(mutex_);
    ++started_[key];
    changed_.notify_all();
  }
  void ended(const act::TaskKey& key, const TaskExit& exit) override {
    const std::lock_guard guard(mutex_);
    ended_[key].push_back(exit);
    changed_.notify_all();
  }

  bool wait_started(const act::TaskKey& key) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return started_.contains(key); });
  }
  /// What it ended as; Kind::Lost with the message "never told" if nothing comes.
  /// But for the time of its end, which is a clock's.
  TaskExit wait_ended(const act::TaskKey& key) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait_for(lock, kPatience, [&] { return ended_.contains(key); })) {
      return {TaskExit::Kind::Lost, 0, false, "never told"};
    }
    TaskExit exit = ended_[key].front();
    exit.ended_at = {};
    return exit;
  }
  int times_started(const act::TaskKey& key) {
    const std::lock_guard guard(mutex_);
    return started_.contains(key) ? started_[key] : 0;
  }
  std::size_t times_ended(const act::TaskKey& key) {
    const std::lock_guard guard(mutex_);
    return ended_.contains(key) ? ended_[key].size() : 0;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<act::TaskKey, int> started_;
  std::map<act::TaskKey, std::vector<TaskExit>> ended_;
};

/// Waits until the process is gone; a zombie counts as gone.
inline bool wait_gone(pid_t pid) {
  const Fd process(static_cast<int>(::syscall(434 /* pidfd_open */, pid, 0)));
  if (!process) return true;
  pollfd wait{.fd = process.get(), .events = POLLIN, .revents = 0};
  return ::poll(&wait, 1, static_cast<int>(std::chrono::milliseconds(kPatience).count())) > 0;
}

inline act::TaskStart shell_task(const act::TaskKey& key, const std::string& script) {
  act::TaskStart task;
  task.key = key;
  task.command = {"sh", "-c", script};
  return task;
}

}  // namespace gyre::process::test
