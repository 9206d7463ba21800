#include "adapter/sqlite/journal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>

#include "adapter/sqlite/disk_faults.h"
#include "adapter/sqlite/schema.h"
#include "adapter/sqlite/test_kit.h"
#include "control/replay.h"

namespace gyre::adapter::sqlite {
namespace {

class SqliteJournalTest : public ::testing::Test, protected JournalFolder {};

TEST_F(SqliteJournalTest, GivesBackWhatWasAppendedInOrder) {
  struct Copy final : control::Journal {
    void append(const Event& event) override { records.emplace_back(event), to->append(event); }
    void append(const Command& command) override {
      records.emplace_back(command), to->append(command);
    }
    Result<void> commit() override { return to->commit(); }
    Result<void> save(const ControllerState& state) override { return to->save(state); }
    std::vector<Record> records;
    control::Journal* to = nullptr;
  } copy;
  const auto journal = open();
  copy.to = journal.get();
  RandomHistory life(1);
  live(life, copy, 10, 30);
  EXPECT_EQ(read_all(), copy.records);
}

TEST_F(SqliteJournalTest, IsPrivateToItsOwner) {
  const auto journal = open();
  struct stat info {};
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

TEST_F(SqliteJournalTest, WhatIsNotCommittedIsNotThere) {
  RandomHistory life(1);
  {
    const auto journal = open();
    live(life, *journal, 1, 20);
    life.step(*journal);
  }
  EXPECT_EQ(last_event(read_all()), EventSeq{20});
}

TEST_F(SqliteJournalTest, RecoversFromEventsAlone) {
  RandomHistory life(3);
  live(life, *open(), 10, 50);
  const auto recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->events_replayed, 500U);
  EXPECT_FALSE(recovered->snapshot);
  EXPECT_EQ(recovered->core.state(), life.core().state());
}

TEST_F(SqliteJournalTest, AnEmptyJournalRecoversToANewCore) {
  const auto recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->core.last_event(), EventSeq{});
}

TEST_F(SqliteJournalTest, RecoversFromTheNewestSnapshotAndGoesOn) {
  RandomHistory life(3);
  {
    const auto journal = open();
    for (int i = 0; i < 4; ++i) {
      live(life, *journal, 2, 40);
      ASSERT_TRUE(journal->save(life.core().state()));
    }
    live(life, *journal, 1, 25);
  }
  const auto journal = open();
  auto recovered = journal->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->snapshot, EventSeq{320});
  EXPECT_EQ(recovered->events_replayed, 25U);
  EXPECT_EQ(recovered->core.state(), life.core().state());

  RandomHistory next(4, recovered->core);
  live(next, *journal, 2, 50);
  EXPECT_EQ(journal->recover({}).value().core.state(), next.core().state());
  auto reader = SqliteJournalReader::open(path_).value();
  control::Controller fresh{control::Config{}};
  EXPECT_TRUE(control::replay(*reader, fresh).value().matches());
}

TEST_F(SqliteJournalTest, KeepsTwoSnapshotsAndFallsBack) {
  RandomHistory life(3);
  {
    const auto journal = open();
    for (int i = 0; i < 4; ++i) {
      live(life, *journal, 1, 50);
      ASSERT_TRUE(journal->save(life.core().state()));
    }
  }
  sql("UPDATE snapshots SET body = replace(body, '\"seq\":200', '\"seq\":201') WHERE seq = 200");
  auto recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->snapshot, EventSeq{150});
  ASSERT_EQ(recovered->snapshots_refused.size(), 1U);
  EXPECT_NE(recovered->snapshots_refused[0].find("event 200 has a wrong checksum"),
            std::string::npos);
  EXPECT_EQ(recovered->core.state(), life.core().state());
  recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->snapshot, EventSeq{150});
  EXPECT_TRUE(recovered->snapshots_refused.empty()) << "it is said once";

  sql("DELETE FROM snapshots WHERE part = 1");
  recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_FALSE(recovered->snapshot);
  EXPECT_EQ(recovered->core.state(), life.core().state());
}

TEST_F(SqliteJournalTest, CommandsThatComeOutOtherwiseAreAnError) {
  RandomHistory life(3);
  live(life, *open(), 1, 50);
  {
    const auto journal = open();
    journal->append(Event{life.core().now(), EventSeq{51}, Tick{}});
    journal->append(Command{CommandId{4711}, StopGang{JobId{1}, 1, {}, {}, {}}});
    ASSERT_TRUE(journal->commit());
  }
  const auto recovered = open()->recover({});
  ASSERT_FALSE(recovered);
  EXPECT_NE(recovered.error().message.find("event 51"), std::string::npos);
  EXPECT_NE(recovered.error().message.find(R"("id":4711)"), std::string::npos);
}

struct Damage {
  const char* sql;
  const char* message;
};

