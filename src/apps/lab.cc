#include "apps/lab.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <utility>

#include "adapter/sqlite/journal.h"
#include "live/files.h"
#include "server/api/api.h"
#include "sim/history/what_if.h"
#include "sim/setting.h"
#include "sim/simulate.h"
#include "sim/traces/byte_source.h"
#include "sim/traces/fleet.h"
#include "sim/traces/trace.h"

namespace gyre::apps {
namespace {

constexpr int kNicest = 19;
constexpr std::uint64_t kRecordsPerTell = 4096;
constexpr std::uint64_t kCommitsPerTell = 64;
constexpr std::string_view kPrefix = "run-";

/// Where a run is, and whether it is still wanted. First a journal is read, then what happened is
/// replayed, then each policy is played. Of a trace, each policy is played.
class Course {
 public:
  explicit Course(const server::LabPlayer::Tell& tell) : tell_(tell) {}

  /// Errors: Unavailable, nobody wants it any more.
  Result<void> go_on() {
    wanted_ = wanted_ && tell_(progress_);
    if (wanted_) return {};
    return fail(ErrorKind::Unavailable, "it was given up");
  }

  void open_journal() {
    ++readings_;
    progress_ = {readings_ == 1 ? "reading the journal" : "replaying what happened", 0};
  }

  void take(const sim::Progress& at) {
    const double before = readings_ == 0 ? 0 : 1;
    const double parts = before + static_cast<double>(at.policy_count);
    const double done =
        at.jobs == 0 ? 0 : static_cast<double>(at.jobs_done) / static_cast<double>(at.jobs);
    progress_ = {fmt::format("playing {}: {} of {} jobs", at.policy, at.jobs_done, at.jobs),
                 (before + static_cast<double>(at.policy_index) + std::min(done, 1.0)) / parts};
    wanted_ = wanted_ && tell_(progress_);
  }

 private:
  const server::LabPlayer::Tell& tell_;
  server::LabProgress progress_{"reading the trace", 0};
  int readings_ = 0;
  bool wanted_ = true;
};

/// A journal that is read as long as somebody wants it.
class WantedReader final : public control::JournalReader {
 public:
  WantedReader(std::unique_ptr<control::JournalReader> journal, Course& course)
      : journal_(std::move(journal)), course_(course) {}

  Result<std::optional<control::Record>> next() override {
    if (records_++ % kRecordsPerTell == 0) {
      if (const auto on = course_.go_on(); !on) return tl::unexpected(on.error());
    }
    return journal_->next();
  }

 private:
  std::unique_ptr<control::JournalReader> journal_;
  Course& course_;
  std::uint64_t records_ = 0;
};

/// Keeps nothing, and fails once nobody wants the run that writes it.
class WantedRun final : public control::Journal {
 public:
  explicit WantedRun(Course& course) : course_(course) {}
  void append(const Event&) override {}
  void append(const Command&) override {}
  Result<void> commit() override {
    return commits_++ % kCommitsPerTell == 0 ? course_.go_on() : Result<void>();
  }
  Result<void> save(const ControllerState&) override { return {}; }

