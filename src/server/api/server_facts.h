#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "live/gatekeeper.h"
#include "live/storage.h"

namespace gyre::server {

/// What a server knows of itself beside its core: where its journal is, who may come in, what runs
/// out. Never a secret.
struct ServerFacts {
  Time started_at;

  struct Journal {
    std::string store;  // "sqlite" or "postgresql"
    std::string place;  // its file, or the database's URL, which has no password
    std::string sync;   // "full", "normal", "off"
    std::string cluster_id;
    std::uint64_t term = 0;
    bool shared = false;                 // other servers may take over
    std::optional<std::uint64_t> bytes;  // of its files; none: not kept here
    std::optional<live::DiskRoom> disk;  // of the state folder
  };
  Journal journal;

  struct Backup {
    Time at;
    std::string file;
  };
  std::optional<Backup> last_backup;  // by `gyre backup create`; none: none is known

  struct Agents {
    std::string address;  // where they come in
    Duration lease;       // how long their tasks go on without a word
    live::Gatekeeper::Roster roster;
  };
  std::optional<Agents> agents;  // none: no other machine comes in

  struct Services {
    std::string url;
    std::optional<Time> certificate_expires_at;  // none: they speak plain HTTP
  };
  std::optional<Services> services;

  struct Logins {
    std::vector<std::string> hosts;  // registries, by name
    std::string problem;             // why they are not known; empty: they are
  };
  std::optional<Logins> logins;  // of this machine as a node; none: it is none
};

/// Where `gyre backup create` notes in the state folder what it has made.
inline constexpr const char* kBackupNote = "last-backup.json";

/// The note's text; and what it says, none where it is damaged.
std::string write_backup_note(const ServerFacts::Backup& backup);
std::optional<ServerFacts::Backup> read_backup_note(const std::string& text);

}  // namespace gyre::server
