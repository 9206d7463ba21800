#include "adapter/process/file_logs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "adapter/process/files.h"
#include "adapter/process/folder.h"
#include "adapter/process/log_limiter.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRoomMin = 65'536;  // bytes; with less a write may fail

tl::unexpected<Error> no_log(const act::LogQuery& query) {
  return fail(ErrorKind::NotFound,
              "job {} has no log of task {}: it has not started, or its log is no longer kept",
              query.job.value, query.rank);
}

/// Whether what is written to files of that folder is lost: its disk is full, or may only be read.
bool has_no_room(const Fd& folder) {
  struct statvfs disk {};
  if (::fstatvfs(folder.get(), &disk) != 0) return false;
  const bool reads_only = (disk.f_flag & ST_RDONLY) != 0;
  return reads_only || std::uint64_t{disk.f_bavail} * disk.f_frsize < kRoomMin;
}

/// What is there from the query's offset on, around what has been cut out. Requires: the offset is
/// within the log's size.
Result<void> read_around(const Fd& file, const LogCut& cut, const act::LogQuery& query,
                         act::LogChunk& chunk) {
  const bool is_cut = query.offset >= cut.begin && query.offset < cut.end;
  const std::uint64_t begin = is_cut ? std::min(cut.end, chunk.size) : query.offset;
  const std::uint64_t end = begin < cut.begin ? std::min(cut.begin, chunk.size) : chunk.size;
  chunk.dropped = begin - query.offset;
  chunk.next_offset = begin;
  chunk.data.resize(std::min<std::uint64_t>(query.bytes_max, end - begin));
  if (chunk.data.empty()) return {};
  const ssize_t n =
      ::pread(file.get(), chunk.data.data(), chunk.data.size(), static_cast<off_t>(begin));
  if (n < 0) return os_error("cannot read a task's log");
  chunk.data.resize(static_cast<std::size_t>(n));
  chunk.next_offset += static_cast<std::uint64_t>(n);
  return {};
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
  // Before the size: nothing is written after a task's end.
  chunk.over = exists(*folder, kExitFile);
  chunk.stuck = has_no_room(*folder);
  const bool standard = query.stream == act::LogStream::Stdout;
  const Fd file(
      ::openat(folder->get(), standard ? kStdoutFile : kStderrFile, O_RDONLY | O_CLOEXEC));
  if (!file && errno != ENOENT) return os_error("cannot open a task's log");
  struct stat status {};
  if (file && ::fstat(file.get(), &status) != 0) return os_error("cannot look at a task's log");
  chunk.size = static_cast<std::uint64_t>(status.st_size);
  if (query.offset > chunk.size) {
    return fail(ErrorKind::Invalid, "the log of job {} has {} bytes; {} is beyond its end",
                query.job.value, chunk.size, query.offset);
  }
  const char* cut_file = standard ? kStdoutCutFile : kStderrCutFile;
  LogCut cut = read_cut(*folder, cut_file);
  for (LogCut before{1, 0}; before != cut;) {
    before = cut;
    if (auto done = read_around(file, cut, query, chunk); !done) {
      return tl::unexpected(done.error());
    }
    cut = read_cut(*folder, cut_file);  // what was cut out meanwhile may have been read as zeros
  }
  return chunk;
}

}  // namespace gyre::process
