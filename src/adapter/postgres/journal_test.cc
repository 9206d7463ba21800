#include "adapter/postgres/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "adapter/postgres/test_kit.h"

namespace gyre::adapter::postgres {
namespace {

using control::RandomHistory;
using testing::HasSubstr;

class PostgresJournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = PostgresPlace::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  std::unique_ptr<PostgresJournal> lead(const std::string& id) {
    auto journal = PostgresJournal::open(place_.options(id));
    GYRE_ASSERT(journal);
    return std::move(*journal);
  }
  LeaseMark mark() {
    auto connection = place_.connection();
    return read_lease(connection).value()->mark;
  }
  /// As a standby does that has seen nothing new of the leader for long enough.
  Result<std::unique_ptr<PostgresJournal>> take_over(const std::string& id, const LeaseMark& seen) {
    auto options = place_.options(id);
    options.take.over = seen;
    return PostgresJournal::open(options);
  }
  std::vector<control::Record> read_all() { return live::all_records(*place_.read().value()); }
  /// Until it is durable, as the driver does.
  static void commit(control::Journal& journal) {
    for (int tries = 0; tries < 600; ++tries) {
      const auto done = journal.commit();
      if (done) return;
      ASSERT_EQ(done.error().kind, ErrorKind::Unavailable) << done.error().message;
      ::usleep(20'000);
    }
    FAIL() << "it never came back";
  }
  /// All connections of others to this database but those of `but`.
  static constexpr const char* kCut =
      "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
      "WHERE datname = current_database() AND pid <> pg_backend_pid()";

  PostgresPlace place_;
};

TEST_F(PostgresJournalTest, WhatIsNotAcceptedIsLeftAsItIs) {
  auto options = place_.options("b");
  std::string asked = "?";
  options.take.accepts = [&asked](const std::string& cluster) -> Result<void> {
    asked = cluster;
    return fail(ErrorKind::Invalid, "not mine");
  };
  EXPECT_EQ(PostgresJournal::open(options).error().message, "not mine");
  EXPECT_EQ(asked, "");
  EXPECT_FALSE(place_.has_table("meta"));

  const auto journal = lead("b");  // whose lease it could take up: it is the holder's own
  const std::string led = "SELECT term + session FROM lease";
  const auto before = place_.integer(led);
  EXPECT_EQ(PostgresJournal::open(options).error().message, "not mine");
  EXPECT_EQ(asked, journal->identity().cluster_id);
  EXPECT_EQ(place_.integer(led), before);
  EXPECT_TRUE(journal->save({})) << "its connection has not been ended";
}

TEST_F(PostgresJournalTest, OneServerLeadsAndTheOtherIsToldWho) {
  const auto first = lead("a");
  const auto second = PostgresJournal::open(place_.options("b"));
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Conflict);
  EXPECT_THAT(second.error().message, HasSubstr("another server leads on the journal"));
  EXPECT_THAT(second.error().message, HasSubstr("server a"));
}

TEST_F(PostgresJournalTest, ALeaderThatWasOvertakenWritesNoMore) {
  RandomHistory life(3);
  const auto old = lead("a");
  live::live_through(life, *old, 2, 10);
  const auto next = take_over("b", mark());
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_GT((*next)->term(), old->term());
  EXPECT_EQ((*next)->before()->holder.name, "server a");
  auto recovered = (*next)->recover({}).value();
  EXPECT_EQ(recovered.core.state(), life.core().state());

  life.step(*old);
  for (int tries = 0; tries < 2; ++tries) {
    const auto done = old->commit();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::Conflict) << done.error().message;
    EXPECT_THAT(done.error().message, HasSubstr("server b"));
  }
  EXPECT_FALSE(old->save(life.core().state()));
  EXPECT_EQ(live::last_event(read_all()), EventSeq{20});
  RandomHistory goes_on(4, std::move(recovered.core));
  live::live_through(goes_on, **next, 1, 5);
  EXPECT_EQ(live::last_event(read_all()), EventSeq{25});
}

