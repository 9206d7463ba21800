#pragma once

#include <optional>
#include <string>

#include "cli/http_client.h"
#include "cli/outcome.h"

namespace gyre::cli {

/// Where a server keeps its store: `flag`, else GYRE_STATE, else $XDG_STATE_HOME/gyre, else
/// ~/.local/state/gyre. Errors: usage, where none of them is set.
Outcome<std::string> state_folder_path(const std::string& flag);

/// Where the server is: `flag`, else GYRE_SERVER, else what server.json in the state folder says,
/// else http://127.0.0.1:8642.
Outcome<ServerAddress> find_server(const std::string& flag, const std::string& state_flag);

/// A state folder held by one server: mode 0700, locked against another.
class StateFolder {
 public:
  /// Makes the folder where it is missing. Errors: another server holds it; the disk; a folder that
  /// belongs to someone else.
  static Outcome<StateFolder> hold(const std::string& path);
  ~StateFolder();
  StateFolder(StateFolder&& other) noexcept;
  StateFolder& operator=(StateFolder&&) = delete;

  const std::string& path() const { return path_; }
  std::string journal_path() const { return path_ + "/journal.sqlite"; }
  std::string tasks_path() const { return path_ + "/tasks"; }

  /// Tells later commands where the server listens; removed when the folder is let go.
  Outcome<void> announce(const std::string& url) const;

 private:
  StateFolder(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;
};

/// What a state folder says of its journal: STATE/journal.json.
struct JournalPlace {
  std::string journal;  // the database, for a person, without a password; or kOwnJournal
  std::string cluster;  // empty: not known yet
  std::string server;   // the folder's own id; empty with a journal in the folder

  bool is_own() const { return journal == kOwnJournal; }
  static constexpr const char* kOwnJournal = "journal.sqlite";
};
/// None: nothing has been kept there yet. Errors: Invalid, the file is damaged; the disk.
Result<std::optional<JournalPlace>> read_journal_place(const std::string& folder);
Result<void> write_journal_place(const std::string& folder, const JournalPlace& place);

}  // namespace gyre::cli
