#pragma once

// What the tests of this adapter share; not part of the program.

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapter/sqlite/database.h"
#include "adapter/sqlite/journal.h"
#include "base/assert.h"
#include "control/random_history.h"
#include "live/store_suite.h"

namespace gyre::adapter::sqlite {

using control::RandomHistory;
using control::Record;
using live::last_event;

/// A journal in a folder of its own.
class JournalFolder {
 protected:
  JournalFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gyre-journal-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = folder_ + "/journal.db";
  }
  ~JournalFolder() { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SqliteJournal> open(Sync sync = Sync::Off) {
    auto journal = SqliteJournal::open({path_, sync});
    GYRE_ASSERT(journal);
    return std::move(*journal);
  }

  std::vector<Record> read_all() {
    auto reader = SqliteJournalReader::open(path_);
    GYRE_ASSERT(reader);
    return live::all_records(**reader);
  }

  void sql(const std::string& text) {
    constexpr int kBusyTimeoutMs = 5000;
    auto database = Database::open(path_, Database::Mode::ReadWrite, kBusyTimeoutMs);
    GYRE_ASSERT(database);
    GYRE_ASSERT(database->execute(text));
  }

  /// Runs `work` in a process of its own and returns what waitpid says of it.
  static int in_child(const std::function<void()>& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  std::string folder_;
  std::string path_;
};

}  // namespace gyre::adapter::sqlite
