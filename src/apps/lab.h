#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "control/journal.h"
#include "server/lab/lab.h"
#include "sim/setting.h"

namespace gyre::apps {

/// Opens a journal from its first record. Any thread.
using JournalOpener = std::function<Result<std::unique_ptr<control::JournalReader>>()>;

/// Of a file. Errors: as of SqliteJournalReader.
Result<std::unique_ptr<control::JournalReader>> open_journal_file(const std::string& path);

/// What `gyre simulate --serve` plays, under the first policy of its options.
struct ServedTrace {
  sim::SettingInputs inputs;
  sim::SimulateOptions options;
};

/// Plays a server's own journal under other policies, as `gyre replay --policy` does, or the trace
/// that it plays itself, and traces that it is given, as `gyre simulate` does, at the lowest
/// priority. It reads what a server may be writing, and never writes it.
class SimulationPlayer final : public server::LabPlayer {
 public:
  static constexpr std::size_t kTraceJobsMax = 200'000;

  explicit SimulationPlayer(std::variant<JournalOpener, ServedTrace> own) : own_(std::move(own)) {}
  /// What is played where no trace is given; nullopt: the past.
  std::optional<server::LabRun::Trace> own_trace() const;
  Result<void> check(const server::LabTrace& trace) override;
  Result<std::string> play(const server::LabQuestion& question, const Tell& tell) override;

 private:
  const std::variant<JournalOpener, ServedTrace> own_;
};

/// A folder with a file for each result. One thread at a time a file.
class ResultFolder final : public server::LabShelf {
 public:
  explicit ResultFolder(std::string path) : path_(std::move(path)) {}
  std::vector<Kept> all() override;
  Result<void> put(std::uint64_t id, const std::string& text) override;
  void remove(std::uint64_t id) override;

 private:
  std::string file(std::uint64_t id) const;
  const std::string path_;
};

/// Keeps nothing: results last as long as the server.
class NoShelf final : public server::LabShelf {
 public:
  std::vector<Kept> all() override { return {}; }
  Result<void> put(std::uint64_t, const std::string&) override { return {}; }
  void remove(std::uint64_t) override {}
};

/// The policy lab of a server.
struct PolicyLab {
  PolicyLab(const std::string& state, JournalOpener journal,
            std::function<void(const std::string&)> notice);
  /// Of one that plays a trace. `clock`: its time.
  PolicyLab(ServedTrace served, std::function<Time()> clock,
            std::function<void(const std::string&)> notice);

  SimulationPlayer player;
  std::unique_ptr<server::LabShelf> results;
  server::Lab lab;
};

}  // namespace gyre::apps
