#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/checks.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "domain/job_spec.h"
#include "server/http/message.h"

namespace gyre::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uint64_t kPieceBytes = 8U << 20U;

struct Choice {
  std::string job;
  std::string path;  // a file, or a folder of them; empty: all
  std::string to = ".";
  int rank = 0;
  int attempt = 0;
};

std::string query_of(const Choice& choice) {
  std::string query = fmt::format("rank={}", choice.rank);
  if (choice.attempt > 0) query += fmt::format("&attempt={}", choice.attempt);
  return query;
}

/// What a task has left, and the server that says so.
struct Kept {
  HttpClient client;
  std::string job;  // its path
  Json list;
};

Outcome<Kept> ask_for_list(const Session& session, const Choice& choice) {
  auto job = job_path(choice.job);
  if (!job) return tl::unexpected(job.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  auto list = get_json(*client, fmt::format("{}/artifacts?{}", *job, query_of(choice)));
  if (!list) return tl::unexpected(list.error());
  return Kept{std::move(*client), std::move(*job), std::move(*list)};
}

Outcome<int> list(const Session& session, const Choice& choice) {
  const auto kept = ask_for_list(session, choice);
  if (!kept) return tl::unexpected(kept.error());
  const Json& all = kept->list;
  if (print_as_document(all, session.format())) return kOk;
  Table table({"BYTES", "PATH"});
  for (const Json& file : all.at("files")) {
    table.add({file.at("size").dump(), file.value("path", "")});
  }
  table.print();
  for (const Json& one : all.at("left_out")) {
    complain(fmt::format("not kept: {}: {}", terminal_safe(one.value("path", "")),
                         terminal_safe(one.value("why", ""))));
  }
  return kOk;
}

Failure disk_failure(const std::string& path) {
  return {kError, fmt::format("cannot write '{}': {}", path, std::strerror(errno))};
}

/// Returns whether all of `bytes` is in the file; where not, errno says why.
bool write_at(int file, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
  return true;
}

/// One file of the list, whole or not at all under its own name. What an earlier call has fetched
/// of it is not fetched again: it is in a file beside it, named after the task that left it.
class Download {
 public:
  Download(HttpClient& client, std::string job, const Choice& choice, int attempt)
      : client_(client), job_(std::move(job)), rank_(choice.rank), attempt_(attempt) {}

  Outcome<void> fetch(const std::string& path, std::uint64_t size, const fs::path& to) const {
    std::error_code error;
    fs::create_directories(to.parent_path(), error);
    const fs::path part =
        to.parent_path() / fmt::format(".{}.{}.{}.{}.part", to.filename().string(),
                                       fs::path(job_).filename().string(), attempt_, rank_);
    const int file = ::open(part.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (file < 0) return tl::unexpected(disk_failure(part));
    auto done = fill(file, path, size, part);
    if (::close(file) != 0 && done) done = tl::unexpected(disk_failure(part));
    if (!done) return done;
    if (::rename(part.c_str(), to.c_str()) != 0) return tl::unexpected(disk_failure(to));
    return {};
  }

 private:
  Outcome<void> fill(int file, const std::string& path, std::uint64_t size,
                     const fs::path& part) const {
    struct stat status {};
    if (::fstat(file, &status) != 0) return tl::unexpected(disk_failure(part));
    auto at = static_cast<std::uint64_t>(status.st_size);
    if (at > size) at = 0;
    if (::ftruncate(file, static_cast<off_t>(at)) != 0) return tl::unexpected(disk_failure(part));
    HttpCall call;
    call.target = fmt::format("{}/artifacts/content?rank={}&attempt={}&path={}", job_, rank_,
                              attempt_, server::http::percent_encode(path));
    while (at < size) {
      const std::uint64_t end = std::min(at + kPieceBytes, size);
      call.range = fmt::format("bytes={}-{}", at, end - 1);
      const auto answer = client_.send(call);
      if (!answer) return tl::unexpected(answer.error());
      if (answer->status != 206) return tl::unexpected(failure_of(*answer));
      if (answer->body.empty() || answer->body.size() > end - at) {
        return give_up(kError, "the server sends another part of '{}' than was asked for", path);
      }
      if (!write_at(file, answer->body, at)) return tl::unexpected(disk_failure(part));
      at += answer->body.size();
    }
    return {};
  }

  HttpClient& client_;
  const std::string job_;
  const int rank_;
  const int attempt_;
};

/// Whether `path` is the one that is asked for, or below it.
bool is_wanted(const std::string& path, std::string wanted) {
  while (wanted.ends_with('/')) wanted.pop_back();
  return wanted.empty() || path == wanted || path.starts_with(wanted + "/");
}

Outcome<int> get(const Session& session, const Choice& choice) {
  auto kept = ask_for_list(session, choice);
  if (!kept) return tl::unexpected(kept.error());
  const Download download(kept->client, kept->job, choice, kept->list.value("attempt", 0));
  std::size_t files = 0;
  for (const Json& file : kept->list.at("files")) {
    const std::string path = file.value("path", "");
    if (!is_wanted(path, choice.path)) continue;
    // A server need not be believed about where files of this machine go.
    if (const auto plain = check_artifact(path, false); !plain) {
      return give_up(kError, "{}", terminal_safe(plain.error().message));
    }
    const fs::path to = fs::path(choice.to) / path;
    const auto done = download.fetch(path, file.value("size", std::uint64_t{0}), to);
    if (!done) return tl::unexpected(done.error());
    fmt::print("{}\n", terminal_safe(to.string()));
    ++files;
  }
  if (files > 0 || choice.path.empty()) return kOk;
  return give_up(kError, "job {} has kept no '{}'; 'gyre artifacts ls {}' lists what it has",
                 choice.job, terminal_safe(choice.path), choice.job);
}

std::shared_ptr<Choice> add_choice(CLI::App& verb, Session& session) {
  auto choice = std::make_shared<Choice>();
  verb.add_option("JOB", choice->job, "a job's id")->required();
  verb.add_option("--rank", choice->rank, "which task of the job")
      ->check(at_least(0))
      ->type_name("N");
  verb.add_option("--attempt", choice->attempt, "which attempt; else the latest")
      ->check(at_least(1))
      ->type_name("N");
  add_server_flags(verb, session);
  return choice;
}

}  // namespace

void add_artifacts_verb(CLI::App& app, Session& session) {
  auto* artifacts =
      add_verb(app, "artifacts", "List and fetch the files that jobs have left to be kept",
               "  gyre artifacts ls 12\n  gyre artifacts get 12 out/ --to results");
  artifacts->require_subcommand(1);
  auto* ls = add_verb(*artifacts, "ls", "List what a task has left, and what is not kept",
                      "  gyre artifacts ls 12\n  gyre artifacts ls 12 --rank 1 -o json");
  const auto listed = add_choice(*ls, session);
  add_output_flag(*ls, session);
  on_verb(ls, session, [&session, listed] { return list(session, *listed); });
  auto* fetch = add_verb(*artifacts, "get", "Fetch a file, a folder, or all that a task has left",
                         "  gyre artifacts get 12\n  gyre artifacts get 12 model.pt --to /data\n\n"
                         "What was fetched before it broke off is not fetched again.");
  const auto fetched = add_choice(*fetch, session);
  fetch->add_option("PATH", fetched->path, "a file or folder, as 'ls' names it; else all");
  fetch->add_option("--to", fetched->to, "the folder that they are put into")
      ->capture_default_str()
      ->type_name("DIR");
  on_verb(fetch, session, [&session, fetched] { return get(session, *fetched); });
}

}  // namespace gyre::cli
