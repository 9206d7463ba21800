#include "cli/cli.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <exception>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/state_folder.h"
#include "cli/verbs.h"

namespace gyre::cli {

Format Session::format() const {
  if (output == "json") return Format::Json;
  if (output == "yaml") return Format::Yaml;
  return output == "wide" ? Format::Wide : Format::Table;
}

Outcome<HttpClient> Session::connect() const {
  auto address = find_server(server, state);
  if (!address) return tl::unexpected(address.error());
  HttpClient client(std::move(*address));
  if (auto found = client.locate(); !found) return tl::unexpected(found.error());
  return client;
}

Outcome<int> print_file(const Session& session, const HttpCall& call) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = call_json(*client, call);
  if (!document) return tl::unexpected(document.error());
  if (session.format() == Format::Json) {
    print_document(*document, Format::Json);
  } else {
    fmt::print("{}", document->value("text", ""));
  }
  return kOk;
}

CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& summary,
                   const std::string& examples) {
  CLI::App* verb = app.add_subcommand(name, summary);
  verb->footer("\nExamples:\n" + examples);
  return verb;
}

/// "; did you mean 'submit'?", or nothing.
static std::string did_you_mean(const std::string& word,
                                const std::vector<std::string>& candidates) {
  const std::string near = nearest(word, candidates);
  return near.empty() ? "" : fmt::format("; did you mean '{}'?", near);
}

std::string unknown_option(const CLI::App& verb, const std::string& word) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  const CLI::App* parent = verb.get_parent();
  return fmt::format("{}{} has no option '{}'{}", parent ? parent->get_name() + " " : "",
                     verb.get_name(), word, did_you_mean(word.substr(0, word.find('=')), flags));
}

void add_server_flags(CLI::App& verb, Session& session) {
  verb.add_option("--server", session.server,
                  "where the server is; else GYRE_SERVER, else the state folder's")
      ->type_name("URL[,URL...]");
  verb.add_option("--state", session.state, "the state folder; else GYRE_STATE, else the user's")
      ->type_name("DIR");
}

void add_output_flag(CLI::App& verb, Session& session) {
  verb.add_option("-o,--output", session.output, "how to print")
      ->check(CLI::IsMember({"table", "json", "yaml", "wide"}))
      ->capture_default_str()
      ->type_name("table|json|yaml|wide");
}

namespace {

int usage_error(const std::string& message) {
  complain(message);
  return kUsage;
}

std::vector<std::string> verb_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

/// What is wrong with the word behind a verb that has subcommands.
std::string wrong_subcommand(const CLI::App& verb) {
  const std::vector<std::string> names = verb_names(verb);
  const auto extras = verb.remaining();
  if (extras.empty()) {
    return fmt::format("gyre {}: say what: {}", verb.get_name(), fmt::join(names, ", "));
  }
  const std::string& word = extras.front();
  if (word.starts_with('-')) {
    return fmt::format("gyre {}: first say what: {}", verb.get_name(), fmt::join(names, ", "));
  }
  return fmt::format("gyre {} has no '{}'{}; it has {}", verb.get_name(), word,
                     did_you_mean(word, names), fmt::join(names, ", "));
}

/// What CLI11 could not place, in words that help.
int explain_parse_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto chosen = app.get_subcommands();
  const CLI::App& where = chosen.empty() ? app : *chosen.front();
  const std::string verb = chosen.empty() ? "" : " " + where.get_name();
  const std::string help = fmt::format(" (see 'gyre{} --help')", verb);
  if (!chosen.empty() && where.get_subcommands().empty() &&
      where.get_require_subcommand_min() > 0) {
    return usage_error(wrong_subcommand(where) + help);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    const auto extras = app.remaining(true);
    const std::string word = extras.empty() ? "" : extras.front();
    if (word.starts_with('-')) return usage_error(unknown_option(where, word) + help);
    return usage_error(fmt::format("gyre{}: '{}' is one argument too many{}", verb, word, help));
  }
  return usage_error(fmt::format("gyre{}: {}{}", verb, error.what(), help));
}

