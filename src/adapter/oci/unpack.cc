#include "adapter/oci/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

namespace gyre::oci {
namespace {

constexpr std::uint64_t kRatioFreeBytes = 256ULL << 20U;
constexpr std::size_t kBlockBytes = 262'144;
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";

/// A descriptor that is closed with its owner.
class Fd {
 public:
  explicit Fd(int number = -1) : number_(number) {}
  ~Fd() {
    if (number_ >= 0) ::close(number_);
  }
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  int get() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }

 private:
  int number_;
};

struct Reader {
  Reader() : handle(::archive_read_new()) {}
  ~Reader() { ::archive_read_free(handle); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  ::archive* handle;
};

/// A name within the folder, split into where and what.
struct Place {
  std::string parent;  // empty: the folder itself
  std::string name;    // empty: the folder itself is meant
};

class Unpacker {
 public:
  Unpacker(Fd top, const UnpackLimits& limits, bool is_layer)
      : top_(std::move(top)), limits_(limits), is_layer_(is_layer), is_root_(::geteuid() == 0) {}

  Result<void> run(::archive* archive, const std::function<bool()>& cancelled);

 private:
  Result<void> entry(::archive* archive, archive_entry* entry);
  Result<Place> place_of(archive_entry* entry) const;
  Result<Fd> open_parent(const std::string& parent);
  Result<void> whiteout(const Fd& parent, const std::string& name);
  Result<void> folder(const Fd& parent, const Place& place, archive_entry* entry);
  Result<void> file(::archive* archive, const Fd& parent, const Place& place, archive_entry* entry);
  Result<void> link(const Fd& parent, const Place& place, archive_entry* entry);
  Result<void> hard_link(const Fd& parent, const Place& place, const char* target);
  Result<void> copy(::archive* archive, const Fd& file, const std::string& name);
  Result<void> set_owner(const Fd& parent, const std::string& name, archive_entry* entry) const;

  Fd top_;
  const UnpackLimits limits_;
  const bool is_layer_;
  const bool is_root_;
  std::uint64_t bytes_ = 0;
  std::uint64_t entries_ = 0;
};

template <class... Args>
tl::unexpected<Error> refuse(std::string_view name, fmt::format_string<Args...> format,
                             Args&&... args) {
  std::string shown(name.substr(0, 200));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return fail(ErrorKind::Invalid, "'{}' {}", shown,
              fmt::format(format, std::forward<Args>(args)...));
}

tl::unexpected<Error> disk(std::string_view name) {
  const int number = errno;
  return fail(ErrorKind::Internal, "cannot write '{}': {}", name.substr(0, 200),
              std::generic_category().message(number));
}

int open_within(const Fd& top, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, top.get(), path.c_str(), &how, sizeof how));
}

Result<void> Unpacker::run(::archive* archive, const std::function<bool()>& cancelled) {
  for (;;) {
    archive_entry* next = nullptr;
    const int got = ::archive_read_next_header(archive, &next);
    if (got == ARCHIVE_EOF) return {};
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
      const char* why = ::archive_error_string(archive);
      return fail(ErrorKind::Invalid, "a layer is no tar archive: {}", why != nullptr ? why : "");
    }
    if (cancelled()) return fail(ErrorKind::Unavailable, "given up: the job was stopped");
    if (++entries_ > limits_.entries_max) {
      return fail(ErrorKind::Invalid, "a layer has more than {} entries", limits_.entries_max);
    }
    if (auto done = entry(archive, next); !done) return done;
  }
}

Result<Place> Unpacker::place_of(archive_entry* entry) const {
  const char* raw = ::archive_entry_pathname(entry);
  if (raw == nullptr) return fail(ErrorKind::Invalid, "a layer has an entry without a name");
  const std::string_view whole = raw;
  if (whole.size() > limits_.path_bytes_max) return refuse(whole, "is too long a name");
  if (whole.starts_with('/')) return refuse(whole, "is an absolute name");
  Place place;
  for (std::string_view rest = whole; !rest.empty();) {
    const std::size_t end = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (part.empty() || part == ".") continue;
    if (part == "..") return refuse(whole, "leads out of the image");
    if (!place.name.empty()) place.parent += (place.parent.empty() ? "" : "/") + place.name;
    place.name = part;
  }
  return place;
}

