#include "adapter/registry/registry_client.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <nlohmann/json.hpp>

namespace gyre::registry {
namespace {

constexpr std::size_t kTokenBytesMax = 1U << 20U;
constexpr long kRedirectsMax = 5;
constexpr std::size_t kPassesMax = 10'000;  // remembered
constexpr const char* kAccept =
    "Accept: application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json";

struct Library {
  Library() { ::curl_global_init(CURL_GLOBAL_DEFAULT); }
};

struct Closer {
  void operator()(CURL* handle) const { ::curl_easy_cleanup(handle); }
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};

/// What a transfer hands to the callbacks.
struct Transfer {
  CURL* handle = nullptr;
  const act::Registry::Sink* sink = nullptr;
  std::string challenge;
  bool refused = false;  // by the sink
};

/// The body of an error is of no use, and must not be taken for the content.
std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  long status = 0;
  ::curl_easy_getinfo(transfer.handle, CURLINFO_RESPONSE_CODE, &status);
  if (status != 200) return size * count;
  if ((*transfer.sink)({data, size * count})) return size * count;
  transfer.refused = true;
  return 0;
}

/// Asks, where nothing comes, whether anybody still waits for it.
int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  auto& transfer = *static_cast<Transfer*>(user);
  if ((*transfer.sink)({})) return 0;
  transfer.refused = true;
  return 1;
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  constexpr std::string_view kName = "www-authenticate:";
  constexpr std::size_t kChallengeBytesMax = 8192;
  std::string_view line(data, size * count);
  std::string& challenge = static_cast<Transfer*>(user)->challenge;
  if (line.starts_with("HTTP/")) challenge.clear();  // of the answer before a redirection
  const auto same = [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; };
  if (line.size() > kName.size() && std::equal(kName.begin(), kName.end(), line.begin(),
                                               [&](char a, char b) { return same(b, a); })) {
    challenge.append(line.substr(kName.size()))
        .resize(std::min(challenge.size(), kChallengeBytesMax));
  }
  return size * count;
}

bool is_local(std::string_view registry) {
  const std::string_view host = registry.substr(0, registry.find(':'));
  return host == "localhost" || host == "127.0.0.1";
}

std::string escaped(const std::string& text) {
  const std::unique_ptr<char, void (*)(void*)> out(
      ::curl_easy_escape(nullptr, text.c_str(), static_cast<int>(text.size())), ::curl_free);
  return out ? out.get() : "";
}

}  // namespace

struct RegistryClient::Answer {
  long status = 0;
  std::string challenge;
};

