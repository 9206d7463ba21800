#pragma once

// What every store must do, as tests that each adapter runs over its own; not part of the program.
//
// A Place is a place for one store, removed with it:
//   static std::string why_not();                       what is missing here; empty: nothing
//   std::unique_ptr<Store> open();                      for the next life; asserts that it can
//   Result<std::unique_ptr<Store>> try_open();
//   Result<std::unique_ptr<control::JournalReader>> read();
//   void clear();                                       as if it had never been opened
//   void sql(const std::string& text);                  on the store's tables
//   std::int64_t integer(const std::string& query);
//   bool has_table(const std::string& name);
//   std::int64_t version(); void set_version(int);      of the schema
//   const char* first_script();                         that makes version 1
//   Result<void> bring_forward(std::span<const char* const> scripts);
//   static constexpr int kKills;                        how often a writer is killed

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "base/rng.h"
#include "control/random_history.h"
#include "control/replay.h"
#include "live/store.h"

namespace gyre::live {

/// `commits` of `events_each` of a made-up life.
inline void live_through(control::RandomHistory& life, control::Journal& journal, int commits,
                         int events_each) {
  for (int i = 0; i < commits; ++i) {
    for (int j = 0; j < events_each; ++j) life.step(journal);
    GYRE_ASSERT(journal.commit());
  }
}

inline std::vector<control::Record> all_records(control::JournalReader& reader) {
  std::vector<control::Record> records;
  for (;;) {
    auto record = reader.next();
    GYRE_ASSERT(record);
    if (!*record) return records;
    records.push_back(std::move(**record));
  }
}

/// Keeps what is appended to another.
struct Tee final : control::Journal {
  explicit Tee(control::Journal& journal) : to(journal) {}
  void append(const Event& event) override { records.emplace_back(event), to.append(event); }
  void append(const Command& command) override {
    records.emplace_back(command), to.append(command);
  }
  Result<void> commit() override { return to.commit(); }
  Result<void> save(const ControllerState& state) override { return to.save(state); }

  control::Journal& to;
  std::vector<control::Record> records;
};

inline EventSeq last_event(const std::vector<control::Record>& records) {
  EventSeq last;
  for (const control::Record& record : records) {
    if (const auto* event = std::get_if<Event>(&record)) last = event->seq;
  }
  return last;
}

template <class Place>
class StoreSuite : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Place::why_not(); !why.empty()) GTEST_SKIP() << why;
  }
  std::vector<control::Record> read_all() {
    auto reader = place.read();
    GYRE_ASSERT(reader);
    return all_records(**reader);
  }
  Recovered recovered() {
    auto core = place.open()->recover({});
    GYRE_ASSERT(core);
    return std::move(*core);
  }

  Place place;
};

TYPED_TEST_SUITE_P(StoreSuite);

TYPED_TEST_P(StoreSuite, GivesBackWhatWasAppendedInOrder) {
  const auto journal = this->place.open();
  Tee copy(*journal);
  control::RandomHistory life(1);
  live_through(life, copy, 10, 30);
  EXPECT_EQ(this->read_all(), copy.records);
}

// Quotes, backslashes, control characters, bytes that are not UTF-8, and nothing at all.
TYPED_TEST_P(StoreSuite, TextIsKeptWhateverIsInIt) {
  const auto journal = this->place.open();
  std::vector<control::Record> expected;
  std::uint64_t seq = 0;
  for (const std::string& name :
       {std::string("it's {\"a\", \\b}\n\t"), std::string("\xff\xfe\0x", 4), std::string(),
        std::string("\xe2\x82\xac NULL \\N"), std::string(200'000, '\'')}) {
    const Event event{Time{5}, EventSeq{++seq}, NodeLost{NodeId{3}, name}};
    journal->append(event);
    expected.emplace_back(event);
  }
  ASSERT_TRUE(journal->commit());
  EXPECT_EQ(this->read_all(), expected);
}

TYPED_TEST_P(StoreSuite, WhatIsNotCommittedIsNotThere) {
  control::RandomHistory life(1);
  {
    const auto journal = this->place.open();
    live_through(life, *journal, 1, 20);
    life.step(*journal);
  }
  EXPECT_EQ(last_event(this->read_all()), EventSeq{20});
}

TYPED_TEST_P(StoreSuite, RecoversFromEventsAlone) {
  control::RandomHistory life(3);
  live_through(life, *this->place.open(), 10, 50);
  const auto recovered = this->recovered();
  EXPECT_EQ(recovered.events_replayed, 500U);
  EXPECT_FALSE(recovered.snapshot);
  EXPECT_EQ(recovered.core.state(), life.core().state());
}

TYPED_TEST_P(StoreSuite, AnEmptyJournalRecoversToANewCore) {
  EXPECT_EQ(this->recovered().core.last_event(), EventSeq{});
}

TYPED_TEST_P(StoreSuite, ItsIdentityStays) {
  const std::string cluster = this->place.open()->identity().cluster_id;
  EXPECT_EQ(cluster.size(), 32U);
  EXPECT_EQ(cluster.find_first_not_of("0123456789abcdef"), cluster.npos);
  EXPECT_EQ(this->place.open()->identity().cluster_id, cluster);
  this->place.clear();
  EXPECT_NE(this->place.open()->identity().cluster_id, cluster);
}

