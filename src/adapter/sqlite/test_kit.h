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

namespace gyre::adapter::sqlite {

using control::RandomHistory;
using control::Record;

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
    std::vector<Record> records;
    auto reader = SqliteJournalReader::open(path_);
    GYRE_ASSERT(reader);
    for (;;) {
      auto record = (*reader)->next();
      GYRE_ASSERT(record);
      if (!*record) return records;
      records.push_back(std::move(**record));
    }
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

inline void live(RandomHistory& life, control::Journal& journal, int commits, int events_each) {
  for (int i = 0; i < commits; ++i) {
    for (int j = 0; j < events_each; ++j) life.step(journal);
    GYRE_ASSERT(journal.commit());
  }
}

inline EventSeq last_event(const std::vector<Record>& records) {
  EventSeq last;
  for (const Record& record : records) {
    if (const auto* event = std::get_if<Event>(&record)) last = event->seq;
  }
  return last;
}

}  // namespace gyre::adapter::sqlite
