#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "act/image_store.h"
#include "adapter/oci/held_images.h"
#include "adapter/oci/layer_cache.h"
#include "adapter/oci/manifest.h"

namespace gyre::oci {

struct StoreOptions {
  std::string folder;                       // made if missing; used by one store at a time
  std::uint64_t bytes_max = 100ULL << 30U;  // of unpacked layers, before old ones go
  UnpackLimits limits;
};

/// Images as the OCI image specification 1.0 has them: a layout in a folder, the same as a tar
/// archive, or a registry's. Every document and blob is checked against the digest that names it. A
/// registry is asked again for what a tag means after a minute; where it does not answer, the tag
/// means what it did. Where a job brings a login of its own the registry is asked for the manifest
/// each time, and nothing that it says is kept but layers, which are that repository's then.
class OciImageStore final : public act::ImageStore {
 public:
  /// `registry` may be null: then only paths can be used. It outlives the store.
  OciImageStore(StoreOptions options, act::Registry* registry);
  ~OciImageStore() override;
  OciImageStore(const OciImageStore&) = delete;
  OciImageStore& operator=(const OciImageStore&) = delete;

  Result<act::PreparedImage> prepare(const act::ImagePull& pull,
                                     const std::function<bool()>& cancelled) override;
  std::vector<HeldImage> held() const override { return held_.list(); }
  std::uint64_t held_version() const override { return held_.version(); }

  std::uint64_t bytes() const { return layers_.bytes(); }

 private:
  /// Which digest a registry's tag had, and when that was asked. Thread-safe.
  class TagCache;
  class Source;
  class LayoutSource;
  class RegistrySource;

  Result<std::unique_ptr<Source>> open(const act::ImagePull& pull,
                                       const std::function<bool()>& cancelled);
  Result<act::PreparedImage> prepare_from(Source& source, const ImageRef& image,
                                          const std::function<bool()>& cancelled);
  Result<std::string> open_archive(const std::string& path, const std::function<bool()>& cancelled);

  const StoreOptions options_;
  act::Registry* const registry_;
  LayerCache layers_;
  HeldImages held_;
  std::unique_ptr<TagCache> tags_;
  std::mutex archives_mutex_;
};

}  // namespace gyre::oci