TYPED_TEST_P(StoreSuite, RecoversFromTheNewestSnapshotAndGoesOn) {
  control::RandomHistory life(3);
  {
    const auto journal = this->place.open();
    for (int i = 0; i < 4; ++i) {
      live_through(life, *journal, 2, 40);
      ASSERT_TRUE(journal->save(life.core().state()));
    }
    live_through(life, *journal, 1, 25);
  }
  const auto journal = this->place.open();
  auto recovered = journal->recover({});
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(recovered->snapshot, EventSeq{320});
  EXPECT_EQ(recovered->events_replayed, 25U);
  EXPECT_EQ(recovered->core.state(), life.core().state());

  control::RandomHistory next(4, recovered->core);
  live_through(next, *journal, 2, 50);
  EXPECT_EQ(journal->recover({}).value().core.state(), next.core().state());
  auto reader = this->place.read().value();
  control::Controller fresh{control::Config{}};
  EXPECT_TRUE(control::replay(*reader, fresh).value().matches());
}

TYPED_TEST_P(StoreSuite, KeepsTwoSnapshotsAndFallsBack) {
  control::RandomHistory life(3);
  {
    const auto journal = this->place.open();
    for (int i = 0; i < 4; ++i) {
      live_through(life, *journal, 1, 50);
      ASSERT_TRUE(journal->save(life.core().state()));
    }
  }
  this->place.sql(
      "UPDATE snapshots SET body = replace(body, '\"seq\":200', '\"seq\":201') WHERE seq = 200");
  auto recovered = this->recovered();
  EXPECT_EQ(recovered.snapshot, EventSeq{150});
  ASSERT_EQ(recovered.snapshots_refused.size(), 1U);
  EXPECT_NE(recovered.snapshots_refused[0].find("event 200 has a wrong checksum"),
            std::string::npos);
  EXPECT_EQ(recovered.core.state(), life.core().state());
  recovered = this->recovered();
  EXPECT_EQ(recovered.snapshot, EventSeq{150});
  EXPECT_TRUE(recovered.snapshots_refused.empty()) << "it is said once";

  this->place.sql("DELETE FROM snapshots WHERE part = 1");
  recovered = this->recovered();
  EXPECT_FALSE(recovered.snapshot);
  EXPECT_EQ(recovered.core.state(), life.core().state());
}

/// What a journal's end told.
struct Told final : Recollection {
  void begin(const control::Controller& core) override { before = core.last_event(); }
  void after(const Event& event, const control::Decisions&, const control::Controller&) override {
    events.push_back(event.seq.value);
  }
  EventSeq before;
  std::vector<std::uint64_t> events;
};

TYPED_TEST_P(StoreSuite, TellsItsEndAnew) {
  control::RandomHistory life(3);
  std::int64_t records = 0;
  {
    const auto journal = this->place.open();
    for (int i = 0; i < 4; ++i) {
      live_through(life, *journal, 1, 50);
      if (i == 3) continue;
      ASSERT_TRUE(journal->save(life.core().state()));
    }
    records = this->place.integer("SELECT max(position) FROM records");
  }
  const auto recall = [this](std::int64_t records_max) {
    const auto journal = this->place.open();
    GYRE_ASSERT(journal->recover({}));
    Told told;
    EXPECT_TRUE(journal->recall(records_max, told));
    GYRE_ASSERT(!told.events.empty());
    EXPECT_EQ(told.events.front(), told.before.value + 1);
    EXPECT_EQ(told.events.back(), 200U);
    return told.before.value;
  };
  EXPECT_EQ(recall(records), 0U);
  EXPECT_EQ(recall(records - 1), 100U) << "the older of two snapshots";
  EXPECT_EQ(recall(1), 150U) << "what recovery reads anyway";
  this->place.sql("UPDATE snapshots SET body = 'damaged' WHERE seq = 100");
  EXPECT_EQ(recall(records - 1), 150U);
}

TYPED_TEST_P(StoreSuite, CommandsThatComeOutOtherwiseAreAnError) {
  control::RandomHistory life(3);
  live_through(life, *this->place.open(), 1, 50);
  {
    const auto journal = this->place.open();
    journal->append(Event{life.core().now(), EventSeq{51}, Tick{}});
    journal->append(Command{CommandId{4711}, StopGang{JobId{1}, 1, {}, {}, {}}});
    ASSERT_TRUE(journal->commit());
  }
  const auto recovered = this->place.open()->recover({});
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().kind, ErrorKind::Invalid);
  EXPECT_NE(recovered.error().message.find("event 51"), std::string::npos);
  EXPECT_NE(recovered.error().message.find(R"("id":4711)"), std::string::npos);
}

