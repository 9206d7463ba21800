#include "adapter/oci/layer_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "act/image_store.h"
#include "adapter/oci/digest.h"

namespace gyre::oci {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSizeFile = ".bytes";
constexpr const char* kDraft = ".tmp";
constexpr const char* kOriginsFile = ".origins";  // of what a login opened: a line each
constexpr std::size_t kOriginsMax = 256;
constexpr std::uint64_t kBlobBytesMax = 1ULL << 40U;

std::uint64_t bytes_below(const std::string& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  const fs::recursive_directory_iterator end;
  for (fs::recursive_directory_iterator it(folder, error); !error && it != end;
       it.increment(error)) {
    struct stat status {};
    if (::lstat(it->path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
      bytes += static_cast<std::uint64_t>(status.st_size);
    }
  }
  return bytes;
}

std::uint64_t number_in(const std::string& file) {
  std::ifstream in(file);
  std::uint64_t number = 0;
  in >> number;
  return number;
}

struct Layer {
  std::string path;
  std::uint64_t bytes = 0;
  std::int64_t used_at = 0;
};

/// By the time of last use; a layer is used when its lock file is touched.
std::vector<Layer> layers_of(const std::string& folder) {
  std::vector<Layer> layers;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    const std::string lock = entry.path().string();
    if (!lock.ends_with(act::kLayerLock)) continue;
    struct stat status {};
    if (::stat(lock.c_str(), &status) != 0) continue;
    Layer layer;
    layer.path = lock.substr(0, lock.size() - std::string_view(act::kLayerLock).size());
    layer.bytes = number_in(layer.path + kSizeFile);
    layer.used_at = status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec;
    layers.push_back(std::move(layer));
  }
  std::sort(layers.begin(), layers.end(), [](const Layer& a, const Layer& b) {
    return a.used_at != b.used_at ? a.used_at < b.used_at : a.path < b.path;
  });
  return layers;
}

std::vector<std::string> origins_of(const std::string& path) {
  std::ifstream in(path + kOriginsFile);
  std::vector<std::string> origins;
  for (std::string line; std::getline(in, line);) origins.push_back(line);
  return origins;
}

/// Whether who has that origin has the layer by it.
bool is_open_to(const std::string& path, const std::string& origin) {
  if (::access((path + kOriginsFile).c_str(), F_OK) != 0) return true;
  const std::vector<std::string> origins = origins_of(path);
  return !origin.empty() && std::find(origins.begin(), origins.end(), origin) != origins.end();
}

/// Errors: the disk; then only those have the layer that had it before.
Result<void> open_to(const std::string& path, const std::string& origin) {
  std::error_code error;
  if (origin.empty()) {
    fs::remove(path + kOriginsFile, error);
    return {};
  }
  std::vector<std::string> origins = origins_of(path);
  origins.push_back(origin);
  if (origins.size() > kOriginsMax) origins.erase(origins.begin());
  const std::string draft = path + kOriginsFile + kDraft;
  std::ofstream out(draft);
  for (const std::string& one : origins) out << one << '\n';
  out.close();
  if (out) fs::rename(draft, path + kOriginsFile, error);
  if (out && !error) return {};
  return fail(ErrorKind::Internal, "cannot write {}: is the disk full?", path + kOriginsFile);
}

void remove_layer(const std::string& path) {
  std::error_code error;
  fs::remove(path + act::kLayerLock, error);  // first: what has no lock is no layer
  fs::remove(path + kSizeFile, error);
  fs::remove(path + kOriginsFile, error);
  fs::remove_all(path, error);
}

}  // namespace

LayerCache::LayerCache(std::string folder, std::uint64_t bytes_max, const UnpackLimits& limits)
    : folder_(std::move(folder)), bytes_max_(bytes_max), limits_(limits) {
  std::error_code error;
  fs::create_directories(folder_, error);
  ::chmod(folder_.c_str(), 0700);
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder_, error)) {
    const std::string name = entry.path().string();
    const bool whole = name.ends_with(act::kLayerLock) || name.ends_with(kSizeFile) ||
                       name.ends_with(kOriginsFile) || fs::exists(name + act::kLayerLock, error);
    if (!whole) stale.push_back(entry.path());
  }
  for (const fs::path& path : stale) fs::remove_all(path, error);
}

std::string LayerCache::path_of(const std::string& digest) const {
  return folder_ + "/" + digest.substr(digest.find(':') + 1);
}