TEST_F(SqliteJournalTest, DamagedRecordsAreNamed) {
  const Damage cases[] = {
      {"UPDATE records SET body = replace(body, 'node-7', 'node-8') WHERE position = 12",
       "record 12 has a wrong checksum"},
      {"UPDATE records SET at = at + 1 WHERE position = 5", "record 5 has a wrong checksum"},
      {"DELETE FROM records WHERE position = 9", "record 9 is missing"},
  };
  for (const auto& [damage, message] : cases) {
    std::filesystem::remove(path_);
    RandomHistory life(3);
    live(life, *open(), 1, 50);
    sql(damage);
    const auto recovered = open()->recover({});
    ASSERT_FALSE(recovered) << damage;
    EXPECT_EQ(recovered.error().kind, ErrorKind::Invalid);
    EXPECT_NE(recovered.error().message.find(message), std::string::npos)
        << recovered.error().message;
  }
}

TEST_F(SqliteJournalTest, ANewerVersionIsRefusedWithBothVersions) {
  open();
  sql("PRAGMA user_version = 7");
  for (const Error& error :
       {SqliteJournal::open({path_}).error(), SqliteJournalReader::open(path_).error()}) {
    EXPECT_EQ(error.kind, ErrorKind::Unsupported);
    EXPECT_NE(error.message.find("version 7"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("versions up to 1"), std::string::npos) << error.message;
  }
}

TEST_F(SqliteJournalTest, AnOlderVersionIsBroughtForward) {
  RandomHistory life(3);
  live(life, *open(), 1, 50);
  const std::array scripts{schema_scripts()[0], "ALTER TABLE records ADD COLUMN note TEXT;",
                           "CREATE TABLE cursors(sink TEXT PRIMARY KEY, position INTEGER);"};
  auto database = Database::open(path_, Database::Mode::ReadWrite, 0).value();
  ASSERT_TRUE(bring_forward(database, scripts));
  EXPECT_EQ(database.integer("PRAGMA user_version").value(), 3);
  EXPECT_EQ(database.integer("SELECT count(*) FROM records WHERE note IS NULL").value(),
            database.integer("SELECT max(position) FROM records").value());
  EXPECT_EQ(database.integer("SELECT count(*) FROM cursors").value(), 0);
}

TEST_F(SqliteJournalTest, AScriptThatFailsChangesNothing) {
  open();
  const std::array scripts{schema_scripts()[0], "CREATE TABLE half(a);SELECT nonsense;"};
  {
    auto database = Database::open(path_, Database::Mode::ReadWrite, 0).value();
    EXPECT_FALSE(bring_forward(database, scripts));
  }
  auto database = Database::open(path_, Database::Mode::ReadWrite, 0).value();
  EXPECT_EQ(database.integer("PRAGMA user_version").value(), 1);
  EXPECT_EQ(database.integer("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").value(), 0);
}

TEST_F(SqliteJournalTest, OtherFilesAreRefusedAndLeftAlone) {
  std::ofstream(path_) << "these are the notes of a meeting, and no journal at all\n" << path_;
  const auto size = std::filesystem::file_size(path_);
  for (const Error& error :
       {SqliteJournal::open({path_}).error(), SqliteJournalReader::open(path_).error()}) {
    EXPECT_EQ(error.kind, ErrorKind::Invalid);
    EXPECT_NE(error.message.find("not a database"), std::string::npos) << error.message;
  }
  EXPECT_EQ(std::filesystem::file_size(path_), size);
  std::filesystem::remove(path_);

  sql("CREATE TABLE accounts(name)");
  for (const Error& error :
       {SqliteJournal::open({path_}).error(), SqliteJournalReader::open(path_).error()}) {
    EXPECT_EQ(error.kind, ErrorKind::Invalid);
    EXPECT_NE(error.message.find("not a Gyre journal"), std::string::npos) << error.message;
  }
}

TEST_F(SqliteJournalTest, ATornFileIsAnError) {
  RandomHistory life(3);
  live(life, *open(), 4, 500);
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  const auto journal = SqliteJournal::open({path_});
  const Error error = journal ? (*journal)->recover({}).error() : journal.error();
  EXPECT_EQ(error.kind, ErrorKind::Invalid);
  EXPECT_NE(error.message.find("malformed"), std::string::npos) << error.message;
}

TEST_F(SqliteJournalTest, ThereIsOneWriter) {
  const auto first = open();
  const auto second = SqliteJournal::open({path_});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
}

TEST_F(SqliteJournalTest, AReaderSeesOneMomentWhileTheWriterGoesOn) {
  const auto journal = open();
  RandomHistory life(3);
  live(life, *journal, 2, 50);
  auto reader = SqliteJournalReader::open(path_).value();
  ASSERT_TRUE(reader->next());
  live(life, *journal, 2, 50);
  control::Controller core{control::Config{}};
  std::uint64_t events = 1;
  for (auto record = reader->next(); record && *record; record = reader->next()) {
    events += std::holds_alternative<Event>(**record) ? 1 : 0;
  }
  EXPECT_EQ(events, 100U);
  EXPECT_EQ(reader->cluster_id(), journal->cluster_id());
  EXPECT_EQ(reader->written_by(), GYRE_VERSION);
  EXPECT_EQ(last_event(read_all()), EventSeq{200});
}

TEST_F(SqliteJournalTest, AMissingFileIsNotMadeByReading) {
  const auto reader = SqliteJournalReader::open(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::NotFound);
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_NE(SqliteJournal::open({folder_ + "/none/j.db"}).error().message.find("must exist"),
            std::string::npos);
}

TEST_F(SqliteJournalTest, IsReadInAFolderThatCannotBeWritten) {
  RandomHistory life(3);
  live(life, *open(), 1, 50);
  std::filesystem::permissions(path_, std::filesystem::perms(0444));
  std::filesystem::permissions(folder_, std::filesystem::perms(0555));
  const int status = in_child([this] {
    constexpr uid_t kNobody = 65534;  // root may write everywhere
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(1);
    ::_exit(last_event(read_all()) == EventSeq{50} ? 0 : 2);
  });
  EXPECT_EQ(status, 0);
  std::filesystem::permissions(folder_, std::filesystem::perms(0700));
}

// The disk fills up in the middle of a commit: the commit fails, nothing of it is there later, and
// the journal takes nothing more.
TEST_F(SqliteJournalTest, AFullDiskFailsTheCommitAndAllLaterOnes) {
  const int status = in_child([this] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto journal = SqliteJournal::open({path_, Sync::Full});
    if (!journal) ::_exit(1);
    RandomHistory life(3);
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < 50; ++j) life.step(**journal);
      if (!(*journal)->commit()) ::_exit(2);
    }
    const auto used = std::filesystem::file_size(path_ + "-wal");
    const rlimit limit{used + 20'000, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int j = 0; j < 2000; ++j) life.step(**journal);
    const auto failed = (*journal)->commit();
    if (failed) ::_exit(3);
    const rlimit no_limit{RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &no_limit);
    life.step(**journal);
    const auto later = (*journal)->commit();
    if (later || later.error().message != failed.error().message) ::_exit(4);
    if ((*journal)->save(life.core().state())) ::_exit(5);
    ::kill(::getpid(), SIGKILL);
  });
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
  const auto recovered = open()->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->core.last_event(), EventSeq{150});
}

