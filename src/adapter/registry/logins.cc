#include "adapter/registry/logins.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/base64.h"

namespace gyre::registry {
namespace {

constexpr std::size_t kFileBytesMax = 1U << 20U;

using Json = nlohmann::json;

/// "https://index.docker.io/v1/" is "docker.io"; empty for what is no whole registry.
std::string_view registry_of(std::string_view key) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  }
  const std::size_t slash = key.find('/');
  const std::string_view path = slash == std::string_view::npos ? "" : key.substr(slash);
  constexpr std::array<std::string_view, 6> kWhole{"", "/", "/v1", "/v1/", "/v2", "/v2/"};
  if (std::find(kWhole.begin(), kWhole.end(), path) == kWhole.end()) return {};
  key = key.substr(0, slash);
  return key == "index.docker.io" ? "docker.io" : key;
}

std::string text_of(const Json& entry, const char* name) {
  const auto found = entry.find(name);
  return found != entry.end() && found->is_string() ? found->get<std::string>() : "";
}

bool is_plain(const std::string& text) {
  return !text.empty() && std::none_of(text.begin(), text.end(),
                                       [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Result<std::optional<Login>> login_of(const Json& entry) {
  Login login{text_of(entry, "username"), text_of(entry, "password")};
  const auto both = decode_base64(text_of(entry, "auth"));
  const std::size_t colon = both ? both->find(':') : std::string::npos;
  if (colon != std::string::npos) login = {both->substr(0, colon), both->substr(colon + 1)};
  if (is_plain(login.user) && is_plain(login.password)) return login;
  return fail(
      ErrorKind::Invalid,
      "it has no name and password for the registry: make it with 'podman login --authfile', "
      "without a helper that keeps them elsewhere");
}

/// The logins by their registries, as the file has them; empty where it has none.
Result<Json> read_auths(std::string_view text) {
  Json file = Json::parse(text, nullptr, false);
  if (!file.is_object() || (file.contains("auths") && !file["auths"].is_object())) {
    return fail(ErrorKind::Invalid, "it is not as 'podman login --authfile' writes it");
  }
  return file.contains("auths") ? std::move(file["auths"]) : Json::object();
}

tl::unexpected<Error> wrong(const std::string& file, const Error& error) {
  return fail(ErrorKind::Invalid, "the node's logins, {}: {}", file, error.message);
}

/// The whole file, which its owner alone may read. Nothing where there is none.
Result<std::optional<std::string>> read_private(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0 && errno == ENOENT) return std::nullopt;
  struct stat status {};
  if (file < 0 || ::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    if (file >= 0) ::close(file);
    return fail(ErrorKind::Invalid, "it is no file that can be read");
  }
  std::string text(kFileBytesMax + 1, '\0');
  const ssize_t size = ::read(file, text.data(), text.size());
  ::close(file);
  if ((status.st_mode & 077U) != 0) {
    return fail(ErrorKind::Invalid, "others than the owner can read it: chmod 600");
  }
  if (size < 0 || static_cast<std::size_t>(size) > kFileBytesMax) {
    return fail(ErrorKind::Invalid, "it is no file that can be read");
  }
  text.resize(static_cast<std::size_t>(size));
  return text;
}

}  // namespace

Result<std::optional<Login>> read_login(std::string_view text, std::string_view registry) {
  const auto auths = read_auths(text);
  if (!auths) return tl::unexpected(auths.error());
  for (const auto& [key, entry] : auths->items()) {
    if (!registry.empty() && registry_of(key) == registry && entry.is_object())
      return login_of(entry);
  }
  return std::nullopt;
}

Result<std::optional<Login>> find_login(const std::string& file, const std::string& registry) {
  if (file.empty()) return std::nullopt;
  const auto text = read_private(file);
  if (!text) return wrong(file, text.error());
  if (!*text) return std::nullopt;
  auto login = read_login(**text, registry);
  if (!login) return wrong(file, login.error());
  return login;
}

Result<std::vector<std::string>> login_hosts(const std::string& file) {
  const auto text = read_private(file);
  if (!text) return wrong(file, text.error());
  if (!*text) return std::vector<std::string>{};
  const auto auths = read_auths(**text);
  if (!auths) return wrong(file, auths.error());
  std::set<std::string> hosts;
  for (const auto& [key, entry] : auths->items()) {
    if (const auto host = registry_of(key); !host.empty()) hosts.emplace(host);
  }
  return std::vector<std::string>(hosts.begin(), hosts.end());
}

}  // namespace gyre::registry
