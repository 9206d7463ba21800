#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// OpenSSL's own types, without its headers.
extern "C" {
struct ssl_st;
struct ssl_ctx_st;
}

namespace gyre::server::http {

/// The server's end of one TLS connection (RFC 8446, RFC 5246): bytes in, bytes out, no socket. Not
/// thread-safe.
class TlsSide {
 public:
  explicit TlsSide(ssl_st* connection);
  ~TlsSide();
  TlsSide(const TlsSide&) = delete;
  TlsSide& operator=(const TlsSide&) = delete;

  enum class State : std::uint8_t {
    Open,
    Ended,      // the client has said that it says no more
    Broken,     // what came is no TLS, or not as agreed; an alert may have to be sent
    PlainHttp,  // what came is a request without TLS
  };
  /// Takes what has come; what it says is appended to `plain`. Once it is not Open it stays so.
  State feed(std::string_view bytes, std::string& plain);

  /// Appends to outgoing(). False: it is broken, or the handshake is not over.
  bool seal(std::string_view plain);
  /// Says that nothing more follows.
  void end();

  /// What is to be sent, once.
  std::string take_outgoing();
  bool handshaking() const;

 private:
  void collect();

  ssl_st* connection_;
  State state_ = State::Open;
  std::string outgoing_;
};

struct TlsFiles {
  std::string certificate;  // PEM: the server's, then those of the authorities between
  std::string key;          // PEM, without a passphrase
};

/// A server's certificate and key. TLS 1.2 and newer. One thread at a time.
class TlsIdentity {
 public:
  /// Errors: Invalid, what is wrong with which file.
  static Result<std::unique_ptr<TlsIdentity>> open(const TlsFiles& files);
  /// From text. Errors: Invalid.
  static Result<std::unique_ptr<TlsIdentity>> of(const std::string& certificate_pem,
                                                 const std::string& key_pem);
  ~TlsIdentity();
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  /// Takes the files over if they are others than before and fit each other; connections that there
  /// are go on as they were. Returns what is to be said to a person: that they were, or why not.
  std::optional<std::string> refresh();

  std::unique_ptr<TlsSide> accept() const;

  /// Whether the certificate is for that name or address.
  bool covers(std::string_view host) const;
  /// Why clients will refuse it; empty: nothing is known.
  std::string trouble() const;
  /// The certificate's; empty: it came as text.
  const std::string& file() const { return files_.certificate; }
  /// What connections begin with, until refresh().
  ssl_ctx_st* context() const { return context_; }

 private:
  struct Stamp {
    std::int64_t modified_ns = 0;
    std::uint64_t inode = 0;
    std::int64_t size = -1;
    bool operator==(const Stamp&) const = default;
  };
  TlsIdentity() = default;
  static Stamp stamp(const std::string& path);

  TlsFiles files_;
  Stamp certificate_;
  Stamp key_;
  ssl_ctx_st* context_ = nullptr;
};

}  // namespace gyre::server::http
