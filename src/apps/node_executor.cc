#include "apps/node_executor.h"

#include <utility>

#include "adapter/oci/image_store.h"
#include "adapter/registry/registry_client.h"

namespace gyre::apps {
namespace {

class WatchedImages final : public act::ImageStore {
 public:
  WatchedImages(act::ImageStore& images, std::function<void(bool)> came)
      : images_(images), came_(std::move(came)) {}

  Result<act::PreparedImage> prepare(const act::ImagePull& pull,
                                     const std::function<bool()>& cancelled) override {
    auto prepared = images_.prepare(pull, cancelled);
    const bool given_up = !prepared && cancelled && cancelled();
    if (came_ && !given_up) came_(prepared.has_value());
    return prepared;
  }
  std::vector<HeldImage> held() const override { return images_.held(); }
  std::uint64_t held_version() const override { return images_.held_version(); }

 private:
  act::ImageStore& images_;
  const std::function<void(bool)> came_;
};

}  // namespace

Result<std::unique_ptr<NodeExecutor>> NodeExecutor::open(const NodeOptions& options) {
  auto node = std::make_unique<NodeExecutor>();
  registry::ClientOptions client;
  client.logins = options.logins;
  node->registry_ = std::make_unique<registry::RegistryClient>(std::move(client));
  oci::StoreOptions store{.folder = options.images, .limits = {}};
  store.bytes_max = static_cast<std::uint64_t>(options.image_cache.value) << 20U;
  node->images_ = std::make_unique<oci::OciImageStore>(std::move(store), node->registry_.get());
  node->watched_images_ = std::make_unique<WatchedImages>(*node->images_, options.image_came);
  process::ContainerOptions containers;
  containers.volumes = options.volumes;
  containers.devices = options.devices;
  containers.warm = options.warm;
  containers.secrets = options.secrets;
  containers.images = options.images;
  if (!options.cdi.empty()) containers.cdi_folders.push_back(options.cdi);
  auto tasks = process::ProcessExecutor::open({.folder = options.tasks,
                                               .supervisor = {},
                                               .retention = {},
                                               .containers = std::move(containers),
                                               .images = node->watched_images_.get(),
                                               .lease = options.lease,
                                               .log_max = options.log_max});
  if (!tasks) return tl::unexpected(tasks.error());
  node->tasks_ = std::move(*tasks);
  return node;
}

std::vector<std::string> NodeExecutor::lines() const {
  std::vector<std::string> lines = tasks_->enforcement().lines;
  const auto& more = tasks_->containers().lines();
  lines.insert(lines.end(), more.begin(), more.end());
  return lines;
}

}  // namespace gyre::apps
