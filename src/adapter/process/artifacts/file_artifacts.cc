#include "adapter/process/artifacts/file_artifacts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>

#include "adapter/process/artifacts/collect.h"
#include "adapter/process/files.h"
#include "domain/job_spec.h"

namespace gyre::process {
namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> nothing_kept(const act::ArtifactQuery& query) {
  return fail(ErrorKind::NotFound,
              "job {} has no artifacts of task {}: its spec names none, it has not ended, or they "
              "are no longer kept",
              query.job.value, query.rank);
}

tl::unexpected<Error> no_file(const act::ArtifactQuery& query) {
  return fail(ErrorKind::NotFound, "job {} has no artifact '{}'; its list has all", query.job.value,
              query.path);
}

}  // namespace

Result<act::TaskKey> FileArtifacts::find(const act::ArtifactQuery& query) const {
  const auto is_whole = [this](const act::TaskKey& key) {
    std::error_code error;
    return fs::exists(fmt::format("{}/{}/{}", folder_, act::to_string(key), kArtifactsList), error);
  };
  if (query.attempt) {
    const act::TaskKey key{query.job, *query.attempt, query.rank};
    if (!is_whole(key)) return nothing_kept(query);
    return key;
  }
  std::optional<act::TaskKey> latest;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    const auto key = act::parse_task_key(entry.path().filename().string());
    if (!key || key->job != query.job || key->rank != query.rank) continue;
    if (latest && *key < *latest) continue;
    if (is_whole(*key)) latest = *key;
  }
  if (!latest) return nothing_kept(query);
  return *latest;
}

Result<act::ArtifactList> FileArtifacts::list(const act::ArtifactQuery& query) const {
  const auto key = find(query);
  if (!key) return tl::unexpected(key.error());
  const auto folder = open_folder(folder_ + "/" + act::to_string(*key));
  if (!folder) return nothing_kept(query);
  auto list = read_artifact_list(*folder);
  if (!list) return tl::unexpected(list.error());
  if (!*list) return nothing_kept(query);
  (*list)->attempt = key->attempt;
  return std::move(**list);
}

Result<act::ArtifactPiece> FileArtifacts::read(const act::ArtifactQuery& query) const {
  const auto key = find(query);
  if (!key) return tl::unexpected(key.error());
  const auto folder =
      open_folder(fmt::format("{}/{}/{}", folder_, act::to_string(*key), kArtifactsFolder));
  if (!folder) return nothing_kept(query);
  const bool named = check_artifact(query.path, false).has_value();
  const Fd file = named ? open_below(*folder, query.path, O_RDONLY | O_NONBLOCK) : Fd();
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode)) return no_file(query);
  act::ArtifactPiece piece{key->attempt, {}, static_cast<std::uint64_t>(status.st_size)};
  if (query.offset > piece.size) {
    return fail(ErrorKind::Invalid, "the artifact '{}' has {} bytes; {} is beyond its end",
                query.path, piece.size, query.offset);
  }
  const std::size_t wanted = std::min(query.bytes_max, act::kArtifactPieceMax);
  piece.data.resize(std::min<std::uint64_t>(wanted, piece.size - query.offset));
  if (piece.data.empty()) return piece;
  const ssize_t n =
      ::pread(file.get(), piece.data.data(), piece.data.size(), static_cast<off_t>(query.offset));
  if (n < 0) return os_error("cannot read an artifact");
  piece.data.resize(static_cast<std::size_t>(n));
  return piece;
}

}  // namespace gyre::process
