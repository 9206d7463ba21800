#pragma once

#include <map>
#include <mutex>
#include <string>

#include "act/image_store.h"

namespace gyre::registry {

/// How patient a client is with a registry that is slow, or that means no good.
struct ClientOptions {
  long connect_seconds = 10;
  long document_seconds = 30;  // for a whole manifest or token
  long stall_seconds = 30;     // a blob that comes slower than `stall_bytes` a second for so long
  long stall_bytes = 1024;
  std::string certificates;  // a file of authorities to trust; empty: the system's
};

/// Pulls by the OCI Distribution specification 1.0 over HTTPS; over plain HTTP from this machine
/// alone ("localhost", "127.0.0.1"). Where a registry asks for a token, one is fetched without a
/// name or password, as public images need it. Thread-safe.
class RegistryClient final : public act::Registry {
 public:
  explicit RegistryClient(ClientOptions options);

  Result<std::string> manifest(const ImageRef& image, std::size_t bytes_max,
                               const std::function<bool()>& cancelled) override;
  Result<void> blob(const ImageRef& image, const std::string& digest, const Sink& sink) override;

 private:
  struct Answer;
  Result<Answer> get(const ImageRef& image, const std::string& path, bool is_document,
                     const Sink& sink);
  Result<Answer> fetch(const std::string& url, const std::string& token, bool is_document,
                       const Sink& sink) const;
  Result<std::string> fetch_token(const std::string& challenge, bool local) const;

  const ClientOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::string> tokens_;  // by registry and repository
};

/// The parameters of a "Bearer" challenge (RFC 6750), as {realm, service, scope}; empty where the
/// text is none.
std::map<std::string, std::string> parse_challenge(std::string_view text);

}  // namespace gyre::registry
