#include "cli/state_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "live/files.h"

namespace gyre::cli {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::string> announced_url(const std::string& folder) {
  std::ifstream file(folder + "/server.json");
  if (!file) return std::nullopt;
  const auto document = nlohmann::json::parse(file, nullptr, false);
  if (!document.is_object() || !document.contains("url") || !document["url"].is_string()) {
    return std::nullopt;
  }
  return document["url"].get<std::string>();
}

}  // namespace

Outcome<std::string> state_folder_path(const std::string& flag) {
  namespace fs = std::filesystem;
  if (!flag.empty()) return fs::absolute(flag).lexically_normal().string();
  if (const std::string path = environment("GYRE_STATE"); !path.empty()) {
    return fs::absolute(path).lexically_normal().string();
  }
  // A relative path there is to be ignored (XDG Base Directory Specification).
  if (const std::string base = environment("XDG_STATE_HOME"); base.starts_with('/')) {
    return base + "/gyre";
  }
  if (const std::string home = environment("HOME"); home.starts_with('/')) {
    return home + "/.local/state/gyre";
  }
  return give_up(kUsage, "no state folder: set --state, GYRE_STATE or HOME");
}

Outcome<ServerAddress> find_server(const std::string& flag, const std::string& state_flag) {
  if (!flag.empty()) return parse_server_address(flag);
  if (const std::string url = environment("GYRE_SERVER"); !url.empty()) {
    return parse_server_address(url);
  }
  if (const auto folder = state_folder_path(state_flag)) {
    if (const auto url = announced_url(*folder)) return parse_server_address(*url);
  }
  return ServerAddress{};
}

Outcome<StateFolder> StateFolder::hold(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path parent = fs::path(path).parent_path();
  fs::create_directories(parent, error);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return give_up(kError, "cannot make the state folder {}: {}; choose another with --state", path,
                   std::strerror(errno));
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return give_up(kError, "the state folder {} is no folder", path);
  }
  if (info.st_uid != geteuid()) {
    return give_up(kError, "the state folder {} belongs to user {}, you are user {}", path,
                   info.st_uid, geteuid());
  }
  chmod(path.c_str(), 0700);
  const std::string lock_path = path + "/lock";
  const int lock = open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) {
    return give_up(kError, "cannot write in the state folder {}: {}", path, std::strerror(errno));
  }
  // Of the process, unlike flock()'s: what a killed server was about to start does not keep it.
  struct flock whole {};
  whole.l_type = F_WRLCK;
  if (fcntl(lock, F_SETLK, &whole) != 0) {
    close(lock);
    const auto url = announced_url(path);
    return give_up(kError,
                   "another server{} uses the state folder {}; stop it, or choose another folder "
                   "with --state",
                   url ? " (at " + *url + ")" : "", path);
  }
  return StateFolder(path, lock);
}

StateFolder::StateFolder(StateFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

StateFolder::~StateFolder() {
  if (lock_ < 0) return;
  unlink((path_ + "/server.json").c_str());
  close(lock_);
}

Outcome<void> StateFolder::announce(const std::string& url) const {
  const std::string path = path_ + "/server.json";
  const std::string temporary = path + ".new";
  const nlohmann::ordered_json document{{"url", url}, {"pid", getpid()}};
  std::ofstream file(temporary, std::ios::trunc);
  file << document.dump() << "\n";
  file.close();
  if (!file || rename(temporary.c_str(), path.c_str()) != 0) {
    return give_up(kError, "cannot write {}: {}", path, std::strerror(errno));
  }
  return {};
}

Result<std::optional<JournalPlace>> read_journal_place(const std::string& folder) {
  const std::string path = folder + "/journal.json";
  const auto text = live::read_private_file(path);
  if (!text && text.error().kind == ErrorKind::NotFound) return std::optional<JournalPlace>();
  if (!text) return tl::unexpected(text.error());
  const auto document = nlohmann::json::parse(*text, nullptr, false);
  const auto field = [&](const char* name) -> std::string {
    if (!document.is_object() || !document.contains(name)) return "";
    return document[name].is_string() ? document[name].get<std::string>() : "";
  };
  JournalPlace place{field("journal"), field("cluster_id"), field("server_id")};
  const bool whole = place.is_own() ? !place.cluster.empty() : !place.server.empty();
  if (place.journal.empty() || !whole) {
    return fail(ErrorKind::Invalid,
                "{} is damaged; remove it, and start with the journal that the folder is of", path);
  }
  return std::optional(std::move(place));
}

Result<void> write_journal_place(const std::string& folder, const JournalPlace& place) {
  const nlohmann::ordered_json document{
      {"journal", place.journal}, {"cluster_id", place.cluster}, {"server_id", place.server}};
  return live::write_private_file(folder + "/journal.json", document.dump() + "\n");
}

}  // namespace gyre::cli
