#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/agent_door.h"
#include "apps/ending.h"
#include "cli/outcome.h"
#include "cli/state_folder.h"
#include "domain/event.h"
#include "live/store.h"
#include "server/api/standby.h"
#include "server/http/server.h"

namespace gyre::apps {

/// Why a build without libpq cannot do it.
inline constexpr const char* kNoPostgres =
    "this build has no PostgreSQL: install libpq-dev, and build again";

/// The place of one server among those that share a journal in PostgreSQL: it leads, or it is a
/// standby that answers so and waits until it does. A build without libpq has none.
class Leadership {
 public:
  struct Options {
    std::string journal;  // "postgresql://..."
    live::Sync sync = live::Sync::Full;
    Duration node_lease;         // that this server will grant
    std::function<void()> lost;  // another server leads; on any thread
  };

  /// Errors: usage, no such address; the state folder is of another journal or cluster; a build
  /// without libpq. `folder` outlives it.
  static cli::Outcome<std::unique_ptr<Leadership>> prepare(const cli::StateFolder& folder,
                                                           Options options);
  ~Leadership();

  /// Waits, answering at `address` (whose port 0 becomes the one that was found), until this server
  /// leads. Null: a signal has come first. Errors: the database is out of reach from the beginning,
  /// or holds what this server must not or cannot lead on.
  cli::Outcome<std::unique_ptr<live::Store>> await(const Ending& ending,
                                                   server::http::Address& address);

  // Of a server that leads.

  /// Puts what servers share into the folder, as those before this one left it.
  Result<void> fetch_files();
  AgentDoor::Share share();
  /// What the core is to be told first of how this server came to lead.
  std::vector<Event::Body> first_events() const;
  /// Leaves the address to others.
  void stop_answering();
  /// Any thread.
  bool leads() const;
  /// What is told whoever asks while it does not; none while it does. Any thread.
  std::optional<server::StandbyApi::View> standing() const;
  /// Another server leads: this one may become a standby.
  bool is_fenced() const;
  /// Ends the lead, so that a standby need not wait for its lease.
  void release();

  /// Opens the journal of a server to read it. Errors: as prepare(), the database's.
  static Result<std::unique_ptr<control::JournalReader>> open_reader(const std::string& journal);
  static bool is_address(const std::string& text);

 private:
  struct Impl;
  explicit Leadership(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Errors: the journal of the state folder is in a database, which the message names.
cli::Outcome<void> check_own_journal(const std::string& state_folder);

/// Before the journal in the state folder is opened, which makes one where there is none. Errors:
/// as above; the folder is of a cluster, and its journal is gone.
cli::Outcome<void> expect_own_journal(const cli::StateFolder& folder);

/// Whether the journal there, of that cluster, is the folder's: its tasks may run here and on every
/// node. Errors: the folder is of another.
Result<void> check_own_cluster(const cli::StateFolder& folder, const std::string& cluster);

/// From the first time on the folder is of that cluster, and of no other. Errors: the disk.
cli::Outcome<void> keep_own_cluster(const cli::StateFolder& folder, const std::string& cluster);

}  // namespace gyre::apps
