#include "server/lab/lab.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <thread>

namespace gyre::server {
namespace {

using ::testing::HasSubstr;
using State = LabRun::State;

/// Ends a run when it is told how.
class Player final : public LabPlayer {
 public:
  Result<void> check(const LabTrace& trace) override {
    if (trace.text.empty()) return fail(ErrorKind::Invalid, "{}:1: there is no header", trace.name);
    return {};
  }
  Result<std::string> play(const LabQuestion& question, const Tell& tell) override {
    std::unique_lock lock(mutex_);
    const std::string name = question.policies.front().name;
    while (true) {
      playing_ = name;
      changed_.notify_all();
      if (!tell({"playing " + name, 0.5})) {
        playing_.clear();
        ++given_up_;
        changed_.notify_all();
        return fail(ErrorKind::Unavailable, "it was given up");
      }
      if (const auto answer = answers_.find(name); answer != answers_.end()) {
        playing_.clear();
        return answer->second;
      }
      changed_.wait_for(lock, std::chrono::milliseconds(1));
    }
  }

  void answer(const std::string& policy, Result<std::string> with) {
    const std::lock_guard lock(mutex_);
    answers_.insert_or_assign(policy, std::move(with));
    changed_.notify_all();
  }
  void wait_until_playing(const std::string& policy) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return playing_ == policy; });
  }
  void wait_until_given_up(int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given_up_ >= times; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Result<std::string>> answers_;
  std::string playing_;
  int given_up_ = 0;
};

class Shelf final : public LabShelf {
 public:
  std::vector<Kept> all() override {
    const std::lock_guard lock(mutex_);
    std::vector<Kept> kept;
    for (const auto& [id, text] : texts_) kept.push_back({id, text});
    return kept;
  }
  Result<void> put(std::uint64_t id, const std::string& text) override {
    const std::lock_guard lock(mutex_);
    if (full) return fail(ErrorKind::NoRoom, "no room");
    texts_[id] = text;
    return {};
  }
  void remove(std::uint64_t id) override {
    const std::lock_guard lock(mutex_);
    texts_.erase(id);
  }

  std::size_t size() {
    const std::lock_guard lock(mutex_);
    return texts_.size();
  }
  std::string& text(std::uint64_t id) { return texts_.at(id); }

  std::atomic<bool> full = false;

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> texts_;
};

struct LabTest : testing::Test {
  Player player;
  Shelf shelf;
  std::vector<std::string> notices;
  std::unique_ptr<Lab> lab;

  LabTest() { start(); }

  void start() {
    lab.reset();
    LabOptions options;
    options.queued_max = 2;
    options.kept_max = 3;
    options.report_bytes_max = 100;
    options.clock = [] { return Time{} + seconds(7); };
    options.notice = [this](const std::string& line) { notices.push_back(line); };
    lab = std::make_unique<Lab>(player, shelf, std::move(options));
  }

  Result<std::uint64_t> ask(const std::string& policy) {
    PolicySpec spec;
    spec.name = policy;
    return lab->ask({{spec}, std::nullopt}, {{policy, "", ""}});
  }
  LabRun wait_for(std::uint64_t id, State state) {
    while (true) {
      const auto run = lab->find(id);
      EXPECT_TRUE(run.has_value()) << run.error().message;
      if (!run || run->state == state) return run.value_or(LabRun{});
      std::this_thread::yield();
    }
  }
};

TEST_F(LabTest, RunsOneAtATimeInTheirOrder) {
  const auto first = *ask("a");
  const auto second = *ask("b");
  player.wait_until_playing("a");
  EXPECT_EQ(lab->find(second)->state, State::Queued);
  EXPECT_EQ(lab->find(first)->progress.doing, "playing a");
  player.answer("b", "{}");
  player.answer("a", R"({"results":[]})");
  EXPECT_EQ(wait_for(second, State::Succeeded).report, "{}");
  EXPECT_EQ(lab->find(first)->report, R"({"results":[]})");
  EXPECT_EQ(lab->runs().front().id, second);
  EXPECT_EQ(lab->runs().back().report, "");
}

TEST_F(LabTest, AFullQueueRefuses) {
  ASSERT_TRUE(ask("a"));
  player.wait_until_playing("a");
  ASSERT_TRUE(ask("b"));
  ASSERT_TRUE(ask("c"));
  const auto refused = ask("d");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, ErrorKind::Unavailable);
  ASSERT_TRUE(lab->remove(3));
  EXPECT_TRUE(ask("d"));
}

TEST_F(LabTest, WhatIsRemovedIsGivenUp) {
  ASSERT_TRUE(ask("a"));
  player.wait_until_playing("a");
  ASSERT_TRUE(ask("b"));
  ASSERT_TRUE(lab->remove(1));
  player.wait_until_given_up(1);
  player.wait_until_playing("b");
  EXPECT_FALSE(lab->find(1));
  EXPECT_EQ(lab->remove(1).error().kind, ErrorKind::NotFound);
  EXPECT_EQ(shelf.size(), 1U);
}

