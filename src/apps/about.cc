#include "apps/about.h"

#include <sys/statvfs.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "live/files.h"

#ifdef GYRE_HAVE_ADAPTER_OPENSSL
#include "adapter/openssl/pki.h"
#endif
#ifdef GYRE_HAVE_ADAPTER_REGISTRY
#include "adapter/registry/logins.h"
#endif

namespace gyre::apps {
namespace {

namespace fs = std::filesystem;
using server::ServerFacts;

std::string_view name_of(live::Sync sync) {
  if (sync == live::Sync::Full) return "full";
  return sync == live::Sync::Normal ? "normal" : "off";
}

/// The journal with what SQLite keeps beside it.
std::uint64_t bytes_of(const std::string& journal) {
  std::uint64_t sum = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto bytes = fs::file_size(journal + suffix, error);
    if (!error) sum += bytes;
  }
  return sum;
}

ServerFacts::Journal journal_of(const About& about) {
  ServerFacts::Journal journal;
  journal.shared = !about.database.empty();
  journal.store = journal.shared ? "postgresql" : "sqlite";
  const std::string file = about.state + "/journal.sqlite";
  journal.place = journal.shared ? about.database : file;
  if (!journal.shared) journal.bytes = bytes_of(file);
  journal.sync = name_of(about.sync);
  journal.cluster_id = about.identity.cluster_id;
  journal.term = about.identity.term;
  journal.disk = disk_room(about.state);
  return journal;
}

/// Of the first that expires.
std::optional<Time> expiry_of(const std::vector<std::string>& certificates) {
  std::optional<Time> first;
#ifdef GYRE_HAVE_ADAPTER_OPENSSL
  for (const std::string& certificate : certificates) {
    std::ifstream in(certificate);
    const std::string pem{std::istreambuf_iterator<char>(in), {}};
    const auto at = adapter::openssl::expires_at(pem);
    if (at && (!first || *at < *first)) first = *at;
  }
#endif
  (void)certificates;
  return first;
}

ServerFacts::Logins logins_of(const std::string& state) {
  ServerFacts::Logins logins;
#ifdef GYRE_HAVE_ADAPTER_REGISTRY
  auto hosts = registry::login_hosts(state + "/registry-logins.json");
  if (hosts) {
    logins.hosts = std::move(*hosts);
  } else {
    logins.problem = hosts.error().message;
  }
#else
  (void)state;
  logins.problem = "this build pulls no images";
#endif
  return logins;
}

}  // namespace

std::optional<live::DiskRoom> disk_room(const std::string& folder) {
  struct statvfs disk {};
  if (statvfs(folder.c_str(), &disk) != 0) return std::nullopt;
  const std::uint64_t block = disk.f_frsize;
  return live::DiskRoom{disk.f_bavail * block, disk.f_blocks * block};
}

Result<ServerFacts> facts_of(const About& about) {
  ServerFacts facts;
  facts.started_at = about.started_at;
  facts.journal = journal_of(about);
  if (const auto note = live::read_private_file(about.state + "/" + server::kBackupNote)) {
    facts.last_backup = server::read_backup_note(*note);
  }
  if (about.door != nullptr) {
    auto roster = about.door->keeper().roster();
    if (!roster) return tl::unexpected(roster.error());
    facts.agents = {about.agents, about.lease, std::move(*roster)};
  }
  if (!about.services_url.empty()) {
    facts.services = {about.services_url, expiry_of(about.services_certificates)};
  }
  if (about.local_node) facts.logins = logins_of(about.state);
  return facts;
}

}  // namespace gyre::apps
