#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "act/local_node.h"
#include "base/quantity.h"
#include "cli/cli.h"
#include "cli/outcome.h"
#include "domain/healing.h"
#include "domain/idle.h"
#include "domain/policy.h"
#include "domain/price.h"
#include "domain/queue.h"
#include "live/fleet.h"
#include "live/store.h"
#include "server/http/server.h"
#include "server/http/tls.h"
#include "server/proxy/proxy.h"

namespace gyre::apps {

/// What a server was told on its command line, read and checked; with the GPUs of its own node.
struct UpSettings {
  server::http::Address address;
  server::http::Address services;
  bool services_wished = false;                      // where they are to be was said
  std::vector<server::http::TlsFiles> services_tls;  // empty: HTTP as it is
  std::string agents;                                // where agents come in; empty: nowhere
  live::FleetOptions fleet;
  int nodes = 0;           // in network namespaces of their own
  bool chaos = false;      // it and they may be broken on purpose
  bool local_node = true;  // this machine is a node itself
  std::string virtual_gpus;
  live::Sync sync = live::Sync::Full;
  std::string database;  // of the journal, a URL; empty: it is in the state folder
  act::GpuSet gpus;
  std::string state;
  cli::NodeTerms terms;
  std::optional<PolicySpec> policy;  // none: the store's, or the default in a new one
  std::vector<QueueSpec> queues;
  std::optional<PriceSet> prices;
  std::optional<IdleSpec> idle;
};

/// Errors: usage; or what looking for GPUs met.
cli::Outcome<UpSettings> read_up_settings(const cli::UpOptions& options);

}  // namespace gyre::apps
