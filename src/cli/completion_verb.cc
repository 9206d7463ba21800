#include <fmt/format.h>
#include <unistd.h>

#include "cli/verbs.h"

namespace gyre::cli {
namespace {

std::vector<std::string> flags_of(const CLI::App& verb) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : verb.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

std::vector<const CLI::App*> verbs_of(const CLI::App& app) { return app.get_subcommands({}); }

std::string verb_names(const CLI::App& app) {
  std::string names;
  for (const CLI::App* verb : verbs_of(app)) names += (names.empty() ? "" : " ") + verb->get_name();
  return names;
}

std::string bash_script(const CLI::App& app) {
  std::string cases;
  for (const CLI::App* verb : verbs_of(app)) {
    cases +=
        fmt::format("    {}) words=\"{}\" ;;\n", verb->get_name(), fmt::join(flags_of(*verb), " "));
  }
  return fmt::format(
      "# bash completion for gyre: eval \"$(gyre completion bash)\"\n"
      "_gyre() {{\n"
      "  local cur=\"${{COMP_WORDS[COMP_CWORD]}}\" words=\"\"\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"{}\" -- \"$cur\"))\n"
      "    return\n"
      "  fi\n"
      "  case \"${{COMP_WORDS[1]}}\" in\n{}"
      "  esac\n"
      "  case \"$cur\" in\n"
      "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$cur\")) ;;\n"
      "    *) COMPREPLY=($(compgen -f -- \"$cur\")) ;;\n"
      "  esac\n"
      "}}\n"
      "complete -o filenames -F _gyre gyre\n",
      verb_names(app), cases);
}

/// Text between single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string safe = "'";
  for (const char c : text) safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return safe + "'";
}

std::string zsh_script(const CLI::App& app) {
  std::string verbs;
  std::string cases;
  for (const CLI::App* verb : verbs_of(app)) {
    verbs += "    " + quoted(verb->get_name() + ":" + verb->get_description()) + "\n";
    cases +=
        fmt::format("    {}) words=({}) ;;\n", verb->get_name(), fmt::join(flags_of(*verb), " "));
  }
  return fmt::format(
      "#compdef gyre\n"
      "# zsh completion for gyre: eval \"$(gyre completion zsh)\"\n"
      "_gyre() {{\n"
      "  local -a verbs words\n"
      "  verbs=(\n{}  )\n"
      "  if (( CURRENT == 2 )); then\n"
      "    _describe 'command' verbs\n"
      "    return\n"
      "  fi\n"
      "  case \"${{words[2]}}\" in *) local verb=\"${{words[2]}}\" ;; esac\n"
      "  case \"$verb\" in\n{}"
      "  esac\n"
      "  if [[ \"$PREFIX\" == -* ]]; then compadd -- $words; else _files; fi\n"
      "}}\n"
      "compdef _gyre gyre\n",
      verbs, cases);
}

std::string fish_script(const CLI::App& app) {
  std::string script =
      "# fish completion for gyre: gyre completion fish | source\n"
      "complete -c gyre -n __fish_use_subcommand -f\n";
  for (const CLI::App* verb : verbs_of(app)) {
    script += fmt::format("complete -c gyre -n __fish_use_subcommand -a {} -d {}\n",
                          verb->get_name(), quoted(verb->get_description()));
    for (const CLI::Option* option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        script += fmt::format("complete -c gyre -n '__fish_seen_subcommand_from {}' -l {} -d {}\n",
                              verb->get_name(), name, quoted(option->get_description()));
      }
    }
  }
  return script;
}

}  // namespace

void add_completion_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "completion", "Print a completion script for a shell",
                        "  eval \"$(gyre completion bash)\"\n  gyre completion fish | source");
  auto shell = std::make_shared<std::string>();
  verb->add_option("SHELL", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  on_verb(verb, session, [&app, shell]() -> Outcome<int> {
    const std::string script = *shell == "bash"  ? bash_script(app)
                               : *shell == "zsh" ? zsh_script(app)
                                                 : fish_script(app);
    write_all(STDOUT_FILENO, script);
    return kOk;
  });
}

}  // namespace gyre::cli
