#include "adapter/process/artifacts/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <utility>

#include "domain/job_spec.h"

namespace gyre::process {
namespace {

constexpr std::size_t kPieceBytes = 65'536;
constexpr std::size_t kEntriesMax = 100'000;  // of one folder

/// False where the task's rights cannot be had.
bool become_the_task(const ArtifactSource& source) {
  if (!source.mounts) return true;
  return ::setns(source.mounts.get(), CLONE_NEWNS) == 0 && ::setgroups(0, nullptr) == 0 &&
         ::setresgid(source.group, source.group, source.group) == 0 &&
         ::setresuid(source.user, source.user, source.user) == 0;
}

/// Names of a folder's entries in order; all but itself and its parent.
std::vector<std::string> names_in(const Fd& folder) {
  std::vector<std::string> names;
  DIR* entries = ::fdopendir(::dup(folder.get()));
  if (entries == nullptr) return names;
  while (const dirent* entry = ::readdir(entries)) {
    const std::string name = entry->d_name;
    if (name != "." && name != ".." && names.size() < kEntriesMax) names.push_back(name);
  }
  ::closedir(entries);
  std::sort(names.begin(), names.end());
  return names;
}

bool is_of_the_kernel(const Fd& folder) {
  struct statfs disk {};
  constexpr std::array<long, 4> kKinds{PROC_SUPER_MAGIC, SYSFS_MAGIC, CGROUP_SUPER_MAGIC,
                                       CGROUP2_SUPER_MAGIC};
  if (::fstatfs(folder.get(), &disk) != 0) return true;
  return std::find(kKinds.begin(), kKinds.end(), static_cast<long>(disk.f_type)) != kKinds.end();
}

class Walk {
 public:
  Walk(const ArtifactLimits& limits, const Fd& line) : limits_(limits), line_(line) {}

  /// `path` as the job names it; below `root`, under the same name.
  void take(const Fd& root, std::string path) {
    while (path.size() > 1 && path.ends_with('/')) path.pop_back();
    while (path.starts_with("./")) path.erase(0, 2);
    if (path == ".") return take_folder(root, path, "", 0);
    const Fd found = open_below(root, path, O_PATH | O_NOFOLLOW);
    if (!found && errno == ELOOP) return leave_out(path, "a symbolic link is on the way to it");
    if (!found)
      return leave_out(path, errno == ENOENT ? "there was no such file" : error_text(errno));
    take_found(root, path, path, 0);
  }

  void over() { say({ArtifactWord::Kind::Over, 0, 0, 0}, "", ""); }

 private:
  /// `name`: below `parent`; `path`: as it is kept.
  void take_found(const Fd& parent, const std::string& name, const std::string& path,
                  std::size_t depth) {
    const Fd entry = open_below(parent, name, O_PATH | O_NOFOLLOW);
    struct stat status {};
    if (!entry || ::fstat(entry.get(), &status) != 0) return leave_out(path, error_text(errno));
    if (!check_artifact(path, false))
      return leave_out(path, "its name is no plain text, or too long");
    if (S_ISREG(status.st_mode)) return take_file(parent, name, path);
    if (S_ISDIR(status.st_mode)) return take_folder(parent, name, path, depth);
    leave_out(path, S_ISLNK(status.st_mode) ? "it is a symbolic link"
                                            : "it is no file: a device, a socket or a pipe");
  }

  void take_folder(const Fd& parent, const std::string& name, const std::string& path,
                   std::size_t depth) {
    const Fd folder = open_below(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!folder) return leave_out(path, error_text(errno));
    if (is_of_the_kernel(folder)) return leave_out(path, "it is the kernel's");
    if (depth == limits_.depth_max) return leave_out(path, "it lies too deep");
    for (const std::string& entry : names_in(folder)) {
      if (files_ > limits_.files_max) return;
      take_found(folder, entry, path.empty() ? entry : path + "/" + entry, depth + 1);
    }
  }

  void take_file(const Fd& parent, const std::string& name, const std::string& path) {
    // Not to wait for what has been put in its place meanwhile.
    const Fd file = open_below(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    struct stat status {};
    if (!file || ::fstat(file.get(), &status) != 0) return leave_out(path, error_text(errno));
    if (!S_ISREG(status.st_mode)) return leave_out(path, "it is no file");
    const auto [seen, is_new] = seen_.try_emplace(path, status.st_dev, status.st_ino);
    if (!is_new) {
      if (seen->second == std::pair(status.st_dev, status.st_ino)) return;
      return leave_out(path, "another file is kept under that name");
    }
    if (files_ >= limits_.files_max) {
      ++files_;
      return leave_out(
          path, fmt::format("{} files are kept already, which is the most", limits_.files_max));
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size > limits_.bytes_max - bytes_) {
      return leave_out(path, fmt::format("with its {} bytes there would be more than {} MiB", size,
                                         limits_.bytes_max >> 20U));
    }
    ++files_;
    bytes_ += size;
    say({ArtifactWord::Kind::File, 0, 0, size}, path, "");
    send_content(file, size);
  }

  /// Exactly `size` bytes: zeros for what a shared folder's file has lost meanwhile.
  void send_content(const Fd& file, std::uint64_t size) {
    std::string piece;
    while (size > 0) {
      piece.assign(std::min<std::uint64_t>(size, kPieceBytes), '\0');
      const ssize_t n = ::read(file.get(), piece.data(), piece.size());
      if (n > 0) piece.resize(static_cast<std::size_t>(n));
      put(piece);
      size -= piece.size();
    }
  }

  void leave_out(const std::string& path, const std::string& why) {
    say({ArtifactWord::Kind::LeftOut, 0, 0, 0}, path, why);
  }

  void say(ArtifactWord word, const std::string& path, const std::string& why) {
    const std::string shown = path.substr(0, kArtifactPathMax);
    word.path_bytes = static_cast<std::uint32_t>(shown.size());
    word.why_bytes = static_cast<std::uint32_t>(why.size());
    put({reinterpret_cast<const char*>(&word), sizeof word});
    put(shown);
    put(why);
  }

  void put(std::string_view bytes) {
    if (!write_all(line_, bytes)) ::_exit(1);
  }

  const ArtifactLimits& limits_;
  const Fd& line_;
  std::size_t files_ = 0;
  std::uint64_t bytes_ = 0;
  std::map<std::string, std::pair<dev_t, ino_t>> seen_;  // by what they are kept as
};

}  // namespace

void walk_artifacts(const std::vector<std::string>& paths, const ArtifactSource& source,
                    const ArtifactLimits& limits, const Fd& line) {
  if (!become_the_task(source)) ::_exit(1);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // giving up rights took it away
  Walk walk(limits, line);
  const std::string folder = source.folder.empty() ? "/" : source.folder;
  const Fd below(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const std::string& path : paths) {
    const bool absolute = path.starts_with('/');
    walk.take(absolute ? root : below, path.substr(absolute ? 1 : 0));
  }
  walk.over();
}

}  // namespace gyre::process
