#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/checks.h"
#include "cli/state_folder.h"
#include "cli/verbs.h"
#include "codec/utc.h"

namespace gyre::cli {
namespace {

void print_facts(const Session& session, const BackupFacts& facts, const std::string& said) {
  const Format format = session.format();
  if (is_document(format)) {
    nlohmann::ordered_json document{{"path", facts.path},
                                    {"cluster_id", facts.cluster_id},
                                    {"written_by", facts.written_by},
                                    {"made_at", nullptr},
                                    {"bytes", facts.bytes},
                                    {"events", facts.events},
                                    {"commands", facts.commands},
                                    {"last_event", facts.last.value},
                                    {"last_event_at", format_utc(facts.last_at)},
                                    {"files", facts.files}};
    if (facts.made_at != Time{}) document["made_at"] = format_utc(facts.made_at);
    print_document(document, format);
    return;
  }
  fmt::print("{}: {}; {} events, {} commands, the last is event {} of {}\n", facts.path, said,
             facts.events, facts.commands, facts.last.value, format_utc(facts.last_at));
}

Outcome<int> finish(const Session& session, const Result<BackupFacts>& facts,
                    const std::string& said) {
  if (!facts) return give_up(kError, "{}", facts.error().message);
  print_facts(session, *facts, said);
  return kOk;
}

void add_create(CLI::App& backup, Session& session) {
  auto* verb = add_verb(backup, "create", "Copy the store into one file, also while a server runs",
                        "  gyre backup create /backups/monday.gyre");
  auto file = std::make_shared<std::string>();
  verb->add_option("FILE", *file, "where to; must not exist")->required();
  verb->add_option("--state", session.state, "the state folder; else GYRE_STATE, else the user's")
      ->type_name("DIR");
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, file]() -> Outcome<int> {
    const auto folder = state_folder_path(session.state);
    if (!folder) return tl::unexpected(folder.error());
    return finish(session, session.ports.backups.create(*folder, *file), "made, and whole");
  });
}

void add_verify(CLI::App& backup, Session& session) {
  auto* verb = add_verb(backup, "verify", "Read all of a backup, and replay it",
                        "  gyre backup verify /backups/monday.gyre");
  auto file = std::make_shared<std::string>();
  verb->add_option("FILE", *file, "a backup, or a journal")->required();
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, file] {
    return finish(session, session.ports.backups.verify(*file),
                  "whole, and all commands came out the same");
  });
}

void add_restore(CLI::App& backup, Session& session) {
  auto* verb =
      add_verb(backup, "restore", "Make a store of a backup, as it was at some moment",
               "  gyre backup restore monday.gyre --to /var/lib/gyre\n"
               "  gyre backup restore monday.gyre --to postgresql://gyre@db/gyre\n"
               "  gyre backup restore monday.gyre --to /tmp/then --at 2026-03-01T10:02:11Z\n\n"
               "FILE may be the journal of a state folder, also a damaged one up to where it "
               "is whole.\nEnd the old server first: agents that have seen the restored one "
               "obey the old one no more.");
  auto file = std::make_shared<std::string>();
  auto folder = std::make_shared<std::string>();
  auto at = std::make_shared<std::string>();
  auto upto = std::make_shared<std::uint64_t>(0);
  verb->add_option("FILE", *file, "a backup, or a journal")->required();
  verb->add_option("--to", *folder,
                   "the state folder to make, which must not exist or be empty; or a PostgreSQL "
                   "database without a journal")
      ->required()
      ->type_name("FOLDER|postgresql://...");
  auto* by_event = verb->add_option("--upto", *upto, "take the events up to this one")
                       ->check(at_least(1))
                       ->type_name("SEQ");
  verb->add_option("--at", *at, "take what had happened by then: 2026-03-01T10:02:11Z")
      ->excludes(by_event)
      ->type_name("TIME");
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, file, folder, at, upto]() -> Outcome<int> {
    BackupCut cut;
    if (*upto > 0) cut.upto = *upto;
    if (!at->empty()) {
      cut.at = codec::parse_utc(*at);
      if (!cut.at) {
        return give_up(kUsage, "--at: '{}' is no time in UTC such as 2026-03-01T10:02:11Z", *at);
      }
    }
    return finish(session, session.ports.backups.restore(*file, *folder, cut), "restored");
  });
}

}  // namespace

void add_backup_verb(CLI::App& app, Session& session) {
  auto* backup = add_verb(app, "backup", "Copy the store, check copies, and go back to one",
                          "  gyre backup create monday.gyre\n  gyre backup verify monday.gyre\n"
                          "  gyre backup restore monday.gyre --to FOLDER");
  backup->require_subcommand(1);
  add_create(*backup, session);
  add_verify(*backup, session);
  add_restore(*backup, session);
}

}  // namespace gyre::cli
