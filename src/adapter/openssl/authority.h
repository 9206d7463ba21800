#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "adapter/openssl/pki.h"
#include "base/result.h"
#include "base/time.h"
#include "live/gatekeeper.h"

namespace gyre::adapter::openssl {

struct AuthorityOptions {
  std::string folder;                             // made if missing, mode 0700
  Duration node_lifetime = seconds(30 * 86'400);  // of a node's certificate
  /// Keeps each file elsewhere too, by its name in the folder, before it is put there; where that
  /// fails it is not. Empty: nowhere.
  std::function<Result<void>(const std::string& name, const std::string& content)> share{};
};

/// The fleet's own certificate authority: its key, its tokens, and which certificate each node has
/// now. Everything is in one folder, keys with mode 0600, tokens as hashes. Thread-safe.
class Authority final : public live::Gatekeeper {
 public:
  /// Opens what is in the folder, or makes a new authority. Errors: Internal, the disk; Invalid, a
  /// file that is not what it was written as.
  static Result<std::unique_ptr<Authority>> open(AuthorityOptions options);

  const std::string& certificate_pem() const { return authority_.certificate_pem; }
  /// A new key and certificate of the server's.
  Result<KeyPair> server_identity() const;

  Result<std::string> make_token(const std::string& node, Duration lifetime) override;
  Result<std::string> admit(const Application& application) override;
  Result<std::string> identify(const std::string& certificate_pem) override;
  Result<std::string> renew(const std::string& node, const std::string& request_pem) override;
  Result<Roster> roster() const override;

 private:
  struct Token {
    std::string hash;  // SHA-256 of the secret
    std::string node;  // empty: any new one
    std::int64_t expires_s = 0;
  };
  struct Holder {
    std::string serial;          // of its certificate
    std::string previous;        // which it may show until it has shown the new one
    std::int64_t expires_s = 0;  // that certificate; 0: not known
  };

  Authority(AuthorityOptions options, KeyPair authority)
      : options_(std::move(options)), authority_(std::move(authority)) {}
  Result<void> load();
  Result<void> save() const;
  Result<void> use_token(const Application& application);

  const AuthorityOptions options_;
  const KeyPair authority_;
  mutable std::mutex mutex_;
  std::map<std::string, Token> tokens_;    // by id
  std::map<std::string, Holder> members_;  // by node
};

/// The parts of a token's text. Errors: Invalid.
struct TokenText {
  std::string fingerprint;  // of the authority
  std::string id;
  std::string secret;
};
Result<TokenText> parse_token(const std::string& text);

}  // namespace gyre::adapter::openssl
