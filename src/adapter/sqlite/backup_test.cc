#include "adapter/sqlite/backup.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "adapter/sqlite/journal.h"
#include "adapter/sqlite/test_kit.h"
#include "control/replay.h"
#include "control/restore.h"

namespace gyre::adapter::sqlite {
namespace {

class BackupTest : public ::testing::Test, protected JournalFolder {
 protected:
  std::string copy_ = folder_ + "/copy.gyre";
  std::string restored_ = folder_ + "/restored.db";

  /// What a journal holds up to an event, written anew.
  Result<control::RestoreReport> restore(const std::string& from, control::RestoreOptions options) {
    auto reader = SqliteJournalReader::open(from);
    if (!reader) return tl::unexpected(reader.error());
    auto journal = SqliteJournal::open({restored_, Sync::Off});
    if (!journal) return tl::unexpected(journal.error());
    control::Controller core{control::Config{}};
    return control::restore(**reader, **journal, core, options);
  }

  ControllerState state_of(const std::string& path) {
    auto journal = SqliteJournal::open({path, Sync::Off});
    EXPECT_TRUE(journal);
    const auto recovered = (*journal)->recover({});
    EXPECT_TRUE(recovered) << recovered.error().message;
    return recovered->core.state();
  }
};

TEST_F(BackupTest, ACopyIsAJournalOfItsOwnForItsOwnerAlone) {
  const auto journal = open();
  RandomHistory life(3);
  live::live_through(life, *journal, 10, 30);
  ASSERT_TRUE(journal->save(life.core().state()));
  live::live_through(life, *journal, 2, 30);
  const BackupContent content{Time{42}, {{"fleet/authority.key", std::string("a\0b", 3)}}};
  const auto made = copy_journal(path_, copy_, content);
  ASSERT_TRUE(made) << made.error().message;
  live::live_through(life, *journal, 2, 30);
  struct stat info {};
  ASSERT_EQ(::stat(copy_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    EXPECT_EQ(file.path().string().find("partial"), std::string::npos) << file.path();
  }
  const auto read = read_backup(copy_);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->made_at, Time{42});
  ASSERT_EQ(read->files.size(), 1U);
  EXPECT_EQ(read->files[0].body, std::string("a\0b", 3));
  EXPECT_TRUE(check_file(copy_));
  EXPECT_EQ(state_of(copy_).seq, EventSeq{360});
  EXPECT_EQ(read_backup(path_).value().made_at, Time{});
}

TEST_F(BackupTest, NothingIsOverwrittenAndDamageIsNotCopied) {
  RandomHistory life(3);
  live::live_through(life, *open(), 2, 30);
  std::ofstream(copy_) << "precious";
  EXPECT_EQ(copy_journal(path_, copy_, {}).error().kind, ErrorKind::Conflict);
  EXPECT_EQ(std::filesystem::file_size(copy_), 8U);
  EXPECT_EQ(copy_journal(folder_ + "/none", folder_ + "/b", {}).error().kind, ErrorKind::NotFound);
  sql("UPDATE records SET checksum = 0 WHERE position = 9");
  const auto made = copy_journal(path_, folder_ + "/c", {});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().message.find("record 9"), std::string::npos) << made.error().message;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/c"));
}

TEST_F(BackupTest, CopiesMadeWhileItIsWrittenAreMomentsOfIt) {
  std::vector<ControllerState> states;
  RandomHistory life(3);
  states.push_back(life.core().state());
  const auto journal = open();
  std::thread writer([&] {
    for (int i = 0; i < 600; ++i) {
      life.step(*journal);
      states.push_back(life.core().state());
      EXPECT_TRUE(journal->commit());
    }
  });
  std::vector<std::string> copies;
  for (int i = 0; i < 8; ++i) {
    copies.push_back(fmt::format("{}/{}.gyre", folder_, i));
    const auto made = copy_journal(path_, copies.back(), {Time{1}, {}});
    EXPECT_TRUE(made) << made.error().message;
  }
  writer.join();
  for (const std::string& copy : copies) {
    const ControllerState state = state_of(copy);
    EXPECT_EQ(state, states[state.seq.value]);
  }
}

TEST_F(BackupTest, IsRestoredAsItWasAfterAnyEvent) {
  std::vector<ControllerState> states;
  RandomHistory life(3);
  states.push_back(life.core().state());
  {
    const auto journal = open();
    for (int i = 0; i < 200; ++i) {
      life.step(*journal);
      states.push_back(life.core().state());
    }
    ASSERT_TRUE(journal->commit());
  }
  for (const std::uint64_t upto : {1U, 2U, 77U, 199U, 200U}) {
    std::filesystem::remove(restored_);
    control::RestoreOptions options;
    options.upto = EventSeq{upto};
    options.events_per_commit = 10;
    const auto report = restore(path_, options);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->events, upto);
    EXPECT_EQ(state_of(restored_), states[upto]);
    auto reader = SqliteJournalReader::open(restored_).value();
    control::Controller core{control::Config{}};
    EXPECT_TRUE(control::replay(*reader, core).value().matches());
  }
  std::filesystem::remove(restored_);
  control::RestoreOptions by_time;
  by_time.at = states[90].now;
  const auto report = restore(path_, by_time);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_GE(report->last, EventSeq{90});
  EXPECT_EQ(report->last_at, states[90].now);
}

