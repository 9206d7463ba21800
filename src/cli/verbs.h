#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "cli/cli.h"
#include "cli/http_client.h"
#include "cli/outcome.h"
#include "cli/print.h"

namespace gyre::cli {

/// What the verbs share while a command line is read: flags that mean the same everywhere, and what
/// to do in the end.
struct Session {
  const Ports& ports;
  std::string server;                     // --server
  std::string state;                      // --state
  std::string output = "table";           // -o
  std::vector<std::string> after_dashes;  // of "run", "exec": what follows the first "--"
  std::function<Outcome<int>()> action;

  Format format() const;
  Outcome<HttpClient> connect() const;
};

/// Asks, and prints the answer's `text`, which is a file; with -o json all of the answer.
Outcome<int> print_file(const Session& session, const HttpCall& call);

/// A verb with its summary and an examples section in its help.
CLI::App* add_verb(CLI::App& app, const std::string& name, const std::string& summary,
                   const std::string& examples);

/// "gyre run has no option '--gpus'; did you mean '--gpu'?"
std::string unknown_option(const CLI::App& verb, const std::string& word);
void add_server_flags(CLI::App& verb, Session& session);
void add_output_flag(CLI::App& verb, Session& session);

/// All of a file, or of stdin for "-".
Outcome<std::string> read_input(const std::string& path);

/// A queue file (docs/guide/quotas.md), "-" for stdin.
Outcome<std::vector<QueueSpec>> read_queue_file(const std::string& path);

void add_job_verbs(CLI::App& app, Session& session);    // run, submit, plan, stop
void add_list_verbs(CLI::App& app, Session& session);   // ps, queue, nodes, explain, events
void add_top_verb(CLI::App& app, Session& session);     // top
void add_node_verbs(CLI::App& app, Session& session);   // node
void add_image_verbs(CLI::App& app, Session& session);  // image
void add_log_verb(CLI::App& app, Session& session);     // logs
void add_artifacts_verb(CLI::App& app, Session& session);
void add_exec_verb(CLI::App& app, Session& session);     // exec
void add_server_verbs(CLI::App& app, Session& session);  // up, server, agent, doctor
void add_replay_verb(CLI::App& app, Session& session);
void add_simulate_verb(CLI::App& app, Session& session);
void add_tune_verb(CLI::App& app, Session& session);
void add_bench_verb(CLI::App& app, Session& session);  // bench cold-start
void add_completion_verb(CLI::App& app, Session& session);
void add_import_verb(CLI::App& app, Session& session);
void add_chaos_verb(CLI::App& app, Session& session);
void add_backup_verb(CLI::App& app, Session& session);
void add_service_verbs(CLI::App& app, Session& session);  // services, service
void add_healing_verbs(CLI::App& app, Session& session);  // incidents, heal
void add_lab_verb(CLI::App& app, Session& session);
void add_policy_verb(CLI::App& app, Session& session);
void add_cost_verb(CLI::App& app, Session& session);

/// `action`, when the command line names this verb.
template <class Action>
void on_verb(CLI::App* verb, Session& session, Action action) {
  verb->callback([&session, action] { session.action = action; });
}

}  // namespace gyre::cli
