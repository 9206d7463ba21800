#pragma once

#include <optional>
#include <string>

#include "apps/agent_door.h"
#include "base/result.h"
#include "live/storage.h"
#include "live/store.h"
#include "server/api/server_facts.h"

namespace gyre::apps {

/// What `gyre up` and `gyre server` know of themselves. References outlive the calls.
struct About {
  Time started_at;
  std::string state;     // folder
  std::string database;  // "postgresql://..."; empty: the journal is in the state folder
  live::Sync sync = live::Sync::Full;
  const live::StoreIdentity& identity;
  AgentDoor* door = nullptr;  // null: no agents come in
  std::string agents;         // where they do
  Duration lease;
  std::string services_url;                        // empty: none are served yet
  std::vector<std::string> services_certificates;  // files; empty: plain HTTP
  bool local_node = true;                          // this machine is a node itself
};

/// None where the folder's disk cannot be looked at.
std::optional<live::DiskRoom> disk_room(const std::string& folder);

/// Reads a few small files. Any thread. Errors: the fleet's authority.
Result<server::ServerFacts> facts_of(const About& about);

}  // namespace gyre::apps
