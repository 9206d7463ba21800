#include "adapter/oci/image_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <system_error>

#include "adapter/oci/digest.h"

namespace gyre::oci {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kTagTrust{60};
constexpr std::size_t kIndexDepthMax = 4;

Result<std::string> read_document(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return fail(ErrorKind::NotFound, "there is no {}", path);
  if (size > kDocumentBytesMax) {
    return fail(ErrorKind::Invalid, "{} is larger than a document may be", path);
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return fail(ErrorKind::Internal, "cannot read {}", path);
  return text.str();
}

Result<std::string> checked(Result<std::string> document, const std::string& digest) {
  if (!document) return document;
  const std::string found = digest_of(*document);
  if (found == digest) return document;
  return fail(ErrorKind::Invalid, "a document should be {} and is {}: it was damaged or replaced",
              digest, found);
}

std::string blob_path(const std::string& layout, const std::string& digest) {
  return layout + "/blobs/sha256/" + digest.substr(digest.find(':') + 1);
}

}  // namespace

class OciImageStore::TagCache {
 public:
  struct Known {
    std::string digest;
    std::chrono::steady_clock::time_point asked_at;
    bool is_fresh() const { return std::chrono::steady_clock::now() - asked_at < kTagTrust; }
  };
  std::optional<Known> find(const ImageRef& image) const {
    const std::lock_guard guard(mutex_);
    const auto known = known_.find(to_string(image));
    return known == known_.end() ? std::nullopt : std::optional(known->second);
  }
  void put(const ImageRef& image, std::string digest) {
    const std::lock_guard guard(mutex_);
    known_[to_string(image)] = {std::move(digest), std::chrono::steady_clock::now()};
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Known> known_;
};

/// Where one image's documents and blobs come from.
class OciImageStore::Source {
 public:
  virtual ~Source() = default;
  /// The manifest or index that the image's name leads to.
  virtual Result<std::string> top() = 0;
  /// A manifest or index by its digest, checked.
  virtual Result<std::string> document(const std::string& digest) = 0;
  /// An image's configuration, checked; registries keep it among the blobs.
  virtual Result<std::string> config(const std::string& digest) { return document(digest); }
  /// Writes a layer's blob into a file; unchecked.
  virtual Result<void> blob(const std::string& digest, const std::string& file) = 0;
  /// As of a layer.
  virtual std::string origin() const { return {}; }
  /// What the image's name led to; empty: to nothing that has a digest of its own.
  virtual std::string digest_of_top() const { return {}; }
};

class OciImageStore::LayoutSource final : public Source {
 public:
  explicit LayoutSource(std::string folder) : folder_(std::move(folder)) {}

  Result<std::string> top() override {
    if (::access((folder_ + "/oci-layout").c_str(), F_OK) != 0) {
      return fail(ErrorKind::NotFound,
                  "there is no OCI layout (no file oci-layout); 'skopeo copy' or 'podman save "
                  "--format oci-archive' make one");
    }
    return read_document(folder_ + "/index.json");
  }
  Result<std::string> document(const std::string& digest) override {
    return checked(read_document(blob_path(folder_, digest)), digest);
  }
  Result<void> blob(const std::string& digest, const std::string& file) override {
    std::error_code error;
    fs::copy_file(blob_path(folder_, digest), file, fs::copy_options::overwrite_existing, error);
    if (!error) return {};
    return fail(ErrorKind::NotFound, "its layer {} is missing: {}", digest, error.message());
  }

 private:
  const std::string folder_;
};

class OciImageStore::RegistrySource final : public Source {
 public:
  RegistrySource(act::Registry& registry, TagCache& tags, const act::ImagePull& pull,
                 std::string documents, const std::function<bool()>& cancelled)
      : registry_(registry),
        tags_(tags),
        pull_(pull),
        image_(pull.image),
        documents_(std::move(documents)),
        cancelled_(cancelled) {}

  Result<std::string> top() override {
    auto text = find_top();
    if (text) top_ = digest_of(*text);
    return text;
  }