/// Opens it, and makes what of it is missing.
Result<Fd> Unpacker::open_parent(const std::string& parent) {
  const std::string path = parent.empty() ? "." : parent;
  Fd folder(open_within(top_, path, O_PATH | O_DIRECTORY));
  if (folder) return folder;
  if (errno != ENOENT) return refuse(parent, "is a folder to one entry, and none to another");
  const std::size_t slash = parent.rfind('/');
  const bool inner = slash != std::string::npos;
  auto above = open_parent(inner ? parent.substr(0, slash) : "");
  if (!above) return above;
  const std::string name = inner ? parent.substr(slash + 1) : parent;
  if (::mkdirat(above->get(), name.c_str(), 0755) != 0) {
    return errno == EEXIST ? refuse(parent, "is a link to nothing, and a folder to another entry")
                           : disk(parent);
  }
  Fd made(open_within(top_, path, O_PATH | O_DIRECTORY));
  if (!made) return disk(parent);
  return made;
}

Result<void> Unpacker::entry(::archive* archive, archive_entry* entry) {
  auto place = place_of(entry);
  if (!place) return tl::unexpected(place.error());
  if (place->name.empty()) return {};  // the root itself
  auto parent = open_parent(place->parent);
  if (!parent) return tl::unexpected(parent.error());
  if (is_layer_ && place->name.starts_with(kWhiteout)) return whiteout(*parent, place->name);
  if (const char* target = ::archive_entry_hardlink(entry); target != nullptr) {
    return hard_link(*parent, *place, target);
  }
  switch (::archive_entry_filetype(entry)) {
    case AE_IFDIR:
      return folder(*parent, *place, entry);
    case AE_IFREG:
      return file(archive, *parent, *place, entry);
    case AE_IFLNK:
      return link(*parent, *place, entry);
    case AE_IFIFO:
      if (::mkfifoat(parent->get(), place->name.c_str(), 0644) != 0) return disk(place->name);
      return set_owner(*parent, place->name, entry);
    default:
      return refuse(place->name, "is a device node or a socket, which no image may bring");
  }
}