TEST_F(BackupTest, WhatIsNotThereIsNotRestored) {
  RandomHistory life(3);
  live::live_through(life, *open(), 2, 30);
  control::RestoreOptions options;
  options.upto = EventSeq{61};
  EXPECT_NE(restore(path_, options).error().message.find("ends with event 60"), std::string::npos);
  std::filesystem::remove(restored_);
  options = {};
  options.at = Time{-1};
  EXPECT_EQ(restore(path_, options).error().kind, ErrorKind::NotFound);
}

TEST_F(BackupTest, ADamagedJournalIsRestoredUpToWhereItIsWhole) {
  RandomHistory life(3);
  live::live_through(life, *open(), 4, 30);
  sql("UPDATE records SET checksum = 0 WHERE position = 80");
  const Error refused = open()->recover({}).error();
  const std::size_t at = refused.message.find("--upto ");
  ASSERT_NE(at, std::string::npos) << refused.message;
  control::RestoreOptions options;
  options.upto = EventSeq{std::stoull(refused.message.substr(at + 7))};
  const auto report = restore(path_, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->last, *options.upto);
  std::filesystem::remove(restored_);
  EXPECT_FALSE(restore(path_, {}));
}

TEST_F(BackupTest, AJournalOutOfOrderIsNotRestored) {
  struct Records final : control::JournalReader {
    std::vector<Record> records;
    std::size_t at = 0;
    Result<std::optional<Record>> next() override {
      if (at == records.size()) return std::optional<Record>();
      return records[at++];
    }
  } from;
  RandomHistory life(3);
  live::live_through(life, *open(), 1, 30);
  for (Record& record : read_all()) {
    if (std::holds_alternative<Event>(record) && from.records.size() > 1) {
      auto& event = std::get<Event>(record);
      if (event.seq == EventSeq{20}) event.seq = EventSeq{5};
    }
    from.records.push_back(std::move(record));
  }
  const auto journal = SqliteJournal::open({restored_, Sync::Off}).value();
  control::Controller core{control::Config{}};
  const auto report = control::restore(from, *journal, core, {});
  ASSERT_FALSE(report);
  EXPECT_NE(report.error().message.find("out of order"), std::string::npos)
      << report.error().message;
}

TEST_F(BackupTest, OfTheLastEventCommandsMayBeMissingOnlyWhereTheJournalEndsWithIt) {
  RandomHistory life(3);
  live::live_through(life, *open(), 2, 30);
  const std::vector<Record> whole = read_all();
  std::size_t command = whole.size();
  while (std::holds_alternative<Event>(whole[command - 1])) --command;
  const auto cause = last_event({whole.begin(), whole.begin() + static_cast<long>(command)});
  control::RestoreOptions options;
  options.upto = cause;
  sql(fmt::format("DELETE FROM records WHERE position > {}", command));
  sql(fmt::format("UPDATE records SET checksum = 0 WHERE position = {}", command));
  const auto report = restore(path_, options);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->last, cause);
  EXPECT_EQ(report->events + report->commands, command);
  std::filesystem::remove(restored_);
  sql(fmt::format("DELETE FROM records WHERE position >= {}", command));
  EXPECT_TRUE(restore(path_, options)) << "it ends there";
  std::filesystem::remove(restored_);
  const auto refused = restore(path_, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("other commands"), std::string::npos);
}

TEST_F(BackupTest, TheClosingEventsStandBehindIt) {
  RandomHistory life(3);
  live::live_through(life, *open(), 2, 30);
  control::RestoreOptions options;
  options.closing = [](const control::Controller& core) {
    return std::vector<Event::Body>{StoreHealed{Symptom::JournalDamaged, core.now(), "restored"}};
  };
  ASSERT_TRUE(restore(path_, options));
  const ControllerState state = state_of(restored_);
  EXPECT_EQ(state.seq, EventSeq{61});
  EXPECT_EQ(state.healing.incidents.back().evidence, "restored");
}

TEST_F(BackupTest, ASuccessorIsTheSameClusterInALaterTerm) {
  const std::string cluster = open()->identity().cluster_id;
  EXPECT_EQ(open()->identity().term, 0U);
  static_cast<void>(SqliteJournal::open({restored_, Sync::Off}));
  ASSERT_TRUE(succeed(restored_, path_, Time{1'000}, JobId{77}));
  {
    const auto successor = SqliteJournal::open({restored_, Sync::Off}).value();
    EXPECT_EQ(successor->identity().cluster_id, cluster);
    EXPECT_EQ(successor->identity().term, 1'000U);
    EXPECT_EQ(successor->identity().first_job, JobId{77});
  }
  const std::string second = folder_ + "/second.db";
  static_cast<void>(SqliteJournal::open({second, Sync::Off}));
  ASSERT_TRUE(succeed(second, restored_, Time{10}, JobId{78}));  // the clock was set back
  EXPECT_EQ(SqliteJournal::open({second, Sync::Off}).value()->identity().term, 1'001U);
}

}  // namespace
}  // namespace gyre::adapter::sqlite
