// Damage of every kind, at random places: a journal that is opened again is then at some moment of
// its past, and says what it lacks, or is refused with one clear error.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>

#include "adapter/sqlite/disk_faults.h"
#include "adapter/sqlite/journal.h"
#include "adapter/sqlite/test_kit.h"
#include "adapter/sqlite/wal.h"
#include "base/rng.h"
#include "control/replay.h"

namespace gyre::adapter::sqlite {
namespace {

/// GYRE_DAMAGE_ROUNDS: for a longer search.
std::uint64_t rounds(std::uint64_t usual) {
  const char* wish = std::getenv("GYRE_DAMAGE_ROUNDS");
  return wish == nullptr ? usual : std::strtoull(wish, nullptr, 10);
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

struct Files {
  std::string database;
  std::string log;
};

class DamageTest : public ::testing::Test, protected JournalFolder {
 protected:
  static constexpr int kEventsPerCommit = 5;

  /// Lives on for so many commits, and remembers every state on the way.
  void live_on(RandomHistory& life, SqliteJournal& journal, int commits) {
    if (states_.empty()) states_.push_back(life.core().state());
    for (int i = 0; i < commits; ++i) {
      for (int j = 0; j < kEventsPerCommit; ++j) {
        life.step(journal);
        states_.push_back(life.core().state());
      }
      ASSERT_TRUE(journal.commit());
    }
  }

  /// A closed journal with snapshots in it, and events after them.
  Files closed_journal() {
    RandomHistory life(7);
    const auto journal = open();
    for (int i = 0; i < 3; ++i) {
      live_on(life, *journal, 8);
      EXPECT_TRUE(journal->save(life.core().state()));
    }
    live_on(life, *journal, 8);
    return {};
  }

  /// Written by a server that was killed: all of it is in the log, some of it in the database too.
  Files killed_journal() {
    RandomHistory life(7);
    const auto journal = open();
    live_on(life, *journal, 10);
    sql("PRAGMA wal_checkpoint(PASSIVE)");
    live_on(life, *journal, 10);
    return {read_file(path_), read_file(path_ + "-wal")};
  }

  /// Of a journal whose last command is damaged: all its records, when they were whole.
  std::vector<Record> damage_last_command() {
    RandomHistory life(7);
    live_on(life, *open(), 20);
    std::vector<Record> whole = read_all();
    while (std::holds_alternative<Event>(whole.back())) whole.pop_back();
    sql(
        fmt::format("DELETE FROM records WHERE position > {0};"
                    "UPDATE records SET checksum = 0 WHERE position = {0}",
                    whole.size()));
    return whole;
  }

  /// Opened as a server does, and closed again.
  Result<live::Recovered> recover_once() {
    auto journal = SqliteJournal::open({path_, Sync::Off});
    if (!journal) return tl::unexpected(journal.error());
    return (*journal)->recover({});
  }

  void put_back(const Files& files) {
    for (const auto& file : std::filesystem::directory_iterator(folder_)) {
      std::filesystem::remove(file);
    }
    write_file(path_, files.database);
    if (!files.log.empty()) write_file(path_ + "-wal", files.log);
  }

  /// Opens it as a server does. The last event it knows; none where it was refused.
  std::optional<std::uint64_t> start(Sync sync = Sync::Full) {
    repairs_.clear();
    auto journal = SqliteJournal::open({path_, sync});
    if (!journal) return refused(journal.error());
    auto recovered = (*journal)->recover({});
    if (!recovered) return refused(recovered.error());
    const std::uint64_t last = recovered->core.last_event().value;
    if (last >= states_.size() || recovered->core.state() != states_[last]) {
      ADD_FAILURE() << "it differs from what was recorded, after event " << last;
    }
    repairs_ = recovered->repairs;
    goes_on(**journal, std::move(recovered->core));
    return last;
  }

  std::optional<std::uint64_t> refused(const Error& error) {
    EXPECT_FALSE(error.message.empty());
    EXPECT_EQ(error.message.find('\n'), std::string::npos) << error.message;
    message_ = error.message;
    return std::nullopt;
  }

  /// What is written from now on is there at the next start.
  void goes_on(SqliteJournal& journal, control::Controller core) {
    RandomHistory next(11, std::move(core));
    for (int i = 0; i < 20; ++i) next.step(journal);
    const auto committed = journal.commit();
    if (!committed) return;  // SQLite found out while it wrote
    const auto again = journal.recover({});
    if (!again) return;
    EXPECT_EQ(again->core.state(), next.core().state());
  }

  std::vector<ControllerState> states_;  // by the last event
  std::vector<std::string> repairs_;
  std::string message_;
};

TEST_F(DamageTest, FlippedBitsInTheFile) {
  closed_journal();
  const Files whole{read_file(path_), ""};
  Rng rng(1);
  std::array<int, 2> came_out{};
  for (std::uint64_t round = 0; round < rounds(400); ++round) {
    Files files = whole;
    const std::uint64_t flips = 1 + rng.below(3);
    for (std::uint64_t i = 0; i < flips; ++i) {
      char& byte = files.database[rng.below(files.database.size())];
      byte = static_cast<char>(byte ^ (1U << rng.below(8)));
    }
    put_back(files);
    SCOPED_TRACE(round);
    ++came_out[start(Sync::Off) ? 1 : 0];
    if (HasFailure()) return;
  }
  EXPECT_GT(came_out[0], 0);
  EXPECT_GT(came_out[1], 0);
}

TEST_F(DamageTest, FilesCutShortAndPagesLost) {
  closed_journal();
  const Files whole{read_file(path_), ""};
  Rng rng(2);
  constexpr std::size_t kPage = 4096;
  for (std::uint64_t round = 0; round < rounds(200); ++round) {
    Files files = whole;
    const std::size_t pages = files.database.size() / kPage;
    if (round % 2 == 0) {
      files.database.resize(rng.below(files.database.size()));
    } else {
      const std::size_t at = rng.below(pages) * kPage;
      files.database.replace(at, kPage, kPage, static_cast<char>(rng.below(2) == 0 ? 0 : 0xff));
    }
    put_back(files);
    SCOPED_TRACE(round);
    start(Sync::Off);
    if (HasFailure()) return;
  }
}

TEST_F(DamageTest, TheLogCutAtEachFrame) {
  const Files whole = killed_journal();
  constexpr std::size_t kHead = 32;
  constexpr std::size_t kFrame = 24 + 4096;
  std::uint64_t last = 0;
  for (std::size_t size = 0; size <= whole.log.size(); size += size == 0 ? kHead : kFrame / 2) {
    put_back({whole.database, whole.log.substr(0, size)});
    SCOPED_TRACE(size);
    const auto known = start(Sync::Off);
    if (known) {
      EXPECT_EQ(*known % kEventsPerCommit, 0U) << "half of a commit";
      EXPECT_GE(*known, last) << "more of the log, and less of the journal";
      last = *known;
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(last, states_.size() - 1);
}

TEST_F(DamageTest, FlippedBitsInTheLogAreFoundWhateverFollows) {
  const Files whole = killed_journal();
  const std::uint64_t all = states_.size() - 1;
  Rng rng(3);
  for (std::uint64_t round = 0; round < rounds(400); ++round) {
    Files files = whole;
    char& byte = files.log[rng.below(files.log.size())];
    byte = static_cast<char>(byte ^ (1U << rng.below(8)));
    put_back(files);
    SCOPED_TRACE(round);
    const auto known = start();
    // SQLite alone would pass over what is behind the damage, without a word.
    if (known && *known < all) {
      // Where the damage is in the mark of a commit's end, two of them look like one.
      EXPECT_GE(*known + 2 * kEventsPerCommit, all);
      EXPECT_FALSE(repairs_.empty());
    }
    if (HasFailure()) return;
  }
}

TEST_F(DamageTest, WhereCommitsDoNotWaitForTheDiskTheLogIsCutAtItsFirstDamage) {
  const Files whole = killed_journal();
  Files files = whole;
  constexpr int kDamaged = 12;  // frame, which is not the first commit's
  char& byte = files.log[32 + (24 + 4096) * kDamaged + 2000];
  byte = static_cast<char>(~byte);
  put_back(files);
  EXPECT_FALSE(start(Sync::Full));
  constexpr std::string_view kBehind = "damaged behind frame ";
  const std::size_t at = message_.find(kBehind);
  ASSERT_NE(at, std::string::npos) << message_;
  const int last_whole = std::stoi(message_.substr(at + kBehind.size()));  // that ends a commit
  EXPECT_GE(last_whole, 1);
  EXPECT_LE(last_whole, kDamaged);
  put_back(files);
  const auto known = start(Sync::Off);
  ASSERT_TRUE(known);
  EXPECT_LT(*known, states_.size() - 1);
  ASSERT_EQ(repairs_.size(), 1U);
  const std::string kept = path_ + "-wal.cut-" + std::to_string(last_whole + 1);
  EXPECT_NE(repairs_[0].find(kept), std::string::npos) << repairs_[0];
  EXPECT_TRUE(read_file(kept) == files.log);
}

TEST_F(DamageTest, ATornEndIsCutOffKeptAndSaid) {
  RandomHistory life(7);
  live_on(life, *open(), 20);
  const std::vector<Record> before = read_all();
  const auto first_cut = static_cast<std::int64_t>(before.size()) - 3;
  sql(fmt::format("UPDATE records SET body = substr(body, 1, 9) WHERE position >= {}", first_cut));
  const auto known = start();
  ASSERT_TRUE(known) << message_;
  ASSERT_EQ(repairs_.size(), 1U);
  const std::string kept = fmt::format("{}.cut-{}.sql", path_, first_cut);
  EXPECT_NE(repairs_[0].find(kept), std::string::npos) << repairs_[0];
  const std::string statements = read_file(kept);
  EXPECT_EQ(std::count(statements.begin(), statements.end(), '\n'), 4);
  // What was whole is there as it was; of its last event the commands too.
  std::vector<Record> now = read_all();
  ASSERT_GE(now.size(), before.size() - 4);
  for (std::size_t i = 0; i < before.size() - 4; ++i) EXPECT_EQ(now[i], before[i]);
  auto reader = SqliteJournalReader::open(path_).value();
  control::Controller core{control::Config{}};
  EXPECT_TRUE(control::replay(*reader, core).value().matches());
}

TEST_F(DamageTest, CommandsThatWereCutOffAreDecidedAgain) {
  const std::vector<Record> before = damage_last_command();
  auto journal = open();
  const auto recovered = journal->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->repairs.size(), 1U);
  EXPECT_EQ(read_all(), before);
  EXPECT_GT(journal->identity().first_job.value, recovered->core.jobs().last().value + 10'000);
  const JobId first = journal->identity().first_job;
  journal.reset();
  EXPECT_EQ(open()->identity().first_job, first);
}

TEST_F(DamageTest, AfterAStopOrAFaultAtAnyWriteATornEndIsMendedAtTheNextStart) {
  const std::vector<Record> before = damage_last_command();
  const Files damaged{read_file(path_), ""};
  int writes = 0;
  {
    const DiskFaults counted([](int) { return 0; });
    ASSERT_TRUE(recover_once());
    writes = counted.writes();
  }
  ASSERT_GT(writes, 10);
  for (int round = 0; round < 2 * writes; ++round) {
    put_back(damaged);
    SCOPED_TRACE(round);
    const int fault = round / 2;
    if (round % 2 == 0) {
      const int status = in_child([&] {
        const DiskFaults stop([fault](int write) {
          if (write == fault) ::_exit(9);
          return 0;
        });
        static_cast<void>(recover_once());
      });
      ASSERT_EQ(WEXITSTATUS(status), 9);
    } else {
      const DiskFaults broken([fault](int write) { return write == fault ? EIO : 0; });
      static_cast<void>(recover_once());
    }
    const auto recovered = recover_once();
    ASSERT_TRUE(recovered) << recovered.error().message;
    EXPECT_EQ(read_all(), before);
    EXPECT_GT(open()->identity().first_job.value, recovered->core.jobs().last().value + 10'000);
    if (HasFailure()) return;
  }
}

TEST_F(DamageTest, WhatIsCutOffIsKeptWholeOrNothingIsCut) {
  const std::vector<Record> before = damage_last_command();
  const std::string damaged = read_file(path_);
  const std::string kept = fmt::format("{}.cut-{}.sql", path_, before.size());
  std::filesystem::create_directory(kept + ".tmp");
  const auto refused = recover_once();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("cannot write '" + kept), std::string::npos)
      << refused.error().message;
  EXPECT_FALSE(std::filesystem::exists(kept));
  EXPECT_TRUE(read_file(path_) == damaged);
  std::filesystem::remove(kept + ".tmp");
  write_file(kept, "of another time");
  EXPECT_EQ(recover_once().error().kind, ErrorKind::Conflict);
  EXPECT_EQ(read_file(kept), "of another time");
  std::filesystem::remove(kept);
  write_file(kept + ".tmp", "of a start that was stopped, and a longer one at that");
  ASSERT_TRUE(recover_once());
  EXPECT_FALSE(std::filesystem::exists(kept + ".tmp"));
  struct stat info {};
  ASSERT_EQ(::stat(kept.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  // Its statements put back what was there.
  sql(fmt::format("DELETE FROM records WHERE position = {}", before.size()));
  sql(read_file(kept));
  std::filesystem::remove(kept);
  ASSERT_TRUE(recover_once());
  EXPECT_EQ(read_all(), before);
}

TEST_F(DamageTest, DamageBeforeWholeRecordsIsRefusedWithTheWayOut) {
  RandomHistory life(7);
  live_on(life, *open(), 20);
  const auto size = std::filesystem::file_size(path_);
  sql("UPDATE records SET checksum = 0 WHERE position = 40");
  EXPECT_FALSE(start());
  EXPECT_NE(message_.find("record 40 has a wrong checksum"), std::string::npos) << message_;
  EXPECT_NE(message_.find("whole records follow"), std::string::npos) << message_;
  EXPECT_NE(message_.find("gyre backup restore " + path_ + " --upto "), std::string::npos)
      << message_;
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  EXPECT_FALSE(std::filesystem::exists(path_ + ".cut-40.sql"));
}

TEST_F(DamageTest, AJournalWithoutAWholeEventIsNoTornEnd) {
  RandomHistory life(7);
  live_on(life, *open(), 20);
  sql("UPDATE records SET checksum = 0");
  EXPECT_FALSE(start());
  EXPECT_NE(message_.find("more than a torn end"), std::string::npos) << message_;
}

TEST_F(DamageTest, ASnapshotThatNamesAWrongRecordIsPassedOver) {
  closed_journal();
  sql("UPDATE snapshots SET position = position + 9 WHERE seq = (SELECT max(seq) FROM snapshots)");
  const auto recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  ASSERT_EQ(recovered->snapshots_refused.size(), 1U);
  EXPECT_EQ(recovered->core.state(), states_.back());
  EXPECT_EQ(open()->recover({}).value().snapshots_refused.size(), 0U) << "it is said once";
}

TEST_F(DamageTest, AJournalThatEndsBeforeItsSnapshotIsRefused) {
  RandomHistory life(7);
  {
    const auto journal = open();
    live_on(life, *journal, 20);
    ASSERT_TRUE(journal->save(life.core().state()));
  }
  sql("DELETE FROM records WHERE position > 50");
  EXPECT_FALSE(start());
  EXPECT_NE(message_.find("it ends with record 50"), std::string::npos) << message_;
}

}  // namespace
}  // namespace gyre::adapter::sqlite
