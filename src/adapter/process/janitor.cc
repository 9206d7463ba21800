#include "adapter/process/janitor.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kBlockBytes = 512;  // of st_blocks, stat(2)

/// When a task ended, in nanoseconds; 0 if it cannot be told any more.
std::int64_t ended_at(const std::string& path) {
  struct stat status {};
  if (::stat((path + "/" + kExitFile).c_str(), &status) != 0) return 0;
  return status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
}

/// What the files of a folder take of the disk, a log's holes not counted; one that vanishes
/// meanwhile counts as nothing.
std::uint64_t bytes_of(const std::string& path) {
  std::uint64_t bytes = 0;
  std::error_code error;
  const fs::recursive_directory_iterator end;
  for (fs::recursive_directory_iterator it(path, error); !error && it != end; it.increment(error)) {
    struct stat status {};
    if (::lstat(it->path().c_str(), &status) != 0) continue;
    if (!S_ISREG(status.st_mode)) continue;
    bytes += static_cast<std::uint64_t>(
        std::min<std::int64_t>(status.st_size, status.st_blocks * kBlockBytes));
  }
  return bytes;
}

}  // namespace

Janitor::Janitor(std::string folder, const Retention& limits)
    : folder_(std::move(folder)), limits_(limits), thread_([this] { work(); }) {}

Janitor::~Janitor() {
  {
    const std::lock_guard guard(mutex_);
    quit_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Janitor::take(const act::TaskKey& key) {
  {
    const std::lock_guard guard(mutex_);
    taken_.push_back(key);
  }
  changed_.notify_all();
}

void Janitor::settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return taken_.empty() && !busy_; });
}

void Janitor::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return quit_ || !taken_.empty(); });
    if (quit_) return;
    const act::TaskKey key = taken_.front();
    taken_.pop_front();
    busy_ = true;
    lock.unlock();
    keep(key);
    prune();
    lock.lock();
    busy_ = false;
    changed_.notify_all();
  }
}

void Janitor::keep(const act::TaskKey& key) {
  const std::string path = path_of(key);
  const Kept kept{key, bytes_of(path)};
  bytes_ += kept.bytes;
  kept_.emplace(ended_at(path), kept);
}

void Janitor::prune() {
  while (!kept_.empty() && (kept_.size() > limits_.tasks_max || bytes_ > limits_.bytes_max)) {
    const Kept oldest = kept_.begin()->second;
    kept_.erase(kept_.begin());
    bytes_ -= oldest.bytes;
    std::error_code error;  // what cannot be removed now is found again at the next start
    fs::remove_all(path_of(oldest.key), error);
  }
}

std::string Janitor::path_of(const act::TaskKey& key) const {
  return folder_ + "/" + act::to_string(key);
}

}  // namespace gyre::process