 private:
  Course& course_;
  std::uint64_t commits_ = 0;
};

/// Errors: Invalid, with file, line and column.
Result<sim::SettingInputs> read_inputs(const server::LabTrace& given) {
  auto fleet = given.has_node_list()
                   ? sim::read_node_list(sim::text_source(given.nodes), "node list")
                   : sim::parse_shape(given.nodes);
  if (!fleet) return tl::unexpected(fleet.error());
  sim::TraceOptions options;
  if (!given.format.empty()) options.format = given.format;
  auto trace = sim::read_trace(sim::text_source(given.text), given.name, options);
  if (!trace) return tl::unexpected(trace.error());
  if (trace->jobs.size() > SimulationPlayer::kTraceJobsMax) {
    return fail(ErrorKind::Invalid,
                "{} has {} jobs; the policy lab plays {} at most, 'gyre simulate' any number",
                given.name, trace->jobs.size(), SimulationPlayer::kTraceJobsMax);
  }
  std::vector<std::string> notes = trace->notes;
  notes.insert(notes.end(), fleet->notes.begin(), fleet->notes.end());
  return sim::SettingInputs{std::move(*trace), std::move(*fleet), sim::FailureModel::none(),
                            std::move(notes)};
}

Result<sim::SimulationReport> play_trace(const server::LabQuestion& question,
                                         sim::Surroundings surroundings) {
  auto inputs = read_inputs(*question.trace);
  if (!inputs) return tl::unexpected(inputs.error());
  sim::SimulateOptions options;
  options.policies = question.policies;
  options.surroundings = std::move(surroundings);
  return sim::simulate(std::move(*inputs), options);
}

/// The live policy first, with which the others are compared.
Result<sim::SimulationReport> play_served(const server::LabQuestion& question,
                                          const ServedTrace& served,
                                          sim::Surroundings surroundings) {
  sim::SimulateOptions options = served.options;
  options.policies = {served.options.policies.front()};
  for (const PolicySpec& policy : question.policies) {
    if (policy != options.policies.front()) options.policies.push_back(policy);
  }
  options.surroundings = std::move(surroundings);
  return sim::simulate(served.inputs, options);
}

Result<sim::SimulationReport> play_past(const server::LabQuestion& question,
                                        const JournalOpener& journal, Course& course,
                                        sim::Surroundings surroundings) {
  sim::WhatIfOptions options;
  options.name = "the journal";
  options.policies = question.policies;
  options.since = question.since;
  options.until = question.until;
  options.open = [&]() -> Result<std::unique_ptr<control::JournalReader>> {
    course.open_journal();
    auto reader = journal();
    if (!reader) return tl::unexpected(reader.error());
    return std::make_unique<WantedReader>(std::move(*reader), course);
  };
  options.surroundings = std::move(surroundings);
  return sim::what_if(options);
}

/// The calling thread, not its process.
void be_nice() { (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNicest); }

}  // namespace

Result<std::unique_ptr<control::JournalReader>> open_journal_file(const std::string& path) {
  return adapter::sqlite::SqliteJournalReader::open(path);
}

std::optional<server::LabRun::Trace> SimulationPlayer::own_trace() const {
  const auto* const served = std::get_if<ServedTrace>(&own_);
  if (served == nullptr) return std::nullopt;
  const sim::SimulateOptions& options = served->options;
  return server::LabRun::Trace{
      std::filesystem::path(sim::display_name(options.trace_path)).filename().string(),
      sim::parse_shape(options.nodes) ? options.nodes : ""};  // a file has no shape to tell
}

Result<void> SimulationPlayer::check(const server::LabTrace& trace) {
  const auto inputs = read_inputs(trace);
  return inputs ? Result<void>() : tl::unexpected(inputs.error());
}

Result<std::string> SimulationPlayer::play(const server::LabQuestion& question, const Tell& tell) {
  be_nice();
  Course course(tell);
  sim::Surroundings surroundings;
  surroundings.progress = [&](const sim::Progress& progress) { course.take(progress); };
  surroundings.open_journal = [&](const PolicySpec&) {
    return Result<std::unique_ptr<control::Journal>>(std::make_unique<WantedRun>(course));
  };
  const auto* const served = std::get_if<ServedTrace>(&own_);
  const auto report = question.trace ? play_trace(question, std::move(surroundings))
                      : served       ? play_served(question, *served, std::move(surroundings))
                                     : play_past(question, std::get<JournalOpener>(own_), course,
                                                 std::move(surroundings));
  if (!report) return tl::unexpected(report.error());
  std::string json = to_json(*report);
  if (json.ends_with('\n')) json.pop_back();
  return json;
}

std::string ResultFolder::file(std::uint64_t id) const {
  return fmt::format("{}/{}{:06}", path_, kPrefix, id);
}

std::vector<server::LabShelf::Kept> ResultFolder::all() {
  std::vector<Kept> kept;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename().string();
    std::uint64_t id = 0;
    const char* const end = name.data() + name.size();
    if (!name.starts_with(kPrefix)) continue;
    const auto read = std::from_chars(name.data() + kPrefix.size(), end, id);
    if (read.ec != std::errc{} || read.ptr != end || entry.path() != file(id)) continue;
    kept.push_back({id, live::read_private_file(entry.path().string())});
  }
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) { return a.id < b.id; });
  return kept;
}

Result<void> ResultFolder::put(std::uint64_t id, const std::string& text) {
  if (auto made = live::make_private_folder(path_); !made) return made;
  return live::write_private_file(file(id), text);
}

void ResultFolder::remove(std::uint64_t id) { (void)unlink(file(id).c_str()); }

PolicyLab::PolicyLab(const std::string& state, JournalOpener journal,
                     std::function<void(const std::string&)> notice)
    : player(std::move(journal)),
      results(std::make_unique<ResultFolder>(state + "/lab")),
      lab(player, *results, {.clock = server::machine_time, .notice = std::move(notice)}) {}

PolicyLab::PolicyLab(ServedTrace served, std::function<Time()> clock,
                     std::function<void(const std::string&)> notice)
    : player(std::move(served)),
      results(std::make_unique<NoShelf>()),
      lab(player, *results,
          {.own_trace = player.own_trace(),
           .clock = std::move(clock),
           .notice = std::move(notice)}) {}

}  // namespace gyre::apps
