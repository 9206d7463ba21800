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
#include "live/store_suite.h"

namespace gyre::adapter::sqlite {
namespace {

/// See live/store_suite.h.
class SqlitePlace : public JournalFolder {
 public:
  static constexpr int kKills = 40;
  static std::string why_not() { return ""; }

  std::unique_ptr<live::Store> open() { return JournalFolder::open(); }
  Result<std::unique_ptr<live::Store>> try_open() {
    return SqliteJournal::open({path_, Sync::Normal});
  }
  Result<std::unique_ptr<control::JournalReader>> read() {
    return SqliteJournalReader::open(path_);
  }
  void clear() {
    for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + suffix);
  }
  using JournalFolder::sql;
  std::int64_t integer(const std::string& query) { return database().integer(query).value(); }
  bool has_table(const std::string& name) {
    return integer("SELECT count(*) FROM sqlite_schema WHERE name = '" + name + "'") > 0;
  }
  std::int64_t version() { return integer("PRAGMA user_version"); }
  void set_version(int version) { sql("PRAGMA user_version = " + std::to_string(version)); }
  static const char* first_script() { return schema_scripts()[0]; }
  Result<void> bring_forward(std::span<const char* const> scripts) {
    auto opened = database();
    return sqlite::bring_forward(opened, scripts);
  }

 private:
  Database database() { return Database::open(path_, Database::Mode::ReadWrite, 0).value(); }
};

class SqliteJournalTest : public ::testing::Test, protected JournalFolder {};

TEST_F(SqliteJournalTest, IsPrivateToItsOwner) {
  const auto journal = open();
  struct stat info {};
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    ASSERT_EQ(::stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777U, 0600U) << suffix;
  }
}

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Killed, so that what it wrote is in its write-ahead log: whoever opens it to write moves that
// into the database.
TEST_F(SqliteJournalTest, WhatIsNotAcceptedIsLeftAsItIs) {
  in_child([this] {
    control::RandomHistory life(1);
    const auto journal = open(Sync::Full);
    live::live_through(life, *journal, 3, 20);
    ::_exit(0);
  });
  const std::string cluster = SqliteJournalReader::open(path_).value()->cluster_id();
  const std::string file = bytes_of(path_);
  std::string log = bytes_of(path_ + "-wal");
  ASSERT_GT(log.size(), 10'000U);
  log[log.size() - 10] ^= 1;  // a torn end, which would be cut off
  std::ofstream(path_ + "-wal", std::ios::binary) << log;
  std::string asked;
  const auto refuse = [&asked](const std::string& id) -> Result<void> {
    asked = id;
    return fail(ErrorKind::Conflict, "not mine");
  };
  const auto refused = SqliteJournal::open({.path = path_, .accepts = refuse});
  EXPECT_EQ(refused.error().message, "not mine");
  EXPECT_EQ(asked, cluster);
  EXPECT_TRUE(bytes_of(path_) == file && bytes_of(path_ + "-wal") == log);
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(entry.path().string().find("cut-"), std::string::npos) << entry.path();
  }

  std::ofstream(path_ + ".empty");
  EXPECT_FALSE(SqliteJournal::open({.path = path_ + ".empty", .accepts = refuse}));
  EXPECT_EQ(asked, "");
  EXPECT_EQ(std::filesystem::file_size(path_ + ".empty"), 0U);
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
  live::live_through(life, *open(), 4, 500);
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
  live::live_through(life, *open(), 1, 50);
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
    live::live_through(life, *journal, 2, 50);
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

TEST_F(SqliteJournalTest, AReaderKnowsWhoseJournalItIs) {
  const auto journal = open();
  const auto reader = SqliteJournalReader::open(path_).value();
  EXPECT_EQ(reader->cluster_id(), journal->identity().cluster_id);
  EXPECT_EQ(reader->written_by(), GYRE_VERSION);
}

}  // namespace
}  // namespace gyre::adapter::sqlite

namespace gyre::live {
using Sqlite = ::testing::Types<adapter::sqlite::SqlitePlace>;
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, StoreSuite, Sqlite);
}  // namespace gyre::live
