#pragma once

// A real PostgreSQL for the tests of this adapter; not part of the program.

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "adapter/postgres/connection.h"
#include "adapter/postgres/journal.h"
#include "adapter/postgres/schema.h"
#include "base/assert.h"
#include "live/store_suite.h"

namespace gyre::adapter::postgres {

/// One server with its files in a folder of its own, reached by a socket there. Initdb refuses
/// root, so it is another user's then. One a process; tests are skipped where none is installed.
class TestServer {
 public:
  /// The newest folder with the server's programs; empty where there is none.
  static std::string programs() {
    std::vector<std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", error)) {
      const auto folder = entry.path() / "bin";
      if (std::filesystem::exists(folder / "initdb", error)) found.push_back(folder.string());
    }
    std::sort(found.begin(), found.end());
    return found.empty() ? "" : found.back();
  }

  static TestServer& get() {
    static TestServer server;
    return server;
  }

  /// A new database in it.
  Target new_database() {
    const std::string name = "d" + std::to_string(++databases_);
    auto connection = Connection::open(target("postgres"), kPatience).value();
    GYRE_ASSERT(connection.run("CREATE DATABASE " + name));
    return target(name);
  }
  void drop(const Target& which) {
    auto connection = Connection::open(target("postgres"), kPatience).value();
    const std::string name = which.shown.substr(which.shown.rfind('/') + 1);
    GYRE_ASSERT(connection.run("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)"));
  }

  /// Ends it as a power cut would, or as an operator does.
  void stop(int how = SIGQUIT) {
    if (server_ <= 0) return;
    ::kill(server_, how);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
  }
  void start() {
    server_ = spawn({programs() + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-c",
                     "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"});
    for (int looks = 0; looks < 600; ++looks) {
      if (Connection::open(target("postgres"), kPatience)) return;
      ::usleep(100'000);
    }
    GYRE_ASSERT(false);
  }

 private:
  static constexpr Duration kPatience = seconds(60);

  TestServer() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "gyre-postgres-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    if (::geteuid() == 0) GYRE_ASSERT(::chown(folder_.c_str(), kNobody, kNobody) == 0);
    int status = 0;
    ::waitpid(spawn({programs() + "/initdb", "-D", folder_ + "/data", "-A", "trust", "-U", "gyre",
                     "--no-sync", "-E", "UTF8", "--no-locale"}),
              &status, 0);
    GYRE_ASSERT(status == 0);
    start();
  }
  ~TestServer() {
    stop();
    std::filesystem::remove_all(folder_);
  }

  Target target(const std::string& database) const {
    std::string host = folder_;
    for (std::size_t at = 0; (at = host.find('/', at)) != host.npos; at += 3) {
      host.replace(at, 1, "%2F");
    }
    return parse_target("postgresql://gyre@" + host + "/" + database).value();
  }

  static pid_t spawn(std::vector<std::string> words) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    ::setpgid(0, 0);
    if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    GYRE_ASSERT(std::freopen("/dev/null", "w", stdout) != nullptr);
    GYRE_ASSERT(std::freopen("/dev/null", "w", stderr) != nullptr);
    GYRE_ASSERT(::chdir("/") == 0);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }

  static constexpr uid_t kNobody = 65534;
  std::string folder_;
  pid_t server_ = -1;
  int databases_ = 0;
};

/// A database of one test's own. See live/store_suite.h.
class PostgresPlace {
 public:
  static constexpr int kKills = 10;

  static std::string why_not() {
    return is_possible() ? "" : "no PostgreSQL server here: install the package postgresql";
  }

  PostgresPlace() {
    if (is_possible()) target_ = TestServer::get().new_database();
  }
  ~PostgresPlace() {
    if (is_possible()) TestServer::get().drop(target_);
  }
  PostgresPlace(const PostgresPlace&) = delete;
  PostgresPlace& operator=(const PostgresPlace&) = delete;

  static Holder holder(const std::string& id) { return {id, "server " + id}; }

  JournalOptions options(const std::string& id = "a") const {
    return {.target = target_, .take = {.holder = holder(id), .over = {}}};
  }
  std::unique_ptr<live::Store> open() {
    auto journal = try_open();
    GYRE_ASSERT(journal);
    return std::move(*journal);
  }
  Result<std::unique_ptr<live::Store>> try_open() { return PostgresJournal::open(options()); }
  Result<std::unique_ptr<control::JournalReader>> read() {
    return PostgresJournalReader::open(target_);
  }
  void clear() { sql("DROP SCHEMA IF EXISTS gyre CASCADE"); }
  void sql(const std::string& text) { GYRE_ASSERT(connection().run(text)); }
  std::int64_t integer(const std::string& query) {
    return connection().ask(query).value().integer(0, 0);
  }
  bool has_table(const std::string& name) {
    return integer("SELECT (to_regclass('" + name + "') IS NOT NULL)::int") == 1;
  }
  std::int64_t version() {
    return integer("SELECT value::bigint FROM meta WHERE key = 'schema_version'");
  }
  void set_version(int version) {
    sql("UPDATE meta SET value = '" + std::to_string(version) + "' WHERE key = 'schema_version'");
  }
  static const char* first_script() { return schema_scripts()[0]; }
  Result<void> bring_forward(std::span<const char* const> scripts) {
    auto opened = connection();
    const std::int64_t from = version();
    return transact(opened, [&] { return run_scripts(opened, from, scripts); });
  }
  const Target& target() const { return target_; }
  Connection connection() const { return Connection::open(target_, seconds(60)).value(); }

 private:
  static bool is_possible() { return !TestServer::programs().empty(); }

  Target target_;
};

}  // namespace gyre::adapter::postgres
