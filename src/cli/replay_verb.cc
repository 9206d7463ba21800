#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/simulation.h"
#include "cli/verbs.h"
#include "codec/journal_codec.h"
#include "codec/utc.h"
#include "control/replay.h"
#include "sim/history/what_if.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

struct ReplayFlags {
  std::string journal, policies, out, since, until;
  bool check = false;
};

Json mismatch_json(const control::Mismatch& mismatch) {
  const auto command = [](const std::optional<Command>& side) {
    return side ? Json::parse(codec::encode(*side)) : Json(nullptr);
  };
  return {{"event", mismatch.seq.value},
          {"recorded", command(mismatch.recorded)},
          {"computed", command(mismatch.computed)}};
}

void print_replay(const control::ReplayReport& report) {
  if (report.matches()) {
    fmt::print("{} events replayed; all {} commands came out the same\n", report.events,
               report.commands);
    return;
  }
  fmt::print("{} events replayed; {} of {} commands came out otherwise\n", report.events,
             report.mismatches, report.commands);
  for (const control::Mismatch& mismatch : report.first_mismatches) {
    fmt::print("  after event {}:\n    recorded {}\n    computed {}\n", mismatch.seq.value,
               mismatch.recorded ? codec::encode(*mismatch.recorded) : "nothing",
               mismatch.computed ? codec::encode(*mismatch.computed) : "nothing");
  }
}

Outcome<int> replay(const Session& session, const std::string& path) {
  auto journal = session.ports.open_journal(path);
  if (!journal) return give_up(kError, "{}", journal.error().message);
  control::Controller core{control::Config{}};
  const auto report = control::replay(**journal, core);
  if (!report) return give_up(kError, "{}", report.error().message);
  const Format format = session.format();
  if (is_document(format)) {
    Json mismatches = Json::array();
    for (const auto& mismatch : report->first_mismatches) {
      mismatches.push_back(mismatch_json(mismatch));
    }
    print_document({{"events", report->events},
                    {"commands", report->commands},
                    {"mismatches", report->mismatches},
                    {"matches", report->matches()},
                    {"first_mismatches", std::move(mismatches)}},
                   format);
  } else {
    print_replay(*report);
  }
  return report->matches() ? kOk : kError;
}

/// What the report calls the journal: a file "journal.sqlite" says less than the folder it is in.
std::string name_of(const std::string& path) {
  std::filesystem::path name = std::filesystem::path(path).lexically_normal();
  if (!name.has_filename()) name = name.parent_path();
  return name.filename().string();
}

/// None: it was not said. Errors: kUsage.
Outcome<std::optional<Time>> read_time(const char* flag, const std::string& text) {
  if (text.empty()) return std::nullopt;
  if (const auto time = codec::parse_utc(text)) return time;
  return give_up(kUsage, "{}: '{}' is no time in UTC such as 2026-03-01T10:02:11Z", flag, text);
}

Outcome<int> what_if(const Session& session, const ReplayFlags& flags) {
  auto policies = read_policies(flags.policies);
  if (!policies) return tl::unexpected(policies.error());
  if (const auto named = sim::check_policies(*policies); !named) {
    return give_up(kUsage, "{}", named.error().message);
  }
  const auto since = read_time("--since", flags.since);
  if (!since) return tl::unexpected(since.error());
  const auto until = read_time("--until", flags.until);
  if (!until) return tl::unexpected(until.error());
  if (*since && *until && **since >= **until) {
    return give_up(kUsage, "--until: it is not after --since");
  }
  bool opened = false;
  sim::WhatIfOptions options;
  options.since = *since;
  options.until = *until;
  options.name = name_of(flags.journal);
  options.open = [&] {
    auto journal = session.ports.open_journal(flags.journal);
    opened = journal.has_value();
    return journal;
  };
  options.policies = std::move(*policies);
  options.check = flags.check;
  options.keep_jobs = !flags.out.empty();
  const auto report =
      watched<sim::SimulationReport>(options.surroundings, [&] { return sim::what_if(options); });
  if (!report) {
    const bool no_window = opened && report.error().kind == ErrorKind::NotFound;
    return give_up(no_window ? kUsage : kError, "{}", report.error().message);
  }
  return show(session, *report, flags.out);
}

}  // namespace

void add_replay_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(
      app, "replay", "Run a journal through the core: prove its decisions, or try other policies",
      "  gyre replay ~/.local/state/gyre\n"
      "  gyre replay ~/.local/state/gyre --policy easy,mine.yaml\n\n"
      "Without --policy it returns 1 if a command comes out otherwise than recorded. With it, it\n"
      "shows what would have happened, beside what did.");
  auto flags = std::make_shared<ReplayFlags>();
  verb->add_option("JOURNAL", flags->journal,
                   "a journal, of a server or of 'gyre simulate --journal', or a state folder")
      ->required();
  auto* policy = verb->add_option("--policy", flags->policies,
                                  "policies to try: names, or policy files (.yaml)")
                     ->type_name("A[,B...]");
  verb->add_option("--since", flags->since, "when they take over; from the first job on without it")
      ->type_name("TIME")
      ->needs(policy);
  verb->add_option("--until", flags->until, "as if the journal ended then")
      ->type_name("TIME")
      ->needs(policy);
  verb->add_option("--out", flags->out, "write tables, series and plots there")
      ->type_name("DIR")
      ->needs(policy);
  verb->add_flag("--check", flags->check, "verify every invariant after every event")
      ->needs(policy);
  add_output_flag(*verb, session);
  on_verb(verb, session, [&session, flags] {
    return flags->policies.empty() ? replay(session, flags->journal) : what_if(session, *flags);
  });
}

}  // namespace gyre::cli