TEST_F(SqliteJournalTest, AQuotaThatIsUsedUpIsNoRoomAndPassesAndABrokenDiskDoesNot) {
  RandomHistory life(3);
  int why = 0;
  const DiskFaults faults([&why](int) { return why; });
  {
    auto journal = open();
    live(life, *journal, 2, 50);
    for (const int lacking : {EDQUOT, ENOSPC}) {
      life.step(*journal);
      why = lacking;
      EXPECT_EQ(journal->commit().error().kind, ErrorKind::NoRoom) << lacking;
      why = 0;
      EXPECT_TRUE(journal->commit()) << lacking;
    }
  }
  for (const int lacking : {EDQUOT, ENOSPC}) {  // as the index of the log grows
    why = lacking;
    const auto refused = SqliteJournal::open({path_, Sync::Off});
    why = 0;
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::NoRoom) << refused.error().message;
  }
  EXPECT_EQ(last_event(read_all()), EventSeq{102});
  const auto journal = open();
  life.step(*journal);
  why = EIO;
  EXPECT_EQ(journal->commit().error().kind, ErrorKind::Internal);
  why = 0;
  EXPECT_FALSE(journal->commit());
}

// A process that writes as fast as it can is killed at a random moment. It tells through a pipe
// what it has committed: all of that must be there, and nothing of half a commit.
TEST_F(SqliteJournalTest, KillingTheWriterLosesNoCommit) {
  constexpr int kEventsPerCommit = 7;
  Rng rng(1);
  for (int round = 0; round < 40; ++round) {
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto journal = SqliteJournal::open({path_, Sync::Normal});
      if (!journal) ::_exit(1);
      auto recovered = (*journal)->recover({});
      if (!recovered) ::_exit(2);
      RandomHistory life(static_cast<std::uint64_t>(round), std::move(recovered->core));
      for (int i = 1;; ++i) {
        for (int j = 0; j < kEventsPerCommit; ++j) life.step(**journal);
        if (!(*journal)->commit()) ::_exit(3);
        const std::uint64_t last = life.core().last_event().value;
        if (::write(told[1], &last, sizeof last) < 0) ::_exit(4);
        if (i % 50 == 0 && !(*journal)->save(life.core().state())) ::_exit(5);
      }
    }
    ::close(told[1]);
    std::uint64_t committed = 0;
    for (std::uint64_t left = 1 + rng.below(120); left > 0; --left) {
      if (::read(told[0], &committed, sizeof committed) <= 0) break;
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);
    while (::read(told[0], &committed, sizeof committed) > 0) {
    }
    ::close(told[0]);
    const auto recovered = open()->recover({});
    ASSERT_TRUE(recovered) << recovered.error().message;
    const std::uint64_t last = recovered->core.last_event().value;
    EXPECT_GE(last, committed);
    EXPECT_LE(last, committed + kEventsPerCommit);
    EXPECT_EQ(last % kEventsPerCommit, 0U);
  }
  auto reader = SqliteJournalReader::open(path_).value();
  control::Controller core{control::Config{}};
  EXPECT_TRUE(control::replay(*reader, core).value().matches());
}

}  // namespace
}  // namespace gyre::adapter::sqlite
