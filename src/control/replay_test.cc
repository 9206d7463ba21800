#include "control/replay.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "control/random_history.h"

namespace gyre::control {
namespace {

class MemoryJournal final : public Journal {
 public:
  void append(const Event& event) override { records.emplace_back(event); }
  void append(const Command& command) override { records.emplace_back(command); }
  Result<void> commit() override { return {}; }
  Result<void> save(const ControllerState&) override { return {}; }

  std::vector<Record> records;
};

class MemoryReader final : public JournalReader {
 public:
  explicit MemoryReader(std::vector<Record> records) : records_(std::move(records)) {}
  Result<std::optional<Record>> next() override {
    if (at_ == records_.size()) return std::optional<Record>();
    return records_[at_++];
  }

 private:
  std::vector<Record> records_;
  std::size_t at_ = 0;
};

std::vector<Record> history(std::uint64_t seed, int events, std::uint64_t arrivals = 15) {
  MemoryJournal journal;
  RandomHistory life(seed, Controller(Config{}), arrivals);
  for (int i = 0; i < events; ++i) life.step(journal);
  return std::move(journal.records);
}

std::vector<std::size_t> places_of_commands(const std::vector<Record>& records) {
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < records.size(); ++i) {
    if (std::holds_alternative<Command>(records[i])) places.push_back(i);
  }
  return places;
}

Result<ReplayReport> replayed(std::vector<Record> records) {
  MemoryReader reader(std::move(records));
  Controller core{Config{}};
  return replay(reader, core);
}

RC_GTEST_PROP(Replay, AJournalReplaysToItsOwnCommands, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  const auto records = history(seed, 400, *rc::gen::inRange<std::uint64_t>(5, 40));
  const auto report = replayed(records);
  RC_ASSERT(report.has_value());
  RC_ASSERT(report->matches());
  RC_ASSERT(report->events == 400U);
  RC_ASSERT(report->events + report->commands == records.size());
}

RC_GTEST_PROP(Replay, ASnapshotContinuesAsTheOriginal, ()) {
  const auto seed = *rc::gen::arbitrary<std::uint64_t>();
  MemoryJournal before;
  RandomHistory life(seed, Controller(Config{}), *rc::gen::inRange<std::uint64_t>(5, 40));
  const int cut = *rc::gen::inRange(20, 300);
  for (int i = 0; i < cut; ++i) life.step(before);
  auto restored = Controller::restore(Config{}, life.core().state());
  RC_ASSERT(restored.has_value());
  MemoryJournal after;
  for (int i = 0; i < 200; ++i) life.step(after);
  MemoryReader reader(after.records);
  const auto report = replay(reader, *restored);
  RC_ASSERT(report.has_value());
  RC_ASSERT(report->matches());
  RC_ASSERT(restored->state() == life.core().state());
}

TEST(Replay, AChangedCommandIsFound) {
  auto records = history(7, 400);
  const auto places = places_of_commands(records);
  ASSERT_GT(places.size(), 20U);
  auto& command = std::get<Command>(records[places[10]]);
  command.id.value += 1;
  const auto report = replayed(records).value();
  EXPECT_EQ(report.mismatches, 1U);
  const Mismatch& found = report.first_mismatches.front();
  EXPECT_EQ(found.recorded, command);
  ASSERT_TRUE(found.computed);
  EXPECT_EQ(found.computed->id.value + 1, command.id.value);
}

TEST(Replay, AMissingAndASpareCommandAreFound) {
  auto records = history(7, 400);
  const std::size_t place = places_of_commands(records)[10];
  auto missing = records;
  missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(place));
  const auto without = replayed(missing).value();
  EXPECT_GE(without.mismatches, 1U);
  auto spare = records;
  spare.insert(spare.begin() + 1, Command{CommandId{99}, StopGang{}});
  const auto with = replayed(spare).value();
  ASSERT_EQ(with.mismatches, 1U);
  EXPECT_EQ(with.first_mismatches[0].seq, EventSeq{1});
  EXPECT_FALSE(with.first_mismatches[0].computed);
}

/// The job of the last start; without its submission that start cannot come out.
JobId last_started(const std::vector<Record>& records) {
  JobId job;
  for (const auto& record : records) {
    const auto* command = std::get_if<Command>(&record);
    const auto* start = command == nullptr ? nullptr : std::get_if<StartGang>(&command->body);
    if (start != nullptr) job = start->job;
  }
  return job;
}

TEST(Replay, AnEventLostChangesWhatFollows) {
  auto records = history(7, 400);
  const JobId job = last_started(records);
  ASSERT_NE(job, JobId{});
  std::erase_if(records, [&](const auto& record) {
    const auto* event = std::get_if<Event>(&record);
    const auto* submitted = event == nullptr ? nullptr : std::get_if<JobSubmitted>(&event->body);
    return submitted != nullptr && submitted->job == job;
  });
  EXPECT_FALSE(replayed(records).value().matches());
}

TEST(Replay, KeepsTheFirstMismatchesAndCanStopThere) {
  auto records = history(7, 400);
  for (const std::size_t place : places_of_commands(records)) {
    std::get<Command>(records[place]).id.value += 1000;
  }
  const auto all = replayed(records).value();
  EXPECT_GT(all.mismatches, 10U);
  EXPECT_EQ(all.first_mismatches.size(), 10U);
  MemoryReader reader(records);
  Controller core{Config{}};
  EXPECT_EQ(replay(reader, core, {1, true}).value().mismatches, 1U);
}

TEST(Replay, DisorderIsAnError) {
  auto records = history(7, 50);
  EXPECT_NE(replayed({Command{}}).error().message.find("before any event"), std::string::npos);
  const auto first = records.front();
  records.insert(records.begin() + 3, first);
  const auto report = replayed(records);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, ErrorKind::Invalid);
  EXPECT_NE(report.error().message.find("out of order"), std::string::npos);
}

TEST(Replay, AnEmptyJournalIsFine) {
  const auto report = replayed({}).value();
  EXPECT_TRUE(report.matches());
  EXPECT_FALSE(report.last_event);
}

}  // namespace
}  // namespace gyre::control
