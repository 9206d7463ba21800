#include <unistd.h>

#include <cstdlib>

#include "cli/checks.h"
#include "cli/exec_client.h"
#include "cli/job_stream.h"
#include "cli/terminal.h"
#include "cli/verbs.h"
#include "server/http/message.h"

namespace gyre::cli {
namespace {

struct ExecOptions {
  std::string job;
  int rank = 0;
  bool terminal = false;
};

Outcome<int> exec(const Session& session, const ExecOptions& options) {
  const auto path = job_path(options.job);
  if (!path) return tl::unexpected(path.error());
  if (session.after_dashes.empty()) {
    return give_up(kUsage, "there is no command: gyre exec {} -- COMMAND...", options.job);
  }
  const auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const bool terminal = options.terminal && isatty(STDIN_FILENO) == 1;
  if (options.terminal && !terminal) {
    complain("standard input is no terminal, so the command gets none");
  }
  std::string target = fmt::format("{}/exec?rank={}", *path, options.rank);
  if (terminal) {
    const act::WindowSize size = window_size(STDIN_FILENO);
    const char* term = std::getenv("TERM");
    target += fmt::format("&tty=true&columns={}&rows={}", size.columns, size.rows);
    if (term != nullptr) target += "&term=" + server::http::percent_encode(term);
  }
  for (const std::string& word : session.after_dashes) {
    target += "&command=" + server::http::percent_encode(word);
  }
  return ExecClient(client->address(), std::move(target), terminal).run();
}

}  // namespace

void add_exec_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "exec", "Run a command in a running task",
                        "  gyre exec 12 -- nvidia-smi\n  gyre exec -it 12 -- bash\n"
                        "  gyre exec 12 -- tar c results > results.tar\n\n"
                        "It is the task's: same container, limits, folder and variables. It ends "
                        "with this program,\nand what it returns this program returns.");
  auto options = std::make_shared<ExecOptions>();
  verb->add_option("JOB", options->job, "a job's id")->required();
  verb->add_option("--rank", options->rank, "which task of the job")
      ->check(at_least(0))
      ->type_name("N");
  verb->add_flag("-t,--tty", options->terminal, "give it a terminal, where standard input is one");
  verb->add_flag("-i,--stdin")
      ->description("as other programs have it; here standard input is always the command's");
  add_server_flags(*verb, session);
  on_verb(verb, session, [&session, options] { return exec(session, *options); });
}

}  // namespace gyre::cli