std::map<std::string, std::string> parse_challenge(std::string_view text) {
  std::map<std::string, std::string> out;
  const std::size_t scheme = text.find("Bearer ");
  if (scheme == std::string_view::npos || text.size() > 8192) return out;
  text.remove_prefix(scheme + 7);
  while (!text.empty()) {
    const std::size_t equals = text.find("=\"");
    if (equals == std::string_view::npos) break;
    std::string_view name = text.substr(0, equals);
    while (!name.empty() && (name[0] == ' ' || name[0] == ',')) name.remove_prefix(1);
    text.remove_prefix(equals + 2);
    const std::size_t end = text.find('"');
    if (end == std::string_view::npos) break;
    out[std::string(name)] = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  return out;
}

RegistryClient::RegistryClient(ClientOptions options) : options_(std::move(options)) {
  static const Library library;
}

Result<RegistryClient::Answer> RegistryClient::fetch(const std::string& url, const Pass& pass,
                                                     bool is_document, const Sink& sink) const {
  const std::unique_ptr<CURL, Closer> handle(::curl_easy_init());
  if (!handle) return fail(ErrorKind::Internal, "cannot start a transfer (libcurl)");
  Transfer transfer{handle.get(), &sink, {}, false};
  std::unique_ptr<curl_slist, Closer> headers(::curl_slist_append(nullptr, kAccept));
  const bool plain = url.starts_with("http://");
  const auto set = [&](CURLoption option, auto value) {
    ::curl_easy_setopt(handle.get(), option, value);
  };
  set(CURLOPT_URL, url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_PROTOCOLS_STR, plain ? "http" : "https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, plain ? "http,https" : "https");
  set(CURLOPT_FOLLOWLOCATION, 1L);
  set(CURLOPT_MAXREDIRS, kRedirectsMax);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, options_.connect_seconds);
  if (is_document) set(CURLOPT_TIMEOUT, options_.document_seconds);
  set(CURLOPT_LOW_SPEED_LIMIT, options_.stall_bytes);
  set(CURLOPT_LOW_SPEED_TIME, options_.stall_seconds);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, &transfer);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, &transfer);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, &transfer);
  if (!options_.certificates.empty()) set(CURLOPT_CAINFO, options_.certificates.c_str());
  // libcurl keeps both from other hosts that it is sent on to.
  if (!pass.token.empty()) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    set(CURLOPT_XOAUTH2_BEARER, pass.token.c_str());
  } else if (pass.login) {
    set(CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    set(CURLOPT_USERNAME, pass.login->user.c_str());
    set(CURLOPT_PASSWORD, pass.login->password.c_str());
  }
  const CURLcode code = ::curl_easy_perform(handle.get());
  if (transfer.refused) {
    return fail(ErrorKind::Unavailable, "the transfer was ended: it is too large, or was given up");
  }
  if (code != CURLE_OK) {
    return fail(ErrorKind::Unavailable, "the registry did not deliver: {}",
                ::curl_easy_strerror(code));
  }
  Answer answer;
  ::curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &answer.status);
  answer.challenge = std::move(transfer.challenge);
  return answer;
}

bool is_safe_realm(std::string_view realm, bool local) {
  const bool plain = realm.starts_with("http://");
  if (!plain && !realm.starts_with("https://")) return false;
  std::string_view host = realm.substr(realm.find("//") + 2);
  host = host.substr(0, host.find_first_of("/?#"));
  return host.find('@') == std::string_view::npos && (!plain || (local && is_local(host)));
}

Result<std::string> RegistryClient::fetch_token(const std::string& challenge, bool local,
                                                const std::optional<Login>& login) const {
  const auto parts = parse_challenge(challenge);
  const auto realm = parts.find("realm");
  if (realm == parts.end() || !is_safe_realm(realm->second, local)) {
    return fail(ErrorKind::Unavailable,
                "the registry asks for a token that is given nowhere, or not over HTTPS");
  }
  std::string url = realm->second;
  char mark = url.find('?') == std::string::npos ? '?' : '&';
  for (const char* name : {"service", "scope"}) {
    const auto found = parts.find(name);
    if (found == parts.end()) continue;
    url += fmt::format("{}{}={}", mark, name, escaped(found->second));
    mark = '&';
  }
  std::string body;
  const auto answer = fetch(url, {login, {}}, true, [&body](std::string_view bytes) {
    body += bytes;
    return body.size() <= kTokenBytesMax;
  });
  if (!answer) return tl::unexpected(answer.error());
  const auto json = nlohmann::json::parse(body, nullptr, false);
  for (const char* name : {"token", "access_token"}) {
    if (json.is_object() && json.contains(name) && json[name].is_string()) {
      return json[name].get<std::string>();
    }
  }
  if (answer->status != 200 && answer->status != 401 && answer->status != 403) {
    return fail(ErrorKind::Unavailable, "what gives the registry's tokens answers with status {}",
                answer->status);
  }
  if (login) return fail(ErrorKind::Invalid, "the name or the password is wrong");
  return fail(ErrorKind::Unavailable, "the registry gives no token without a name and password");
}