  Result<std::string> document(const std::string& digest) override {
    return keep(digest, [&] {
      act::ImagePull pinned = pull_;
      pinned.image.digest = digest;
      return registry_.manifest(pinned, kDocumentBytesMax, cancelled_);
    });
  }

  Result<std::string> config(const std::string& digest) override {
    return keep(digest, [&]() -> Result<std::string> {
      std::string text;
      auto fetched = registry_.blob(pull_, digest, [&](std::string_view bytes) {
        text += bytes;
        return text.size() <= kDocumentBytesMax && !cancelled_();
      });
      if (!fetched) return tl::unexpected(fetched.error());
      return text;
    });
  }

  Result<void> blob(const std::string& digest, const std::string& file) override {
    std::ofstream out(file, std::ios::binary);
    auto fetched = registry_.blob(pull_, digest, [&](std::string_view bytes) {
      out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
      return out.good() && !cancelled_();
    });
    if (!fetched) return fetched;
    out.close();
    if (out.good()) return {};
    return fail(ErrorKind::Internal, "cannot write {}: is the disk full?", file);
  }

  std::string origin() const override {
    return pull_.logins ? image_.registry + "/" + image_.repository : std::string();
  }
  std::string digest_of_top() const override { return top_; }

 private:
  Result<std::string> find_top() {
    if (!image_.digest.empty()) return document(image_.digest);
    if (pull_.logins) return registry_.manifest(pull_, kDocumentBytesMax, cancelled_);
    const auto known = tags_.find(image_);
    if (known && known->is_fresh()) return document(known->digest);
    auto text = registry_.manifest(pull_, kDocumentBytesMax, cancelled_);
    if (!text && known && text.error().kind == ErrorKind::Unavailable) {
      return document(known->digest);
    }
    if (!text) return text;
    const std::string digest = digest_of(*text);
    std::ofstream(path_of(digest), std::ios::binary) << *text;
    tags_.put(image_, digest);
    return text;
  }

  /// What was kept under that digest, else what `fetch` brings, kept from now on. What a job's own
  /// login opens is neither: the registry says each time whether it does.
  template <class Fetch>
  Result<std::string> keep(const std::string& digest, Fetch fetch) {
    if (pull_.logins) return checked(fetch(), digest);
    if (auto kept = checked(read_document(path_of(digest)), digest)) return kept;
    auto found = checked(fetch(), digest);
    if (found) std::ofstream(path_of(digest), std::ios::binary) << *found;
    return found;
  }

  std::string path_of(const std::string& digest) const {
    return documents_ + "/" + digest.substr(digest.find(':') + 1);
  }