TEST_F(PostgresJournalTest, ASignOfLifeInTheLastMomentKeepsTheLease) {
  const auto leader = lead("a");
  const LeaseMark seen = mark();
  place_.sql("UPDATE pulse SET beat = beat + 1");
  const auto refused = take_over("b", seen);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Conflict);
  EXPECT_TRUE(take_over("b", mark()));
}

TEST_F(PostgresJournalTest, TheSameServerStartsAgainAtOnce) {
  const std::int64_t term = lead("a")->term();
  EXPECT_GT(lead("a")->term(), term);
}

TEST_F(PostgresJournalTest, AServerOlderThanTheLastLeaderDoesNotLead) {
  lead("a");
  place_.sql("UPDATE lease SET version = '99.1.0', released = true");
  for (const std::string id : {"a", "b"}) {
    const auto refused = PostgresJournal::open(place_.options(id));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
    EXPECT_THAT(refused.error().message, HasSubstr("Gyre 99.1.0 has led"));
    EXPECT_THAT(refused.error().message, HasSubstr(GYRE_VERSION));
  }
}

TEST_F(PostgresJournalTest, TheLongestLeaseOfANodeIsRemembered) {
  auto options = place_.options("a");
  options.take.node_lease_s = 600;
  PostgresJournal::open(options).value();
  options.take.node_lease_s = 10;
  EXPECT_EQ(PostgresJournal::open(options).value()->identity().lease_granted,
            seconds(600) + kLease);
}

