#include "server/api/foresight.h"

#include <gtest/gtest.h>

namespace gyre::server {
namespace {

using Answer = std::shared_ptr<const control::Outlook>;

Foresight::Told into(std::vector<Answer>& told) {
  return [&told](Answer answer) { told.push_back(std::move(answer)); };
}

Foresight::Moment after(std::uint64_t seq, Duration later = {}) {
  return {EventSeq{seq}, Time{} + later};
}

TEST(Foresight, WhoAsksWhileItIsLookedForIsToldTheSame) {
  Foresight foresight;
  std::vector<Answer> told;
  EXPECT_FALSE(foresight.ask(JobId{1}, after(7), into(told)));
  foresight.begin(JobId{1}, after(7), into(told));
  EXPECT_TRUE(foresight.ask(JobId{1}, after(8), into(told)));
  EXPECT_FALSE(foresight.ask(JobId{2}, after(7), into(told))) << "another job";
  EXPECT_TRUE(told.empty());
  const auto answer = std::make_shared<const control::Outlook>();
  foresight.tell(JobId{1}, answer);
  EXPECT_EQ(told, (std::vector<Answer>{answer, answer}));
}

TEST(Foresight, AnAnswerIsKeptUntilSomethingHappens) {
  Foresight foresight;
  std::vector<Answer> told;
  foresight.begin(JobId{1}, after(7), into(told));
  foresight.tell(JobId{1}, std::make_shared<const control::Outlook>());
  EXPECT_TRUE(foresight.ask(JobId{1}, after(7), into(told)));
  EXPECT_EQ(told.size(), 2U);
  EXPECT_FALSE(foresight.ask(JobId{1}, after(8), into(told)));
  EXPECT_TRUE(foresight.ask(JobId{1}, after(7, Foresight::kLasts), into(told)));
  EXPECT_FALSE(foresight.ask(JobId{1}, after(7, Foresight::kLasts + nanoseconds(1)), into(told)));
}

TEST(Foresight, TheOldestAnswersAreForgotten) {
  Foresight foresight;
  std::vector<Answer> told;
  foresight.begin(JobId{1}, after(1), into(told));  // and is not told
  for (std::uint64_t i = 2; i <= Foresight::kKept + 2; ++i) {
    foresight.begin(JobId{i}, after(i), into(told));
    foresight.tell(JobId{i}, std::make_shared<const control::Outlook>());
  }
  EXPECT_TRUE(foresight.ask(JobId{1}, after(1), into(told))) << "it is still looked for";
  EXPECT_FALSE(foresight.ask(JobId{2}, after(2), into(told)));
  EXPECT_TRUE(foresight.ask(JobId{Foresight::kKept}, after(Foresight::kKept), into(told)));
}

TEST(Foresight, OneCopyServesAllUntilSomethingHappens) {
  Foresight foresight;
  control::Controller core{control::Config{}};
  const auto one = foresight.copy_of(core);
  EXPECT_EQ(foresight.copy_of(core), one);
  core.step({Time{}, EventSeq{1}, Tick{}});
  EXPECT_NE(foresight.copy_of(core), one);
}

}  // namespace
}  // namespace gyre::server
