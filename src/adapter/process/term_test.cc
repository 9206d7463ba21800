#include "adapter/process/term.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "adapter/process/test_kit.h"

namespace gyre::process {
namespace {

using testing::HasSubstr;

class TermTest : public testing::Test {
 protected:
  test::TemporaryFolder temporary_;
  const std::string path_ = temporary_ / ".";
  Fd folder_ = std::move(*open_folder(path_));
};

TEST_F(TermTest, AnOlderServerIsRefusedByTheNextAgentToo) {
  auto term = Term::open(path_);
  ASSERT_TRUE(term) << term.error().message;
  EXPECT_TRUE(term->accept(0));
  EXPECT_TRUE(term->accept(7));
  EXPECT_TRUE(term->accept(7));
  EXPECT_EQ(term->accept(6).error().kind, ErrorKind::Conflict);
  auto next = Term::open(path_);
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_THAT(next->accept(6).error().message, HasSubstr("is of term 6"));
  EXPECT_TRUE(next->accept(7));
  EXPECT_TRUE(next->accept(8));
}

TEST_F(TermTest, AServerWhoseTermCannotBeKeptIsNotObeyed) {
  auto term = Term::open(path_);
  ASSERT_TRUE(term) << term.error().message;
  ASSERT_TRUE(term->accept(7));
  ASSERT_EQ(::mkdirat(folder_.get(), "term.tmp", 0700), 0);
  EXPECT_THAT(term->accept(8).error().message, HasSubstr("cannot write"));
  EXPECT_TRUE(term->accept(7));  // what is kept already holds
  ASSERT_EQ(::unlinkat(folder_.get(), "term.tmp", AT_REMOVEDIR), 0);
  EXPECT_TRUE(term->accept(8));
}

TEST_F(TermTest, AFileThatHoldsNoTermIsToldAndNotTakenForNone) {
  for (const char* text : {"", "\n", "7", "-7\n", "7 \n", "99999999999999999999\n"}) {
    ASSERT_TRUE(replace_file(folder_, "term", text, Sync::No));
    const auto term = Term::open(path_);
    ASSERT_FALSE(term) << text;
    EXPECT_EQ(term.error().kind, ErrorKind::Invalid);
    EXPECT_THAT(term.error().message, HasSubstr("term is damaged"));
  }
  EXPECT_FALSE(Term::open(path_ + "/nowhere"));
}

}  // namespace
}  // namespace gyre::process
