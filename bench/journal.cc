// The journal: what a commit costs, beside the same rows put into SQLite by hand in the same run;
// the text of one record; and how long a restart takes. The files lie in the system's temporary
// folder (TMPDIR), so a figure with FULL is one of that folder's disk.
#include "adapter/sqlite/journal.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#ifdef GYRE_HAVE_ADAPTER_POSTGRES
#include "adapter/postgres/journal.h"
#endif
#include "adapter/sqlite/database.h"
#include "base/assert.h"
#include "codec/journal_codec.h"
#include "control/random_history.h"
#include "control/replay.h"

namespace gyre {
namespace {

using adapter::sqlite::Database;
using adapter::sqlite::SqliteJournal;
using adapter::sqlite::Sync;
using control::Controller;
using control::RandomHistory;

void must(const Result<void>& done) { GYRE_ASSERT(done.has_value()); }

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "gyre-bench-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string file() const { return path_ / "journal.db"; }

 private:
  std::filesystem::path path_;
};

/// The records of a made-up cluster's life.
struct Records final : control::Journal {
  void append(const Event& event) override { all.emplace_back(event); }
  void append(const Command& command) override { all.emplace_back(command); }
  Result<void> commit() override { return {}; }
  Result<void> save(const ControllerState&) override { return {}; }
  std::vector<control::Record> all;
};

const std::vector<control::Record>& records() {
  static const std::vector<control::Record> kAll = [] {
    Records journal;
    RandomHistory life(1);
    for (int i = 0; i < 20'000; ++i) life.step(journal);
    return journal.all;
  }();
  return kAll;
}

std::string encoded(const control::Record& record) {
  return std::visit([](const auto& item) { return codec::encode(item); }, record);
}

void name_sync(benchmark::State& state) {
  constexpr const char* kNames[] = {"sync=full", "sync=normal", "sync=off"};
  state.SetLabel(kNames[state.range(0)]);
}

void count(benchmark::State& state) {
  const auto batch = static_cast<double>(state.range(1));
  const auto commits = static_cast<double>(state.iterations());
  state.counters["commits/s"] = benchmark::Counter(commits, benchmark::Counter::kIsRate);
  state.counters["records/s"] = benchmark::Counter(commits * batch, benchmark::Counter::kIsRate);
}

void append_batches(benchmark::State& state, control::Journal& journal) {
  const std::vector<control::Record>& all = records();
  std::size_t at = 0;
  for (auto _ : state) {
    for (std::int64_t i = 0; i < state.range(1); ++i) {
      std::visit([&](const auto& item) { journal.append(item); }, all[at]);
      at = (at + 1) % all.size();
    }
    must(journal.commit());
  }
  name_sync(state);
  count(state);
}

/// Arguments: Sync, records a commit.
void Journal(benchmark::State& state) {
  const Folder folder;
  append_batches(state,
                 *SqliteJournal::open({folder.file(), static_cast<Sync>(state.range(0))}).value());
}

/// The same rows with text and checksum made beforehand: SQLite alone.
void SqliteByHand(benchmark::State& state) {
  constexpr const char* kSync[] = {"FULL", "NORMAL", "OFF"};
  const Folder folder;
  auto database = Database::open(folder.file(), Database::Mode::ReadWrite, 0).value();
  must(database.execute(
      std::string("PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint=4000;"
                  "CREATE TABLE records(position INTEGER PRIMARY KEY, kind INTEGER, at "
                  "INTEGER, seq INTEGER, body TEXT, checksum INTEGER);PRAGMA synchronous=") +
      kSync[state.range(0)]));
  auto insert = database.prepare("INSERT INTO records VALUES(?, 0, ?, ?, ?, 4294967295)").value();
  std::vector<std::string> bodies;
  for (const control::Record& record : records()) bodies.push_back(encoded(record));
  std::int64_t position = 0;
  for (auto _ : state) {
    must(database.execute("BEGIN IMMEDIATE"));
    for (std::int64_t i = 0; i < state.range(1); ++i) {
      ++position;
      const std::string& body = bodies[static_cast<std::size_t>(position) % bodies.size()];
      insert.bind(1, position).bind(2, position * 1'000'000).bind(3, position).bind(4, body);
      must(insert.run());
    }
    must(database.execute("COMMIT"));
  }
  name_sync(state);
  count(state);
}

#ifdef GYRE_HAVE_ADAPTER_POSTGRES
/// The same into the database that GYRE_BENCH_POSTGRES names. Arguments as of Journal.
void Postgres(benchmark::State& state) {
  namespace pg = adapter::postgres;
  const char* const url = std::getenv("GYRE_BENCH_POSTGRES");
  if (url == nullptr) return state.SkipWithError("GYRE_BENCH_POSTGRES names no database");
  pg::JournalOptions options;
  options.target = pg::parse_target(url).value();
  options.sync = static_cast<Sync>(state.range(0));
  options.take.holder = {"bench", "bench"};
  const auto journal = pg::PostgresJournal::open(options).value();
  append_batches(state, *journal);
}
#endif

void commit_sizes(benchmark::internal::Benchmark* bench) {
  for (const int sync : {0, 1, 2}) {
    for (const int batch : {1, 10, 100, 1000}) bench->Args({sync, batch});
  }
  bench->UseRealTime()->Unit(benchmark::kMicrosecond);
}
BENCHMARK(Journal)->Apply(commit_sizes);
BENCHMARK(SqliteByHand)->Apply(commit_sizes);
#ifdef GYRE_HAVE_ADAPTER_POSTGRES
BENCHMARK(Postgres)->Apply(commit_sizes);
#endif

Event submission() {
  JobSpec spec;
  spec.name = "finetune";
  spec.tasks = {{2, {8, kWholeGpu, MemoryMib{81'920}, {"H100"}, CpuMilli{16'000}, {204'800}}}};
  spec.preemptible = true;
  spec.deadline = seconds(43'200);
  spec.launch.command = {"/bin/sh", "-c", "torchrun --nnodes=$GYRE_NUM_NODES train.py"};
  spec.launch.env = {{"EPOCHS", "3"}, {"DATA", "/data/imagenet"}};
  return {Time{1'700'000'000'123'456'789}, EventSeq{4711}, JobSubmitted{JobId{17}, spec, "key-1"}};
}

void EncodeSubmission(benchmark::State& state) {
  const Event event = submission();
  for (auto _ : state) benchmark::DoNotOptimize(codec::encode(event));
  state.counters["bytes"] = static_cast<double>(codec::encode(event).size());
}
BENCHMARK(EncodeSubmission);

void DecodeSubmission(benchmark::State& state) {
  const std::string text = codec::encode(submission());
  for (auto _ : state) benchmark::DoNotOptimize(codec::decode_event(text));
}
BENCHMARK(DecodeSubmission);

/// A store with 10,000 jobs that run or wait; argument 1: with a snapshot of them, 0: events alone.
void RecoverTenThousandJobs(benchmark::State& state) {
  const Folder folder;
  const auto journal = SqliteJournal::open({folder.file(), Sync::Off}).value();
  Controller core{control::Config{}};
  std::uint64_t seq = 0;
  const auto tell = [&](Event::Body body) {
    const Event event{Time{static_cast<std::int64_t>(seq) * 1'000'000}, EventSeq{++seq},
                      std::move(body)};
    journal->append(event);
    for (const Command& command : core.step(event).commands) journal->append(command);
  };
  tell(PolicySet{*policy_by_name("preemptive")});
  tell(QueueSet{{"default", ""}});
  for (std::uint32_t i = 0; i < 500; ++i) {
    NodeSpec node{"node-" + std::to_string(i), "", "H100", 8, {81'920}, {128'000}, {1'048'576}};
    tell(NodeJoined{NodeId{i}, std::move(node)});
  }
  JobSpec spec = std::get<JobSubmitted>(submission().body).spec;
  spec.tasks[0].count = 1;
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    spec.tasks[0].request.gpus = 1 + static_cast<std::int32_t>(id % 2);
    spec.tasks[0].request.cpu = CpuMilli{4000};
    tell(JobSubmitted{JobId{id}, spec, "key-" + std::to_string(id)});
  }
  must(journal->commit());
  if (state.range(0) == 1) must(journal->save(core.state()));
  for (auto _ : state) {
    const auto recovered = journal->recover({}).value();
    if (recovered.core.last_event() != core.last_event()) state.SkipWithError("not recovered");
  }
  state.counters["events"] = static_cast<double>(seq);
}
BENCHMARK(RecoverTenThousandJobs)->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace gyre

BENCHMARK_MAIN();