TEST_F(LabTest, ResultsOutlastTheServerAndWhatWasNotDoneHasFailed) {
  player.answer("a", R"({"results":[1]})");
  player.answer("b", fail(ErrorKind::Invalid, "no job has ended"));
  wait_for(*ask("a"), State::Succeeded);
  wait_for(*ask("b"), State::Failed);
  ASSERT_TRUE(ask("c"));
  player.wait_until_playing("c");
  start();
  EXPECT_EQ(lab->find(1)->report, R"({"results":[1]})");
  EXPECT_EQ(lab->find(2)->error, "no job has ended");
  EXPECT_THAT(lab->find(3)->error, HasSubstr("the server ended"));
  EXPECT_EQ(*ask("d"), 4U);
  EXPECT_TRUE(notices.empty());
}

TEST_F(LabTest, TheOldestAreDropped) {
  player.answer("a", "{}");
  for (std::uint64_t id = 1; id <= 5; ++id) wait_for(*ask("a"), State::Succeeded);
  start();
  EXPECT_EQ(lab->runs().size(), 3U);
  EXPECT_EQ(shelf.size(), 3U);
  EXPECT_FALSE(lab->find(2));
  EXPECT_TRUE(lab->find(3));
}

TEST_F(LabTest, ADamagedResultIsToldAndLeftOut) {
  player.answer("a", "{}");
  wait_for(*ask("a"), State::Succeeded);
  wait_for(*ask("a"), State::Succeeded);
  lab.reset();
  shelf.text(1).back() = 'x';
  start();
  EXPECT_FALSE(lab->find(1));
  EXPECT_TRUE(lab->find(2));
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices[0], HasSubstr("result 1 is left out: it is damaged"));
}

TEST_F(LabTest, AFullDiskRefusesWhatIsNewAndKeepsWhatIsDoneInMemory) {
  ASSERT_TRUE(ask("a"));
  player.wait_until_playing("a");
  shelf.full = true;
  EXPECT_EQ(ask("b").error().kind, ErrorKind::NoRoom);
  EXPECT_EQ(lab->runs().size(), 1U);
  player.answer("a", "{}");
  EXPECT_EQ(wait_for(1, State::Succeeded).report, "{}");
  lab.reset();
  ASSERT_EQ(notices.size(), 1U);
  EXPECT_THAT(notices[0], HasSubstr("will not outlast this server"));
}

TEST_F(LabTest, ATraceIsCheckedBeforeItIsKept) {
  PolicySpec spec;
  spec.name = "a";
  LabQuestion question{{spec}, std::nullopt};
  question.trace = LabTrace{"jobs.csv", "", "4x8"};
  const auto refused = lab->ask(question, {{"a", "", ""}});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().message, "jobs.csv:1: there is no header");
  EXPECT_EQ(shelf.size(), 0U);
  player.answer("a", "{}");
  question.trace->text = "id\n";
  wait_for(*lab->ask(question, {{"a", "", ""}}), State::Succeeded);
  start();
  ASSERT_TRUE(lab->find(1)->trace.has_value());
  EXPECT_EQ(lab->find(1)->trace->name, "jobs.csv");
  EXPECT_EQ(lab->find(1)->trace->nodes, "4x8");
  question.trace->nodes = "name,gpus\na,8\n";
  EXPECT_EQ(wait_for(*lab->ask(question, {{"a", "", ""}}), State::Succeeded).trace->nodes, "");
}

TEST_F(LabTest, AReportThatIsTooLargeIsAFailure) {
  player.answer("a", std::string(200, ' '));
  EXPECT_THAT(wait_for(*ask("a"), State::Failed).error, HasSubstr("200 bytes"));
}

RC_GTEST_PROP(LabRecord, IsReadAsItWasWritten, ()) {
  LabRun run;
  run.id = *rc::gen::arbitrary<std::uint64_t>();
  run.state = *rc::gen::element(State::Queued, State::Running, State::Succeeded, State::Failed);
  run.asked_at = Time{*rc::gen::positive<std::int64_t>()};
  if (*rc::gen::arbitrary<bool>()) run.since = Time{*rc::gen::positive<std::int64_t>()};
  const auto ascii = [] {
    return *rc::gen::container<std::string>(rc::gen::inRange<char>('\x01', '\x7f'));
  };
  run.policies = {{ascii(), ascii(), ascii()}};
  run.error = ascii();
  run.report = R"({"notes":["a \"b\""]})";
  const std::string text = to_record(run);
  const auto read = read_record(text);
  RC_ASSERT(read.has_value());
  RC_ASSERT(read->id == run.id && read->state == run.state && read->since == run.since);
  RC_ASSERT(read->policies[0].text == run.policies[0].text && read->error == run.error);
  RC_ASSERT(read->report == run.report);
  std::string broken = text;
  const auto at = *rc::gen::inRange<std::size_t>(0, text.size());
  broken[at] = static_cast<char>(broken[at] ^ (1 << *rc::gen::inRange(0, 7)));
  const auto again = read_record(broken);
  RC_ASSERT(!again || again->report == run.report);  // the case of a hexadecimal digit says nothing
  RC_ASSERT(!read_record(text.substr(0, at)));
}

}  // namespace
}  // namespace gyre::server