/// What is wrong with the first word, where CLI11 would look for it elsewhere.
std::optional<std::string> wrong_first_word(const CLI::App& app, const std::string& word) {
  if (word.starts_with('-')) {
    const std::string option = word.substr(0, word.find('='));
    if (app.get_option_no_throw(option) != nullptr) return std::nullopt;
    if (!nearest(option, {"--help", "--version"}).empty()) return unknown_option(app, word);
    return fmt::format("'{0}' comes before the command; it goes behind it: gyre COMMAND {0}",
                       option);
  }
  const std::vector<std::string> names = verb_names(app);
  if (std::find(names.begin(), names.end(), word) != names.end()) return std::nullopt;
  return fmt::format("there is no command '{}'{} (see 'gyre --help')", word,
                     did_you_mean(word, names));
}

int run_verb(int argc, const char* const* argv, const Ports& ports) {
  Session session{ports, {}, {}, "table", {}, {}};
  CLI::App app("Gyre runs jobs on GPU machines, and decides by itself where and when.", "gyre");
  app.set_version_flag("--version", "gyre " GYRE_VERSION);
  app.require_subcommand(1);
  app.footer(
      "\nTo begin with:\n  gyre up                        start a server here\n"
      "  gyre run -- echo hello         run a job\n"
      "  gyre ps -a                     see what became of it\n\n"
      "Exit codes: 0 ok, 1 error, 2 usage, 3 can never be placed, 4 waiting timed out,\n"
      "5 budget or quota, 6 not allowed; 'run', 'submit --wait' and 'logs -f' return the "
      "job's own,\n'exec' its command's.");
  add_server_verbs(app, session);
  add_replay_verb(app, session);
  add_job_verbs(app, session);
  add_list_verbs(app, session);
  add_top_verb(app, session);
  add_node_verbs(app, session);
  add_image_verbs(app, session);
  add_log_verb(app, session);
  add_artifacts_verb(app, session);
  add_exec_verb(app, session);
  add_simulate_verb(app, session);
  add_tune_verb(app, session);
  add_import_verb(app, session);
  add_chaos_verb(app, session);
  add_healing_verbs(app, session);
  add_lab_verb(app, session);
  add_policy_verb(app, session);
  add_cost_verb(app, session);
  add_backup_verb(app, session);
  add_service_verbs(app, session);
  add_bench_verb(app, session);
  add_completion_verb(app, session);
  if (argc < 2) {
    fmt::print(stderr, "{}", app.help());
    return kUsage;
  }
  if (const auto wrong = wrong_first_word(app, argv[1])) return usage_error(*wrong);
  // The command of "run" is the job's own, whatever its words look like; so is that of "exec".
  const std::string_view verb = argv[1];
  if (verb == "run" || verb == "exec") {
    const char* const* dashes = std::find(argv, argv + argc, std::string_view("--"));
    for (const char* const* word = dashes; word < argv + argc; ++word) {
      if (word != dashes) session.after_dashes.emplace_back(*word);
    }
    argc = static_cast<int>(dashes - argv);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // --help, --version
    return app.exit(done);
  } catch (const CLI::ParseError& error) {
    return explain_parse_error(app, error);
  }
  const auto result = session.action();
  if (result) return *result;
  complain(result.error().message);
  return result.error().exit_code;
}

}  // namespace

int run(int argc, const char* const* argv, const Ports& ports) {
  try {
    const int code = run_verb(argc, argv, ports);
    const auto lost = lost_output();
    if (!lost) return code;
    complain(fmt::format("cannot write to stdout: {}", *lost));
    return kError;
  } catch (const std::exception& error) {
    complain(fmt::format("an unforeseen error: {}", error.what()));
    return kError;
  }
}

}  // namespace gyre::cli
