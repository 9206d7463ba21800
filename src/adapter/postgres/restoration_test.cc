#include "adapter/postgres/restoration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "adapter/postgres/test_kit.h"

namespace gyre::adapter::postgres {
namespace {

using testing::HasSubstr;

class RestorationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = PostgresPlace::why_not(); !why.empty()) GTEST_SKIP() << why;
  }

  static void write(Restoration& restoration) {
    restoration.journal().append(Event{Time{9}, EventSeq{1}, Tick{}});
    ASSERT_TRUE(restoration.journal().commit());
    ASSERT_TRUE(restoration.files().put("ca.key", "secret"));
  }

  PostgresPlace place_;
};

TEST_F(RestorationTest, TheNextServerLeadsAtOnceOnWhatWasRestored) {
  auto restoration = Restoration::begin(place_.target(), 300).value();
  write(*restoration);
  ASSERT_TRUE(restoration->finish("c0ffee", JobId{1'000'008}));
  restoration.reset();
  const auto store = PostgresJournal::open(place_.options()).value();
  EXPECT_EQ(store->identity().cluster_id, "c0ffee");
  EXPECT_EQ(store->identity().first_job, JobId{1'000'008});
  EXPECT_EQ(store->identity().lease_granted, seconds(300) + kLease);
  EXPECT_EQ(place_.integer("SELECT count(*) FROM records"), 1);
  EXPECT_EQ(SharedFiles(place_.target(), store->term()).all().value().size(), 1U);
}

TEST_F(RestorationTest, NoServerStartsOnAHalfAndWhatIsGivenUpLeavesNothing) {
  {
    auto restoration = Restoration::begin(place_.target(), 0).value();
    write(*restoration);
    const auto early = PostgresJournal::open(place_.options());
    ASSERT_FALSE(early);
    EXPECT_THAT(early.error().message, HasSubstr("a restoration into it has not ended"));
    EXPECT_FALSE(PostgresJournalReader::open(place_.target()));
    EXPECT_FALSE(Restoration::begin(place_.target(), 0));
  }
  EXPECT_FALSE(place_.has_table("gyre.meta"));
  EXPECT_TRUE(PostgresJournal::open(place_.options()));
}

TEST_F(RestorationTest, NothingIsRestoredOverAJournal) {
  ASSERT_TRUE(PostgresJournal::open(place_.options()));
  const auto refused = Restoration::begin(place_.target(), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::Conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("nothing is ever restored over what is there"));
  EXPECT_TRUE(place_.has_table("gyre.meta"));
}

}  // namespace
}  // namespace gyre::adapter::postgres
