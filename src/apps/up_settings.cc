#include "apps/up_settings.h"

#include <fmt/format.h>

#include <utility>

#include "apps/gpus.h"
#include "apps/machine.h"
#include "apps/node_lease.h"
#include "cli/simulation.h"
#include "cli/state_folder.h"

namespace gyre::apps {

using cli::give_up;

namespace {

cli::Outcome<live::Sync> read_sync(const std::string& name) {
  const auto sync = live::sync_by_name(name);
  if (!sync) return give_up(cli::kUsage, "--fsync: {}", sync.error().message);
  return *sync;
}

/// The next port of the same address.
std::string services_beside(const server::http::Address& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  const int port = address.port == 0 || address.port == 65535 ? 0 : address.port + 1;
  return ipv6 ? fmt::format("[{}]:{}", address.host, port)
              : fmt::format("{}:{}", address.host, port);
}

cli::Outcome<std::vector<server::http::TlsFiles>> read_tls(const cli::UpOptions& options) {
  const auto& certificates = options.services_certificates;
  const auto& keys = options.services_keys;
  if (certificates.size() != keys.size()) {
    return give_up(cli::kUsage,
                   "--services-certificate, --services-key: certificates: {}, keys: {}; "
                   "give a key for each, in the same order",
                   certificates.size(), keys.size());
  }
  std::vector<server::http::TlsFiles> files;
  for (std::size_t i = 0; i < keys.size(); ++i) files.push_back({certificates[i], keys[i]});
  return files;
}

}  // namespace

cli::Outcome<UpSettings> read_up_settings(const cli::UpOptions& options) {
  UpSettings settings;
  const auto address = server::http::parse_address(options.listen);
  if (!address) return give_up(cli::kUsage, "--listen: {}", address.error().message);
  settings.address = *address;
  settings.services_wished = !options.services.empty();
  const auto services = server::http::parse_address(
      settings.services_wished ? options.services : services_beside(*address));
  if (!services) return give_up(cli::kUsage, "--services: {}", services.error().message);
  settings.services = *services;
  auto tls = read_tls(options);
  if (!tls) return tl::unexpected(tls.error());
  settings.services_tls = std::move(*tls);
  const auto sync = read_sync(options.fsync);
  if (!sync) return tl::unexpected(sync.error());
  settings.sync = *sync;
  settings.database = options.journal;
  const auto fleet = read_lease(options.node_lease);
  if (!fleet) return tl::unexpected(fleet.error());
  settings.fleet = *fleet;
  settings.agents = options.agents;
  settings.nodes = options.nodes;
  settings.chaos = options.chaos;
  settings.local_node = options.local_node && options.nodes == 0;
  settings.virtual_gpus = options.virtual_gpus;
  auto state = cli::state_folder_path(options.state);
  if (!state) return tl::unexpected(state.error());
  settings.state = std::move(*state);
  if (settings.local_node) {
    auto gpus = find_gpus(options.virtual_gpus, settings.state, say);
    if (!gpus) return tl::unexpected(gpus.error());
    settings.gpus = std::move(*gpus);
  }
  settings.terms = options.terms;
  if (!options.policy.empty()) {
    auto policy = cli::read_policy(options.policy);
    if (!policy) return tl::unexpected(policy.error());
    settings.policy = std::move(*policy);
  }
  settings.queues = options.queues;
  settings.prices = options.prices;
  settings.idle = options.idle;
  return settings;
}

}  // namespace gyre::apps
