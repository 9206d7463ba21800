#include "apps/backup.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>
#include <utility>

#include "adapter/sqlite/backup.h"
#include "adapter/sqlite/file_lock.h"
#include "adapter/sqlite/journal.h"
#include "apps/leadership.h"
#include "apps/machine.h"
#include "base/units.h"
#include "control/replay.h"
#include "control/restore.h"
#include "live/clock.h"
#include "live/files.h"
#include "live/opening.h"
#include "server/api/server_facts.h"

#ifdef GYRE_HAVE_ADAPTER_POSTGRES
#include "adapter/postgres/restoration.h"
#endif

namespace gyre::apps {
namespace {

namespace fs = std::filesystem;
namespace store = adapter::sqlite;

constexpr const char* kJournal = "journal.sqlite";
constexpr const char* kLongestLease = "lease_s";
// Jobs that a backup does not know may have had these ids, and their tasks may still run.
constexpr std::uint64_t kJobsSkipped = 1'000'000;

Time now() { return live::system_clock_source()().real; }

/// The fleet's authority, without which every agent would have to join anew, and the longest lease.
Result<std::vector<store::SideFile>> read_side_files(const fs::path& folder) {
  std::vector<fs::path> paths{folder / kLongestLease};
  std::error_code error;
  for (fs::directory_iterator entry(folder / "fleet", error), end; !error && entry != end;
       entry.increment(error)) {
    paths.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return fail(ErrorKind::Internal, "cannot read the folder {}: {}", (folder / "fleet").string(),
                error.message());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<store::SideFile> files;
  for (const fs::path& path : paths) {
    if (!fs::is_regular_file(path, error)) continue;
    auto body = live::read_private_file(path);
    if (!body && body.error().kind == ErrorKind::NotFound) continue;  // it went meanwhile
    if (!body) return tl::unexpected(body.error());
    files.push_back({path.lexically_relative(folder).string(), std::move(*body)});
  }
  return files;
}

/// A name comes from a file: it may lead nowhere else.
bool is_side_file(const fs::path& name) {
  return name == kLongestLease || (name.parent_path() == "fleet" && name.has_filename() &&
                                   name.filename() != "." && name.filename() != "..");
}

Result<void> write_side_files(const fs::path& folder, const std::vector<store::SideFile>& files) {
  for (const store::SideFile& file : files) {
    const fs::path path = folder / file.name;
    if (path.parent_path() != folder) {
      auto made = live::make_private_folder(path.parent_path());
      if (!made) return made;
    }
    if (auto written = live::write_private_file(path, file.body); !written) return written;
  }
  return {};
}

Result<cli::BackupFacts> facts_of(const std::string& file, const store::RecordCounts& counts) {
  const auto content = store::read_backup(file);
  if (!content) return tl::unexpected(content.error());
  auto reader = store::SqliteJournalReader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  std::error_code error;
  return cli::BackupFacts{.path = file,
                          .cluster_id = (*reader)->cluster_id(),
                          .written_by = (*reader)->written_by(),
                          .made_at = content->made_at,
                          .bytes = fs::file_size(file, error),
                          .events = counts.events,
                          .commands = counts.commands,
                          .last = counts.last,
                          .last_at = counts.last_at,
                          .files = content->files.size()};
}

/// It is no outage that lasted since the backup was made: nobody knows when it began.
std::vector<Event::Body> closing_events(const control::Controller& core, const std::string& file,
                                        Time present) {
  std::vector<Event::Body> events = live::distrust_nodes(core);
  events.emplace_back(
      StoreHealed{Symptom::JournalDamaged, std::max(core.now(), present),
                  fmt::format("restored from {} as it was after event {} of {}", file,
                              core.last_event().value, format_utc(core.now()))});
  return events;
}

fs::path folder_of(const fs::path& file) {
  return file.has_parent_path() ? file.parent_path() : fs::path(".");
}

/// What is restored: a backup, or the journal of a state folder.
struct Original {
  std::string file;
  std::optional<store::FileLock> lock;  // of a state folder's: no server goes on with it meanwhile
  std::unique_ptr<store::SqliteJournalReader> reader;
  std::vector<store::SideFile> files;
};

Result<Original> open_original(const std::string& file) {
  auto reader = store::SqliteJournalReader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  auto content = store::read_backup(file);
  if (!content) return tl::unexpected(content.error());
  std::optional<store::FileLock> lock;
  if (content->made_at == Time{}) {  // the journal of a state folder
    const std::string lock_file = file + ".lock";
    if (std::error_code error; fs::exists(lock_file, error)) {
      auto taken = store::FileLock::take(lock_file);
      if (!taken) {
        return fail(taken.error().kind,
                    "a server runs on '{}', and two must not go on with one journal: stop it, or "
                    "restore what 'gyre backup create FILE' makes of it ({})",
                    file, taken.error().message);
      }
      lock.emplace(std::move(*taken));
    }
    auto files = read_side_files(folder_of(file));
    if (!files) return tl::unexpected(files.error());
    content->files = std::move(*files);
  }
  for (const store::SideFile& side : content->files) {
    if (is_side_file(side.name)) continue;
    return fail(ErrorKind::Invalid, "the backup has a file '{}', which no backup has", side.name);
  }
  return Original{file, std::move(lock), std::move(*reader), std::move(content->files)};
}

/// The least number that a job may have which the journal did not know.
JobId first_job_after(const control::Controller& core) {
  return {core.jobs().last().value + 1 + kJobsSkipped};
}

Result<control::RestoreReport> write_anew(control::Journal& journal, const Original& original,
                                          const cli::BackupCut& cut, control::Controller& core) {
  control::RestoreOptions options;
  if (cut.upto) options.upto = EventSeq{*cut.upto};
  options.at = cut.at;
  options.closing_at = now();
  options.closing = [&](const control::Controller& then) {
    return closing_events(then, original.file, options.closing_at);
  };
  return control::restore(*original.reader, journal, core, options);
}

Result<control::RestoreReport> restore_into_folder(const fs::path& folder, const std::string& file,
                                                   const cli::BackupCut& cut) {
  const auto original = open_original(file);
  if (!original) return tl::unexpected(original.error());
  if (auto done = write_side_files(folder, original->files); !done)
    return tl::unexpected(done.error());
  const std::string path = folder / kJournal;
  control::Controller core{control::Config{}};
  auto report = [&]() -> Result<control::RestoreReport> {
    auto journal = store::SqliteJournal::open({path, store::Sync::Normal});
    if (!journal) return tl::unexpected(journal.error());
    return write_anew(**journal, *original, cut, core);
  }();
  if (!report) return report;
  if (auto done = store::succeed(path, file, now(), first_job_after(core)); !done)
    return tl::unexpected(done.error());
  return report;
}

#ifdef GYRE_HAVE_ADAPTER_POSTGRES
namespace pg = adapter::postgres;

std::int64_t longest_lease_s(const std::vector<store::SideFile>& files) {
  std::int64_t longest = 0;
  for (const store::SideFile& file : files) {
    if (file.name == kLongestLease) {
      std::from_chars(file.body.data(), file.body.data() + file.body.size(), longest);
    }
  }
  return std::max<std::int64_t>(longest, 0);
}

Result<cli::BackupFacts> restore_into_database(const std::string& file, const std::string& address,
                                               const cli::BackupCut& cut) {
  const auto target = pg::parse_target(address);
  if (!target) return tl::unexpected(target.error());
  const auto original = open_original(file);
  if (!original) return tl::unexpected(original.error());
  auto begun = pg::Restoration::begin(*target, longest_lease_s(original->files));
  if (!begun) return tl::unexpected(begun.error());
  pg::Restoration& restoration = **begun;
  for (const store::SideFile& side : original->files) {
    if (side.name == kLongestLease) continue;
    const std::string name = fs::path(side.name).filename();
    if (auto kept = restoration.files().put(name, side.body); !kept) {
      return tl::unexpected(kept.error());
    }
  }
  control::Controller core{control::Config{}};
  const auto report = write_anew(restoration.journal(), *original, cut, core);
  if (!report) return tl::unexpected(report.error());
  if (auto done = restoration.finish(original->reader->cluster_id(), first_job_after(core));
      !done) {
    return tl::unexpected(done.error());
  }
  auto facts = facts_of(file, {report->events, report->commands, report->last, report->last_at});
  if (facts) facts->path = target->shown;
  return facts;
}
#else
Result<cli::BackupFacts> restore_into_database(const std::string&, const std::string&,
                                               const cli::BackupCut&) {
  return fail(ErrorKind::Unsupported, "{}", kNoPostgres);
}
#endif

/// For whoever asks the server when the last one was made. The backup is whole without it.
void leave_note(const std::string& state_folder, const cli::BackupFacts& backup) {
  std::error_code error;
  const std::string file = fs::absolute(backup.path, error).lexically_normal();
  const auto written = live::write_private_file(
      state_folder + "/" + server::kBackupNote,
      server::write_backup_note({backup.made_at, error ? backup.path : file}));
  if (!written) say("warning: " + written.error().message);
}

}  // namespace

Result<cli::BackupFacts> create_backup(const std::string& state_folder, const std::string& file) {
  if (const auto own = check_own_journal(state_folder); !own) {
    return fail(ErrorKind::Unsupported, "{}; its backups are PostgreSQL's own, pg_dump's",
                own.error().message);
  }
  auto files = read_side_files(state_folder);
  if (!files) return tl::unexpected(files.error());
  auto made = store::copy_journal((fs::path(state_folder) / kJournal).string(), file,
                                  {now(), std::move(*files)});
  if (!made) return tl::unexpected(made.error());
  auto facts = facts_of(file, *made);
  if (facts) leave_note(state_folder, *facts);
  return facts;
}

Result<cli::BackupFacts> verify_backup(const std::string& file) {
  if (auto sound = store::check_file(file); !sound) return tl::unexpected(sound.error());
  auto reader = store::SqliteJournalReader::open(file);
  if (!reader) return tl::unexpected(reader.error());
  control::Controller core{control::Config{}};
  const auto report = control::replay(**reader, core);
  if (!report) return tl::unexpected(report.error());
  if (!report->matches()) {
    return fail(ErrorKind::Invalid, "'{}': event {} led to other commands than recorded", file,
                report->first_mismatches.front().seq.value);
  }
  return facts_of(file, {report->events, report->commands, report->last_event.value_or(EventSeq{}),
                         report->last_time});
}

Result<cli::BackupFacts> restore_backup(const std::string& file, const std::string& folder,
                                        const cli::BackupCut& cut) {
  if (Leadership::is_address(folder)) return restore_into_database(file, folder, cut);
  std::error_code error;
  fs::path target = fs::absolute(folder, error).lexically_normal();
  if (error) return fail(ErrorKind::Internal, "cannot find '{}': {}", folder, error.message());
  if (!target.has_filename()) target = target.parent_path();
  if (fs::exists(target, error) && !fs::is_empty(target, error)) {
    return fail(ErrorKind::Conflict,
                "'{}' is not an empty folder; nothing is ever restored over what is "
                "there",
                folder);
  }
  const fs::path draft = fmt::format("{}.{}.partial", target.string(), ::getpid());
  fs::create_directories(draft.parent_path(), error);
  if (auto made = live::make_private_folder(draft); !made) {
    return tl::unexpected(made.error());
  }
  const auto report = restore_into_folder(draft, file, cut);
  std::error_code moved;
  if (report) {
    fs::remove(target, error);
    fs::rename(draft, target, moved);
  }
  if (!report || moved) fs::remove_all(draft, error);
  if (!report) return tl::unexpected(report.error());
  if (moved) return fail(ErrorKind::Internal, "cannot make '{}': {}", folder, moved.message());
  auto facts = facts_of(file, {report->events, report->commands, report->last, report->last_at});
  if (facts) facts->path = target;
  return facts;
}

}  // namespace gyre::apps
