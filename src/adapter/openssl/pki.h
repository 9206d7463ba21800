#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace gyre::adapter::openssl {

/// Certificates and keys as PEM text: ECDSA over P-256 (FIPS 186-5), X.509 version 3 (RFC 5280).
/// A node's certificate says "CN=node:NAME" and is for clients only, the server's names it
/// "gyre-server" and is for servers only, so that none can pass for the other. Thread-safe. Errors:
/// Internal where OpenSSL fails; Invalid for text that is not what it should be.

struct KeyPair {
  std::string key_pem;          // PKCS #8
  std::string certificate_pem;  // or the request for one
};

/// A new key, and the certificate of an authority that it signs itself.
Result<KeyPair> make_authority(Duration lifetime);
/// A new key, and the server's certificate.
Result<KeyPair> make_server(const KeyPair& authority, Duration lifetime);
/// A new key, and a request for a certificate (PKCS #10, RFC 2986).
Result<KeyPair> make_request(const std::string& node);

/// The certificate of a node for the key in `request_pem`, whose own signature is checked; the
/// names in the request do not count. `serial`: hexadecimal, told back.
struct Signed {
  std::string certificate_pem;
  std::string serial;
};
Result<Signed> sign_node(const KeyPair& authority, const std::string& request_pem,
                         const std::string& node, Duration lifetime);

struct Shown {
  std::string node;
  std::string serial;
};
/// Whose certificate that is. Its signature is not looked at.
Result<Shown> read_node(const std::string& certificate_pem);

/// The part of its lifetime that is over, in percent; more than 100 when it has expired.
Result<int> spent_percent(const std::string& certificate_pem);

/// Until when it is valid.
Result<Time> expires_at(const std::string& certificate_pem);

std::string sha256_hex(std::string_view data);
/// Of the certificate's DER form. Errors: Invalid.
Result<std::string> fingerprint(const std::string& certificate_pem);
bool equal_in_constant_time(std::string_view a, std::string_view b);
/// Unpredictable, in lower-case hexadecimal.
Result<std::string> random_hex(std::size_t bytes);

/// The authority's certificate as the server at HOST:PORT shows it, if its fingerprint is that one
/// and it has signed the server's own. Waits some seconds at most. Errors: Unavailable; Conflict,
/// another fingerprint.
Result<std::string> fetch_authority(const std::string& server, std::string_view wanted_fingerprint);

}  // namespace gyre::adapter::openssl