  act::Registry& registry_;
  TagCache& tags_;
  const act::ImagePull& pull_;
  const ImageRef& image_;
  const std::string documents_;
  const std::function<bool()>& cancelled_;
  std::string top_;
};

OciImageStore::OciImageStore(StoreOptions options, act::Registry* registry)
    : options_(std::move(options)),
      registry_(registry),
      layers_(options_.folder + "/layers", options_.bytes_max, options_.limits),
      held_(options_.folder + "/held.json"),
      tags_(std::make_unique<TagCache>()) {
  std::error_code error;
  for (const char* name : {"/documents", "/archives"}) {
    fs::create_directories(options_.folder + name, error);
  }
}

OciImageStore::~OciImageStore() = default;

Result<act::PreparedImage> OciImageStore::prepare(const act::ImagePull& pull,
                                                  const std::function<bool()>& cancelled) {
  auto source = open(pull, cancelled);
  if (!source) return tl::unexpected(source.error());
  auto prepared = prepare_from(**source, pull.image, cancelled);
  if (!prepared) return prepared;
  if (layers_.evict(prepared->layers)) held_.layers_went();
  const std::string top = (*source)->digest_of_top();
  held_.used({to_string(pull.image), top.empty() ? prepared->digest : top}, prepared->layers);
  return prepared;
}

Result<std::unique_ptr<OciImageStore::Source>> OciImageStore::open(
    const act::ImagePull& pull, const std::function<bool()>& cancelled) {
  const ImageRef& image = pull.image;
  if (image.path.empty()) {
    if (registry_ == nullptr) {
      return fail(ErrorKind::Unsupported, "this build cannot fetch from registries (no libcurl)");
    }
    return std::make_unique<RegistrySource>(*registry_, *tags_, pull,
                                            options_.folder + "/documents", cancelled);
  }
  std::error_code error;
  if (fs::is_directory(image.path, error)) return std::make_unique<LayoutSource>(image.path);
  if (!fs::is_regular_file(image.path, error)) {
    return fail(ErrorKind::NotFound, "there is no such folder or file on this node");
  }
  auto folder = open_archive(image.path, cancelled);
  if (!folder) return tl::unexpected(folder.error());
  return std::make_unique<LayoutSource>(std::move(*folder));
}

/// The archive's layout, unpacked once for each of its contents (as its size and time tell them).
Result<std::string> OciImageStore::open_archive(const std::string& path,
                                                const std::function<bool()>& cancelled) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fail(ErrorKind::NotFound, "it is gone");
  const std::string name =
      digest_of(fmt::format("{} {} {} {} {}", path, status.st_ino, status.st_size,
                            status.st_mtim.tv_sec, status.st_mtim.tv_nsec))
          .substr(7);
  const std::string folder = options_.folder + "/archives/" + name;
  const std::lock_guard guard(archives_mutex_);
  std::error_code error;
  if (fs::exists(folder, error)) return folder;
  const std::string draft = folder + ".tmp";
  fs::remove_all(draft, error);
  fs::create_directories(draft, error);
  if (auto done = unpack_archive(path, draft, options_.limits, cancelled); !done) {
    fs::remove_all(draft, error);
    return tl::unexpected(done.error());
  }
  fs::rename(draft, folder, error);
  if (error) return fail(ErrorKind::Internal, "cannot make {}: {}", folder, error.message());
  return folder;
}

Result<act::PreparedImage> OciImageStore::prepare_from(Source& source, const ImageRef& image,
                                                       const std::function<bool()>& cancelled) {
  auto text = source.top();
  if (!text) return tl::unexpected(text.error());
  act::PreparedImage prepared;
  prepared.digest = digest_of(*text);
  // An index may list indexes; the pinned digest may be any of them.
  std::string wanted = image.digest == prepared.digest ? "" : image.digest;
  for (std::size_t depth = 0; is_index(*text); ++depth) {
    if (depth == kIndexDepthMax)
      return fail(ErrorKind::Invalid, "its index lists indexes for ever");
    const auto chosen = pick_manifest(*text, wanted);
    if (!chosen) return tl::unexpected(chosen.error());
    text = source.document(chosen->digest);
    if (!text) return tl::unexpected(text.error());
    prepared.digest = chosen->digest;
    if (prepared.digest == wanted) wanted.clear();
  }
  if (!wanted.empty()) {
    return fail(ErrorKind::Invalid, "it is {}, and {} was asked for", prepared.digest, wanted);
  }
  const auto manifest = read_manifest(*text);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto config_text = source.config(manifest->config.digest);
  if (!config_text) return tl::unexpected(config_text.error());
  auto config = read_config(*config_text);
  if (!config) return tl::unexpected(config.error());
  if (config->layers != manifest->layers.size()) {
    return fail(ErrorKind::Invalid, "its manifest has {} layers, and its configuration {}",
                manifest->layers.size(), config->layers);
  }
  for (const Descriptor& layer : manifest->layers) {
    auto folder = layers_.get(
        layer.digest, source.origin(),
        [&](const std::string& file) { return source.blob(layer.digest, file); }, cancelled);
    if (!folder) return tl::unexpected(folder.error());
    prepared.layers.push_back(std::move(*folder));
  }
  prepared.command = std::move(config->command);
  prepared.env = std::move(config->env);
  prepared.working_directory = std::move(config->working_directory);
  prepared.user = std::move(config->user);
  return prepared;
}

}  // namespace gyre::oci