/// OCI image layer specification, "Whiteouts", told as overlayfs wants it.
Result<void> Unpacker::whiteout(const Fd& parent, const std::string& name) {
  if (name == kOpaque) {
    const std::string path = fmt::format("/proc/self/fd/{}", parent.get());
    if (::setxattr(path.c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0) return {};
    return disk(name);
  }
  const std::string hidden = name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") return refuse(name, "hides nothing");
  ::unlinkat(parent.get(), hidden.c_str(), 0);
  if (::mknodat(parent.get(), hidden.c_str(), S_IFCHR, makedev(0, 0)) == 0) return {};
  return errno == EEXIST ? Result<void>{} : disk(name);
}

Result<void> Unpacker::folder(const Fd& parent, const Place& place, archive_entry* entry) {
  if (::mkdirat(parent.get(), place.name.c_str(), 0755) != 0) {
    struct stat status {};
    const bool known = errno == EEXIST && ::fstatat(parent.get(), place.name.c_str(), &status,
                                                    AT_SYMLINK_NOFOLLOW) == 0;
    if (!known) return disk(place.name);
    if (!S_ISDIR(status.st_mode)) {
      ::unlinkat(parent.get(), place.name.c_str(), 0);
      if (::mkdirat(parent.get(), place.name.c_str(), 0755) != 0) return disk(place.name);
    }
  }
  return set_owner(parent, place.name, entry);
}

Result<void> Unpacker::file(::archive* archive, const Fd& parent, const Place& place,
                            archive_entry* entry) {
  ::unlinkat(parent.get(), place.name.c_str(), 0);  // a later entry of a name goes before
  const Fd out(::openat(parent.get(), place.name.c_str(),
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) {
    return errno == EEXIST ? refuse(place.name, "is a folder to one entry, and a file to another")
                           : disk(place.name);
  }
  if (auto done = copy(archive, out, place.name); !done) return done;
  return set_owner(parent, place.name, entry);
}

Result<void> Unpacker::copy(::archive* archive, const Fd& out, const std::string& name) {
  off_t end = 0;
  for (;;) {
    const void* data = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    const int got = ::archive_read_data_block(archive, &data, &size, &offset);
    if (got == ARCHIVE_EOF) break;
    if (got != ARCHIVE_OK && got != ARCHIVE_WARN) {
      const char* why = ::archive_error_string(archive);
      return refuse(name, "is cut off or damaged: {}", why != nullptr ? why : "");
    }
    bytes_ += size;
    const auto packed = static_cast<std::uint64_t>(::archive_filter_bytes(archive, -1));
    if (bytes_ > limits_.bytes_max) {
      return refuse(name, "brings the layer beyond {} bytes", limits_.bytes_max);
    }
    if (bytes_ > kRatioFreeBytes && bytes_ / limits_.ratio_max > packed) {
      return refuse(name, "is packed more than {} to 1: the layer is a bomb", limits_.ratio_max);
    }
    if (::pwrite(out.get(), data, size, offset) != static_cast<ssize_t>(size)) return disk(name);
    end = offset + static_cast<off_t>(size);
  }
  return ::ftruncate(out.get(), end) == 0 ? Result<void>{} : disk(name);
}

/// A link is only written down here; what follows it does so within a container.
Result<void> Unpacker::link(const Fd& parent, const Place& place, archive_entry* entry) {
  const char* target = ::archive_entry_symlink(entry);
  if (target == nullptr || *target == '\0') return refuse(place.name, "is a link to nothing");
  ::unlinkat(parent.get(), place.name.c_str(), 0);
  if (::symlinkat(target, parent.get(), place.name.c_str()) != 0) return disk(place.name);
  return set_owner(parent, place.name, entry);
}

Result<void> Unpacker::hard_link(const Fd& parent, const Place& place, const char* target) {
  const std::string_view text = target;
  const std::string closed = "/" + std::string(text) + "/";
  if (text.empty() || text.starts_with('/') || closed.find("/../") != std::string::npos) {
    return refuse(place.name, "is a hard link that leads out of the image");
  }
  const Fd file(open_within(top_, std::string(text), O_PATH | O_NOFOLLOW));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0 ||
      !(S_ISREG(status.st_mode) || S_ISLNK(status.st_mode))) {
    return refuse(place.name, "is a hard link to what is no file of its layer");
  }
  ::unlinkat(parent.get(), place.name.c_str(), 0);
  const std::string path = fmt::format("/proc/self/fd/{}", file.get());
  const bool linked =
      ::linkat(file.get(), "", parent.get(), place.name.c_str(), AT_EMPTY_PATH) == 0 ||
      ::linkat(AT_FDCWD, path.c_str(), parent.get(), place.name.c_str(), AT_SYMLINK_FOLLOW) == 0;
  return linked ? Result<void>{} : disk(place.name);
}

Result<void> Unpacker::set_owner(const Fd& parent, const std::string& name,
                                 archive_entry* entry) const {
  const auto uid = static_cast<uid_t>(::archive_entry_uid(entry));
  const auto gid = static_cast<gid_t>(::archive_entry_gid(entry));
  if (is_root_ && ::fchownat(parent.get(), name.c_str(), uid, gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return disk(name);
  }
  if (::archive_entry_filetype(entry) == AE_IFLNK) return {};
  const auto mode = static_cast<mode_t>(::archive_entry_perm(entry));
  return ::fchmodat(parent.get(), name.c_str(), mode, 0) == 0 ? Result<void>{} : disk(name);
}

Result<void> unpack(const std::string& source, const std::string& folder,
                    const UnpackLimits& limits, bool is_layer,
                    const std::function<bool()>& cancelled) {
  Fd top(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return disk(folder);
  const Reader reader;
  ::archive_read_support_filter_gzip(reader.handle);
  ::archive_read_support_filter_zstd(reader.handle);
  ::archive_read_support_format_tar(reader.handle);
  if (::archive_read_open_filename(reader.handle, source.c_str(), kBlockBytes) != ARCHIVE_OK) {
    const char* why = ::archive_error_string(reader.handle);
    return fail(ErrorKind::Invalid, "a layer is no tar archive: {}", why != nullptr ? why : "");
  }
  return Unpacker(std::move(top), limits, is_layer).run(reader.handle, cancelled);
}

}  // namespace

Result<void> unpack_layer(const std::string& blob, const std::string& folder,
                          const UnpackLimits& limits, const std::function<bool()>& cancelled) {
  return unpack(blob, folder, limits, true, cancelled);
}

Result<void> unpack_archive(const std::string& archive, const std::string& folder,
                            const UnpackLimits& limits, const std::function<bool()>& cancelled) {
  return unpack(archive, folder, limits, false, cancelled);
}

}  // namespace gyre::oci