bool LayerCache::has(const std::string& folder) {
  return ::access((folder + act::kLayerLock).c_str(), F_OK) == 0;
}

Result<std::string> LayerCache::get(const std::string& digest, const std::string& origin,
                                    const Fetch& fetch, const std::function<bool()>& cancelled) {
  const std::string path = path_of(digest);
  bool there = false;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !busy_.contains(digest); });
    // Touched, so that it counts as just used.
    there = ::utimensat(AT_FDCWD, (path + act::kLayerLock).c_str(), nullptr, 0) == 0;
    if (there && is_open_to(path, origin)) return path;
    busy_.insert(digest);
  }
  auto done = there ? prove(digest, origin, fetch) : fill(digest, origin, fetch, cancelled);
  {
    const std::lock_guard lock(mutex_);
    busy_.erase(digest);
  }
  changed_.notify_all();
  if (!done) return tl::unexpected(done.error());
  return path;
}

/// Fetches the layer's blob, and makes sure that it is that.
Result<void> LayerCache::bring(const std::string& digest, const std::string& blob,
                               const Fetch& fetch) {
  if (auto fetched = fetch(blob); !fetched) return fetched;
  const auto found = digest_of_file(blob, kBlobBytesMax);
  if (!found) return tl::unexpected(found.error());
  if (*found == digest) return {};
  return fail(ErrorKind::Invalid, "a layer should be {} and is {}: it was damaged or replaced",
              digest, *found);
}

/// The layer is there, but who asks must show that he has it, too.
Result<void> LayerCache::prove(const std::string& digest, const std::string& origin,
                               const Fetch& fetch) {
  const std::string path = path_of(digest);
  const std::string blob = path + ".blob" + kDraft;
  auto done = bring(digest, blob, fetch);
  std::error_code error;
  fs::remove(blob, error);
  if (done) done = open_to(path, origin);
  return done;
}

Result<void> LayerCache::fill(const std::string& digest, const std::string& origin,
                              const Fetch& fetch, const std::function<bool()>& cancelled) {
  const std::string path = path_of(digest);
  const std::string blob = path + ".blob" + kDraft;
  std::error_code error;
  fs::remove_all(path, error);  // half of it, of an earlier life
  fs::remove(path + kOriginsFile, error);
  const auto work = [&]() -> Result<void> {
    if (auto brought = bring(digest, blob, fetch); !brought) return brought;
    if (::mkdir(path.c_str(), 0755) != 0) {
      return fail(ErrorKind::Internal, "cannot make the folder {}", path);
    }
    return unpack_layer(blob, path, limits_, cancelled);
  };
  auto done = work();
  fs::remove(blob, error);
  if (done && !origin.empty()) done = open_to(path, origin);
  if (!done) {
    fs::remove_all(path, error);
    return done;
  }
  std::ofstream(path + kSizeFile) << bytes_below(path);
  std::ofstream lock(path + act::kLayerLock);
  if (!lock) return fail(ErrorKind::Internal, "cannot write in {}", folder_);
  return {};
}

bool LayerCache::evict(const std::vector<std::string>& kept) {
  const std::lock_guard guard(mutex_);
  std::vector<Layer> layers = layers_of(folder_);
  std::uint64_t bytes = 0;
  for (const Layer& layer : layers) bytes += layer.bytes;
  bool any = false;
  for (const Layer& layer : layers) {
    if (bytes <= bytes_max_) break;
    if (std::find(kept.begin(), kept.end(), layer.path) != kept.end()) continue;
    const bool awaited = std::any_of(busy_.begin(), busy_.end(), [&](const std::string& digest) {
      return path_of(digest) == layer.path;
    });
    if (awaited) continue;
    const int lock = ::open((layer.path + act::kLayerLock).c_str(), O_RDONLY | O_CLOEXEC);
    const bool unused = lock >= 0 && ::flock(lock, LOCK_EX | LOCK_NB) == 0;
    if (unused) {
      remove_layer(layer.path);
      bytes -= layer.bytes;
      any = true;
    }
    if (lock >= 0) ::close(lock);
  }
  return any;
}

std::uint64_t LayerCache::bytes() const {
  const std::lock_guard guard(mutex_);
  std::uint64_t bytes = 0;
  for (const Layer& layer : layers_of(folder_)) bytes += layer.bytes;
  return bytes;
}

}  // namespace gyre::oci