/// What is shown after a refusal.
Result<RegistryClient::Pass> RegistryClient::answer_challenge(
    const std::string& challenge, bool local, const std::optional<Login>& login) const {
  if (challenge.find("Bearer ") != std::string::npos) {
    auto token = fetch_token(challenge, local, login);
    if (!token) return tl::unexpected(token.error());
    return Pass{std::nullopt, std::move(*token)};
  }
  if (login && challenge.find("Basic ") != std::string::npos) return Pass{login, {}};
  return fail(ErrorKind::Unavailable, "the registry asks for a name and password");
}

/// The pull's own, which must be there; else the node's, if there is one.
Result<std::optional<Login>> RegistryClient::login_for(const act::ImagePull& pull) const {
  if (!pull.logins) return find_login(options_.logins, pull.image.registry);
  auto login = read_login(*pull.logins, pull.image.registry);
  if (!login)
    return fail(ErrorKind::Invalid, "the job's registry login: {}", login.error().message);
  if (*login) return login;
  return fail(ErrorKind::Invalid, "the job's registry login has none for {}", pull.image.registry);
}

Result<RegistryClient::Answer> RegistryClient::get(const act::ImagePull& pull,
                                                   const std::string& path, bool is_document,
                                                   const Sink& sink) {
  const ImageRef& image = pull.image;
  const auto login = login_for(pull);
  if (!login) return tl::unexpected(login.error());
  const bool local = is_local(image.registry);
  // Docker Hub answers elsewhere than at its name.
  const std::string_view host =
      image.registry == "docker.io" ? "registry-1.docker.io" : std::string_view(image.registry);
  const std::string url =
      fmt::format("{}://{}/v2/{}/{}", local ? "http" : "https", host, image.repository, path);
  const std::string owner =
      fmt::format("{} {} {}/{}", *login ? (*login)->user : "", *login ? (*login)->password : "",
                  image.registry, image.repository);
  Pass pass;
  {
    const std::lock_guard guard(mutex_);
    if (const auto known = passes_.find(owner); known != passes_.end()) pass = known->second;
  }
  auto answer = fetch(url, pass, is_document, sink);
  if (answer && answer->status == 401) {
    auto fresh = answer_challenge(answer->challenge, local, *login);
    if (!fresh) {
      return fail(fresh.error().kind, "{}: {}", image.registry, fresh.error().message);
    }
    answer = fetch(url, *fresh, is_document, sink);
    const std::lock_guard guard(mutex_);
    if (passes_.size() >= kPassesMax) passes_.clear();
    passes_[owner] = std::move(*fresh);
  }
  if (!answer) return answer;
  if (answer->status == 200) return answer;
  if (answer->status == 404) {
    return fail(ErrorKind::NotFound, "{} has no {}", image.registry, path);
  }
  if ((answer->status == 401 || answer->status == 403) && *login) {
    return fail(ErrorKind::Invalid,
                "{} does not give {}'s login {}: it is wrong, or may not have that", image.registry,
                pull.logins ? "the job" : "the node", path);
  }
  return fail(ErrorKind::Unavailable, "{} answers with status {} when asked for {}", image.registry,
              answer->status, path);
}

Result<std::string> RegistryClient::manifest(const act::ImagePull& pull, std::size_t bytes_max,
                                             const std::function<bool()>& cancelled) {
  std::string text;
  const std::string& digest = pull.image.digest;
  const std::string name = digest.empty() ? pull.image.tag : digest;
  const auto answer = get(pull, "manifests/" + name, true, [&](std::string_view bytes) {
    text += bytes;
    return text.size() <= bytes_max && !cancelled();
  });
  if (!answer) return tl::unexpected(answer.error());
  return text;
}

Result<void> RegistryClient::blob(const act::ImagePull& pull, const std::string& digest,
                                  const Sink& sink) {
  const auto answer = get(pull, "blobs/" + digest, false, sink);
  if (!answer) return tl::unexpected(answer.error());
  return {};
}

}  // namespace gyre::registry
