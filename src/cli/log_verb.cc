#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/checks.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"

namespace gyre::cli {
namespace {

struct LogOptions {
  std::string job;
  bool follow = false;
  bool stderr_too = false;
  int rank = 0;
  int attempt = 0;
};

/// What is there now, to the end it has now.
Outcome<int> print_log(HttpClient& client, const std::string& path, const std::string& query) {
  std::string offset = "0";
  std::string attempt;
  for (;;) {
    HttpCall call;
    call.target = fmt::format("{}/logs?{}&offset={}{}", path, query, offset, attempt);
    const auto answer = client.send(call);
    if (!answer) return tl::unexpected(answer.error());
    if (answer->status != 200) return tl::unexpected(failure_of(*answer));
    std::uint64_t dropped = 0;
    std::istringstream(answer->header("x-log-dropped")) >> dropped;
    if (dropped > 0) complain_of_dropped(dropped);
    write_all(STDOUT_FILENO, answer->body);
    offset = answer->header("x-next-offset");
    // Later pieces are of the attempt that the first one was of, whatever starts meanwhile.
    if (attempt.empty() && query.find("attempt=") == query.npos) {
      attempt = "&attempt=" + answer->header("x-attempt");
    }
    const bool nothing = answer->body.empty() && dropped == 0;
    if (nothing || offset == answer->header("x-log-size")) return kOk;
  }
}

Outcome<int> logs(const Session& session, const LogOptions& options) {
  const auto path = job_path(options.job);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  std::string query = options.stderr_too ? "stream=stderr" : "stream=stdout";
  if (options.rank > 0) query += fmt::format("&rank={}", options.rank);
  if (options.attempt > 0) query += fmt::format("&attempt={}", options.attempt);
  if (!options.follow) {
    // A job that has not begun has written nothing; only an unknown one is an error.
    const auto job = get_json(*client, *path);
    if (job && job->value("attempt", 0) == 0) return kOk;
    return print_log(*client, *path, query);
  }
  StreamFollower follower(client->address());
  follow_log(follower, *path, query, STDOUT_FILENO);
  const auto end = follower.run();
  if (!end) return tl::unexpected(end.error());
  const auto job = get_json(*client, *path);
  if (!job) return tl::unexpected(job.error());
  return exit_code_of(*job);
}

}  // namespace

void add_log_verb(CLI::App& app, Session& session) {
  auto* verb = add_verb(app, "logs", "Show what a job wrote",
                        "  gyre logs 12\n  gyre logs -f 12\n  gyre logs --stderr 12\n\n"
                        "With -f it follows to the job's end and returns the job's exit code.");
  auto options = std::make_shared<LogOptions>();
  verb->add_option("JOB", options->job, "a job's id")->required();
  verb->add_flag("-f,--follow", options->follow, "go on with what is written, to the job's end");
  verb->add_flag("--stderr", options->stderr_too, "what it wrote to stderr");
  verb->add_option("--rank", options->rank, "which task of the job")
      ->check(at_least(0))
      ->type_name("N");
  verb->add_option("--attempt", options->attempt, "which attempt; else the latest")
      ->check(at_least(1))
      ->type_name("N");
  add_server_flags(*verb, session);
  on_verb(verb, session, [&session, options] { return logs(session, *options); });
}

}  // namespace gyre::cli
