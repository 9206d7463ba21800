#include "apps/node_executor.h"

#include "adapter/oci/image_store.h"
#include "adapter/registry/registry_client.h"

namespace gyre::apps {

Result<std::unique_ptr<NodeExecutor>> NodeExecutor::open(const NodeOptions& options) {
  auto node = std::make_unique<NodeExecutor>();
  registry::ClientOptions client;
  client.logins = options.logins;
  node->registry_ = std::make_unique<registry::RegistryClient>(std::move(client));
  oci::StoreOptions store{.folder = options.images, .limits = {}};
  store.bytes_max = static_cast<std::uint64_t>(options.image_cache.value) << 20U;
  node->images_ = std::make_unique<oci::OciImageStore>(std::move(store), node->registry_.get());
  process::ContainerOptions containers;
  containers.volumes = options.volumes;
  containers.devices = options.devices;
  containers.warm = options.warm;
  containers.secrets = options.secrets;
  containers.images = options.images;
  auto tasks = process::ProcessExecutor::open({.folder = options.tasks,
                                               .supervisor = {},
                                               .retention = {},
                                               .containers = std::move(containers),
                                               .images = node->images_.get(),
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
