#include "adapter/process/artifacts/collect.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "adapter/process/artifacts/walk.h"
#include "adapter/process/folder.h"
#include "domain/job_spec.h"

namespace gyre::process {
namespace {

constexpr std::size_t kPieceBytes = 65'536;
constexpr std::size_t kListBytesMax = 4U << 20U;

/// Takes what the walk says, and keeps it.
class Keeper {
 public:
  Keeper(const Fd& folder, const Fd& line, const ArtifactLimits& limits)
      : folder_(folder), line_(line), limits_(limits), until_(monotonic_now() + limits.time_max) {}

  /// Errors: it broke off, or took too long.
  Result<void> keep_all() {
    for (;;) {
      ArtifactWord word;
      if (auto heard = take(&word, sizeof word); !heard) return heard;
      if (word.kind == ArtifactWord::Kind::Over) return {};
      if (auto kept = keep(word); !kept) return kept;
    }
  }

  act::ArtifactList list;

 private:
  Result<void> keep(const ArtifactWord& word) {
    if (word.path_bytes > kArtifactPathMax || word.why_bytes > kArtifactPathMax ||
        word.size > limits_.bytes_max) {
      return fail(ErrorKind::Internal, "what looks for them speaks out of turn");
    }
    std::string path(word.path_bytes, '\0');
    std::string why(word.why_bytes, '\0');
    if (auto heard = take(path.data(), path.size()); !heard) return heard;
    if (auto heard = take(why.data(), why.size()); !heard) return heard;
    if (word.kind == ArtifactWord::Kind::LeftOut) {
      leave_out(path, why);
      return {};
    }
    return keep_file(path, word.size);
  }

  /// A file that cannot be written is heard to its end all the same.
  Result<void> keep_file(const std::string& path, std::uint64_t size) {
    Fd file = check_artifact(path, false) ? make(path) : Fd();
    if (!file) leave_out(path, fmt::format("the node cannot keep it: {}", error_text(errno)));
    std::string piece;
    for (std::uint64_t left = size; left > 0; left -= piece.size()) {
      piece.resize(std::min<std::uint64_t>(left, kPieceBytes));
      if (auto heard = take(piece.data(), piece.size()); !heard) return heard;
      if (!file || write_all(file, piece)) continue;
      leave_out(path, fmt::format("the node cannot keep it: {}", error_text(errno)));
      file.reset();
      ::unlinkat(folder_.get(), path.c_str(), 0);
    }
    if (file) list.files.push_back({path, size});
    return {};
  }

  /// Nobody but this process writes there: no link can be on the way.
  Fd make(const std::string& path) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      ::mkdirat(folder_.get(), path.substr(0, slash).c_str(), 0700);
    }
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    return Fd(::openat(folder_.get(), path.c_str(), kFlags, 0600));
  }

  void leave_out(std::string path, std::string why) {
    if (list.left_out.size() == act::kArtifactsLeftOutMax) {
      list.left_out.push_back({"...", "and more"});
    }
    if (list.left_out.size() > act::kArtifactsLeftOutMax) return;
    const auto plain = [](std::string& text) {
      for (char& c : text) {
        if (c < ' ' || c > '~') c = '?';
      }
    };
    if (!check_artifact(path, true)) plain(path);
    plain(why);
    list.left_out.push_back({std::move(path), std::move(why)});
  }

  Result<void> take(void* to, std::size_t size) {
    auto* at = static_cast<char*>(to);
    while (size > 0) {
      const Duration left = until_ - monotonic_now();
      pollfd wait{line_.get(), POLLIN, 0};
      const int ready =
          ::poll(&wait, 1, static_cast<int>(std::max<std::int64_t>(left.ns, 0) / 1'000'000));
      if (ready < 0 && errno == EINTR) continue;
      if (ready == 0) {
        return fail(ErrorKind::Unavailable, "it took longer than {} s",
                    limits_.time_max.ns / seconds(1).ns);
      }
      const ssize_t n = ::read(line_.get(), at, size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return fail(ErrorKind::Internal, "the task's files cannot be reached any more");
      at += n;
      size -= static_cast<std::size_t>(n);
    }
    return {};
  }

  const Fd& folder_;
  const Fd& line_;
  const ArtifactLimits& limits_;
  const Time until_;
};

std::string encode(const act::ArtifactList& list) {
  Records records;
  for (const act::Artifact& file : list.files) {
    records.emplace_back("file", fmt::format("{} {}", file.size, file.path));
  }
  for (const act::LeftOut& one : list.left_out) {
    records.emplace_back("left_out", one.path);
    records.emplace_back("why", one.why);
  }
  return process::encode(records);
}

}  // namespace

Fd open_below(const Fd& folder, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
  return Fd(static_cast<int>(::syscall(SYS_openat2, folder.get(), path.c_str(), &how, sizeof how)));
}

Result<void> collect_artifacts(const Fd& to, const std::vector<std::string>& paths,
                               const ArtifactSource& source, const ArtifactLimits& limits) {
  std::array<int, 2> ends{};
  if (::mkdirat(to.get(), kArtifactsFolder, 0700) != 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return os_error("cannot keep the task's artifacts");
  }
  const Fd line(ends[0]);
  Fd theirs(ends[1]);
  const Fd folder(::openat(to.get(), kArtifactsFolder, O_PATH | O_DIRECTORY | O_CLOEXEC));
  const pid_t walker = folder ? ::fork() : -1;
  if (walker < 0) return os_error("cannot keep the task's artifacts");
  if (walker == 0) {
    walk_artifacts(paths, source, limits, theirs);
    ::_exit(0);
  }
  theirs.reset();
  Keeper keeper(folder, line, limits);
  const auto all = keeper.keep_all();
  ::kill(walker, SIGKILL);
  ::waitpid(walker, nullptr, 0);
  if (!all) keeper.list.left_out.push_back({"...", all.error().message});
  std::sort(keeper.list.files.begin(), keeper.list.files.end(),
            [](const act::Artifact& a, const act::Artifact& b) { return a.path < b.path; });
  // A list that outlives a power cut is one of whole files.
  if (!keeper.list.files.empty() && ::syncfs(to.get()) != 0)
    return os_error("cannot keep the task's artifacts");
  return replace_file(to, kArtifactsList, encode(keeper.list), Sync::Yes);
}

Result<std::optional<act::ArtifactList>> read_artifact_list(const Fd& folder) {
  const auto text = read_file(folder, kArtifactsList, kListBytesMax);
  if (!text) return tl::unexpected(text.error());
  if (!*text) return std::nullopt;
  const auto records = decode(**text);
  if (!records) return tl::unexpected(records.error());
  act::ArtifactList list;
  for (const auto& [name, value] : *records) {
    if (name == "left_out") list.left_out.push_back({value, ""});
    if (name == "why" && !list.left_out.empty()) list.left_out.back().why = value;
    if (name != "file") continue;
    const std::size_t space = value.find(' ');
    act::Artifact& file = list.files.emplace_back();
    std::from_chars(value.data(), value.data() + std::min(space, value.size()), file.size);
    if (space != std::string::npos) file.path = value.substr(space + 1);
  }
  return list;
}

}  // namespace gyre::process