TYPED_TEST_P(StoreSuite, DamagedRecordsAreNamed) {
  struct Damage {
    const char* sql;
    const char* message;
  };
  const Damage cases[] = {
      {"UPDATE records SET body = replace(body, 'node-7', 'node-8') WHERE position = 12",
       "record 12 has a wrong checksum"},
      {"UPDATE records SET at = at + 1 WHERE position = 5", "record 5 has a wrong checksum"},
      {"DELETE FROM records WHERE position = 9", "record 9 is missing"},
  };
  for (const auto& [damage, message] : cases) {
    this->place.clear();
    control::RandomHistory life(3);
    live_through(life, *this->place.open(), 1, 50);
    this->place.sql(damage);
    const auto recovered = this->place.open()->recover({});
    ASSERT_FALSE(recovered) << damage;
    EXPECT_EQ(recovered.error().kind, ErrorKind::Invalid);
    EXPECT_NE(recovered.error().message.find(message), std::string::npos)
        << recovered.error().message;
  }
}

TYPED_TEST_P(StoreSuite, ANewerVersionIsRefusedWithBothVersions) {
  this->place.open();
  this->place.set_version(7);
  for (const Error& error : {this->place.try_open().error(), this->place.read().error()}) {
    EXPECT_EQ(error.kind, ErrorKind::Unsupported);
    EXPECT_NE(error.message.find("version 7"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("versions up to 1"), std::string::npos) << error.message;
  }
}

TYPED_TEST_P(StoreSuite, AnOlderVersionIsBroughtForward) {
  control::RandomHistory life(3);
  live_through(life, *this->place.open(), 1, 50);
  const std::array scripts{this->place.first_script(), "ALTER TABLE records ADD COLUMN note TEXT;",
                           "CREATE TABLE cursors(sink TEXT PRIMARY KEY, position INTEGER);"};
  const auto done = this->place.bring_forward(scripts);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(this->place.version(), 3);
  EXPECT_EQ(this->place.integer("SELECT count(*) FROM records WHERE note IS NULL"),
            this->place.integer("SELECT max(position) FROM records"));
  EXPECT_EQ(this->place.integer("SELECT count(*) FROM cursors"), 0);
}

TYPED_TEST_P(StoreSuite, AScriptThatFailsChangesNothing) {
  this->place.open();
  const std::array scripts{this->place.first_script(),
                           "CREATE TABLE half(a INTEGER);SELECT nonsense;"};
  EXPECT_FALSE(this->place.bring_forward(scripts));
  EXPECT_EQ(this->place.version(), 1);
  EXPECT_FALSE(this->place.has_table("half"));
}

TYPED_TEST_P(StoreSuite, AReaderSeesOneMomentWhileTheWriterGoesOn) {
  const auto journal = this->place.open();
  control::RandomHistory life(3);
  live_through(life, *journal, 2, 50);
  auto reader = this->place.read().value();
  ASSERT_TRUE(reader->next());
  live_through(life, *journal, 2, 50);
  std::uint64_t events = 1;
  for (auto record = reader->next(); record && *record; record = reader->next()) {
    events += std::holds_alternative<Event>(**record) ? 1 : 0;
  }
  EXPECT_EQ(events, 100U);
  EXPECT_EQ(last_event(this->read_all()), EventSeq{200});
}

// A process that writes as fast as it can is killed at a random moment. It tells through a pipe
// what it has committed: all of that must be there, and nothing of half a commit.
TYPED_TEST_P(StoreSuite, KillingTheWriterLosesNoCommit) {
  constexpr int kEventsPerCommit = 7;
  Rng rng(1);
  for (int round = 0; round < TypeParam::kKills; ++round) {
    int told[2];
    ASSERT_EQ(::pipe2(told, O_CLOEXEC), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      auto journal = this->place.try_open();
      if (!journal) ::_exit(1);
      auto recovered = (*journal)->recover({});
      if (!recovered) ::_exit(2);
      control::RandomHistory life(static_cast<std::uint64_t>(round), std::move(recovered->core));
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
    const std::uint64_t last = this->recovered().core.last_event().value;
    EXPECT_GE(last, committed);
    EXPECT_LE(last, committed + kEventsPerCommit);
    EXPECT_EQ(last % kEventsPerCommit, 0U);
  }
  auto reader = this->place.read().value();
  control::Controller core{control::Config{}};
  EXPECT_TRUE(control::replay(*reader, core).value().matches());
}

REGISTER_TYPED_TEST_SUITE_P(StoreSuite, GivesBackWhatWasAppendedInOrder, TextIsKeptWhateverIsInIt,
                            WhatIsNotCommittedIsNotThere, RecoversFromEventsAlone,
                            AnEmptyJournalRecoversToANewCore, ItsIdentityStays,
                            RecoversFromTheNewestSnapshotAndGoesOn, KeepsTwoSnapshotsAndFallsBack,
                            TellsItsEndAnew, CommandsThatComeOutOtherwiseAreAnError,
                            DamagedRecordsAreNamed, ANewerVersionIsRefusedWithBothVersions,
                            AnOlderVersionIsBroughtForward, AScriptThatFailsChangesNothing,
                            AReaderSeesOneMomentWhileTheWriterGoesOn,
                            KillingTheWriterLosesNoCommit);

}  // namespace gyre::live
