#include "adapter/process/file_logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "adapter/process/files.h"
#include "adapter/process/folder.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> no_log(const act::LogQuery& query) {
  return fail(ErrorKind::NotFound,
              "job {} has no log of task {}: it has not started, or its log is no longer kept",
              query.job.value, query.rank);
}

}  // namespace

Result<act::TaskKey> FileLogs::find(const act::LogQuery& query) const {
  if (query.attempt) return act::TaskKey{query.job, *query.attempt, query.rank};
  std::optional<act::TaskKey> latest;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    const auto key = act::parse_task_key(entry.path().filename().string());
    if (!key || key->job != query.job || key->rank != query.rank) continue;
    if (!latest || *latest < *key) latest = *key;
  }
  if (!latest) return no_log(query);
  return *latest;
}

std::vector<act::TaskKey> FileLogs::kept() const {
  std::vector<act::TaskKey> keys;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    if (const auto key = act::parse_task_key(entry.path().filename().string())) {
      keys.push_back(*key);
    }
  }
  return keys;
}

Result<act::LogChunk> FileLogs::read(const act::LogQuery& query) const {
  const auto key = find(query);
  if (!key) return tl::unexpected(key.error());
  const auto folder = open_folder(folder_ + "/" + act::to_string(*key));
  if (!folder) return no_log(query);
  act::LogChunk chunk;
  chunk.attempt = key->attempt;
  chunk.next_offset = query.offset;
  // Before the size: nothing is written after a task's end.
  chunk.over = exists(*folder, kExitFile);
  const char* name = query.stream == act::LogStream::Stdout ? kStdoutFile : kStderrFile;
  const Fd file(::openat(folder->get(), name, O_RDONLY | O_CLOEXEC));
  if (!file && errno != ENOENT) return os_error("cannot open a task's log");
  struct stat status {};
  if (file && ::fstat(file.get(), &status) != 0) return os_error("cannot look at a task's log");
  chunk.size = static_cast<std::uint64_t>(status.st_size);
  if (query.offset > chunk.size) {
    return fail(ErrorKind::Invalid, "the log of job {} has {} bytes; {} is beyond its end",
                query.job.value, chunk.size, query.offset);
  }
  chunk.data.resize(std::min<std::uint64_t>(query.bytes_max, chunk.size - query.offset));
  if (chunk.data.empty()) return chunk;
  const ssize_t n =
      ::pread(file.get(), chunk.data.data(), chunk.data.size(), static_cast<off_t>(query.offset));
  if (n < 0) return os_error("cannot read a task's log");
  chunk.data.resize(static_cast<std::size_t>(n));
  chunk.next_offset += static_cast<std::uint64_t>(n);
  return chunk;
}

}  // namespace gyre::process