TEST_F(PostgresJournalTest, ALostConnectionIsMadeAnewAndNothingIsLostOrTwice) {
  const auto journal = lead("a");
  live::Tee copy(*journal);
  std::atomic<bool> quit = false;
  std::thread cutter([&] {
    auto connection = place_.connection();
    Rng rng(7);
    while (!quit) {
      ::usleep(static_cast<useconds_t>(rng.below(40'000)));
      static_cast<void>(connection.ask(kCut));
    }
  });
  RandomHistory life(3);
  for (int i = 0; i < 150; ++i) {
    for (int j = 0; j < 5; ++j) life.step(copy);
    commit(copy);
    if (i % 40 == 0) static_cast<void>(copy.save(life.core().state()));
  }
  quit = true;
  cutter.join();
  EXPECT_EQ(read_all(), copy.records);
  EXPECT_EQ(lead("a")->recover({}).value().core.state(), life.core().state());
}

// PostgreSQL waits for a standby of its own that is not there; what is cut off while it waits has
// been committed, and nobody was told.
constexpr const char* kCutWaiting =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";

/// Commits wait from now on for a standby that is not there: from when the server's checkpointer
/// has heard of it, which takes its time.
void let_commits_wait(Connection& server, PostgresPlace& place) {
  GYRE_ASSERT(server.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"));
  GYRE_ASSERT(server.ask("SELECT pg_reload_conf()"));
  for (bool waits = false; !waits;) {
    std::atomic<bool> over = false;
    std::thread writer([&] {
      auto connection = place.connection();
      static_cast<void>(connection.run("CREATE TEMP TABLE probe ()"));
      over = true;
    });
    while (!waits && !over) {
      const auto cut = server.ask(kCutWaiting);
      GYRE_ASSERT(cut);
      waits = cut->integer(0, 0) > 0;
      ::usleep(1'000);
    }
    writer.join();
  }
}

TEST_F(PostgresJournalTest, ACommitWhoseAnswerWasLostIsFoundAndNotRepeated) {
  RandomHistory life(3);
  const auto journal = lead("a");
  live::live_through(life, *journal, 1, 10);
  auto other = place_.connection();
  let_commits_wait(other, place_);
  for (int i = 0; i < 7; ++i) life.step(*journal);
  std::thread cutter([&] {
    for (;;) {
      const auto ended = other.ask(kCutWaiting);
      GYRE_ASSERT(ended);
      if (ended->integer(0, 0) > 0) break;
      ::usleep(10'000);
    }
    // What takes the lease's row for the next connection is a commit that waits too.
    GYRE_ASSERT(other.run("ALTER SYSTEM RESET synchronous_standby_names"));
    GYRE_ASSERT(other.ask("SELECT pg_reload_conf()"));
  });
  commit(*journal);
  cutter.join();
  EXPECT_EQ(live::last_event(read_all()), EventSeq{17});
  live::live_through(life, *journal, 1, 3);
  EXPECT_EQ(live::last_event(read_all()), EventSeq{20});
  EXPECT_EQ(journal->recover({}).value().core.state(), life.core().state());
}

TEST_F(PostgresJournalTest, WaitsForADatabaseThatIsStartedAgain) {
  RandomHistory life(3);
  const auto journal = lead("a");
  live::live_through(life, *journal, 1, 10);
  life.step(*journal);
  TestServer::get().stop();
  for (int tries = 0; tries < 3; ++tries) {
    const auto done = journal->commit();
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().kind, ErrorKind::Unavailable);
    EXPECT_THAT(done.error().message, HasSubstr(place_.target().shown));
  }
  TestServer::get().start();
  commit(*journal);
  EXPECT_EQ(live::last_event(read_all()), EventSeq{11});
}

TEST_F(PostgresJournalTest, AnotherWriterIsFoundAndNothingMoreIsWritten) {
  RandomHistory life(3);
  const auto journal = lead("a");
  live::live_through(life, *journal, 1, 10);
  place_.sql(
      "INSERT INTO records SELECT position + 1000, kind, at, seq, body, checksum "
      "FROM records WHERE position = 1");
  auto other = place_.connection();
  ASSERT_TRUE(other.ask(kCut));
  life.step(*journal);
  const auto failed = journal->commit();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, ErrorKind::Internal);
  EXPECT_THAT(failed.error().message, HasSubstr("who else writes"));
  EXPECT_EQ(journal->commit().error().message, failed.error().message);
}

TEST_F(PostgresJournalTest, WhatIsNoJournalIsRefusedAndLeftAlone) {
  auto connection = place_.connection();
  ASSERT_TRUE(connection.run("CREATE SCHEMA gyre; CREATE TABLE gyre.accounts(name text)"));
  for (const Error& error : {place_.try_open().error(), place_.read().error()}) {
    EXPECT_EQ(error.kind, ErrorKind::Invalid);
    EXPECT_THAT(error.message, HasSubstr("not a Gyre journal"));
  }
  EXPECT_FALSE(place_.has_table("meta"));
  place_.clear();
  EXPECT_THAT(place_.read().error().message, HasSubstr("an empty database"));
  EXPECT_FALSE(place_.has_table("meta"));
}

TEST_F(PostgresJournalTest, ADatabaseThatIsNotThereIsNamed) {
  Target target = place_.target();
  target.url += "x";
  target.shown += "x";
  const auto refused = PostgresJournalReader::open(target);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("does not exist"));
}

TEST(PostgresTargetTest, PasswordsAreRefusedAndNeverShown) {
  for (const char* url :
       {"postgresql://gyre:hunter2@db/gyre", "postgres://db/gyre?password=hunter2",
        "postgresql://db/gyre?passw%6frd=hunter2&x=y", "postgresql://gyre:hunter2@["}) {
    const auto refused = parse_target(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_EQ(refused.error().kind, ErrorKind::Invalid);
    EXPECT_EQ(refused.error().message.find("hunter2"), std::string::npos);
  }
  EXPECT_EQ(
      parse_target("postgresql://gyre@db.example:5433/gyre?sslmode=verify-full").value().shown,
      "postgresql://gyre@db.example:5433/gyre");
  EXPECT_EQ(parse_target("postgresql://?service=gyre").value().shown, "postgresql://?service=gyre");
  EXPECT_FALSE(parse_target("host=db dbname=gyre"));
  EXPECT_FALSE(parse_target("/var/lib/gyre"));
}

}  // namespace
}  // namespace gyre::adapter::postgres

namespace gyre::live {
using Postgres = ::testing::Types<adapter::postgres::PostgresPlace>;
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, StoreSuite, Postgres);
}  // namespace gyre::live
