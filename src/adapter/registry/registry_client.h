#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "act/image_store.h"
#include "adapter/registry/logins.h"

namespace gyre::registry {

/// How patient a client is with a registry that is slow, or that means no good.
struct ClientOptions {
  long connect_seconds = 10;
  long document_seconds = 30;  // for a whole manifest or token
  long stall_seconds = 30;     // a blob that comes slower than `stall_bytes` a second for so long
  long stall_bytes = 1024;
  std::string certificates;  // a file of authorities to trust; empty: the system's
  std::string logins;        // see find_login(); empty: there are none
};

/// Pulls by the OCI Distribution specification 1.0 over HTTPS; over plain HTTP from this machine
/// alone ("localhost", "127.0.0.1"). A registry that asks for it is shown the login for it, the
/// pull's own or else the node's, by Basic authentication (RFC 7617) or for a token (Docker
/// Registry v2 authentication); without one a token is asked for as anybody, as public images need
/// it. Passwords and tokens are sent over HTTPS or to this machine, to nobody that a registry
/// redirects to, and are in no error. Thread-safe.
class RegistryClient final : public act::Registry {
 public:
  explicit RegistryClient(ClientOptions options);

  Result<std::string> manifest(const act::ImagePull& pull, std::size_t bytes_max,
                               const std::function<bool()>& cancelled) override;
  Result<void> blob(const act::ImagePull& pull, const std::string& digest,
                    const Sink& sink) override;

 private:
  struct Answer;
  /// What a registry is shown; nothing where both are empty.
  struct Pass {
    std::optional<Login> login;
    std::string token;
  };
  Result<Answer> get(const act::ImagePull& pull, const std::string& path, bool is_document,
                     const Sink& sink);
  Result<std::optional<Login>> login_for(const act::ImagePull& pull) const;
  Result<Answer> fetch(const std::string& url, const Pass& pass, bool is_document,
                       const Sink& sink) const;
  Result<Pass> answer_challenge(const std::string& challenge, bool local,
                                const std::optional<Login>& login) const;
  Result<std::string> fetch_token(const std::string& challenge, bool local,
                                  const std::optional<Login>& login) const;

  const ClientOptions options_;
  std::mutex mutex_;
  std::map<std::string, Pass> passes_;  // by login, registry and repository
};

/// Whether a token may be asked for there: over HTTPS, or over HTTP on this machine where the
/// registry is (`local`).
bool is_safe_realm(std::string_view realm, bool local);

/// The parameters of a "Bearer" challenge (RFC 6750), as {realm, service, scope}; empty where the
/// text is none.
std::map<std::string, std::string> parse_challenge(std::string_view text);

}  // namespace gyre::registry
