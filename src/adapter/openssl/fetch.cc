// The first contact of a newcomer: whom does the other side claim to be?
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>

#include <chrono>

#include "adapter/openssl/handles.h"
#include "adapter/openssl/pki.h"

namespace gyre::adapter::openssl {
namespace {

constexpr std::chrono::seconds kPatience{10};

struct FreeContext {
  void operator()(SSL_CTX* it) const { SSL_CTX_free(it); }
};

/// Connects and shakes hands, in kPatience at most.
bool shake_hands(BIO* connection) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  BIO_set_nbio(connection, 1);
  while (BIO_do_handshake(connection) != 1) {
    if (!BIO_should_retry(connection)) return false;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    int number = -1;
    BIO_get_fd(connection, &number);
    pollfd wait{number, static_cast<short>(BIO_should_read(connection) ? POLLIN : POLLOUT), 0};
    if (left.count() <= 0 || number < 0 || ::poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
      return false;
    }
  }
  return true;
}

/// The certificate of the chain with that fingerprint, if it has signed the first one.
Result<std::string> find_authority(SSL* session, std::string_view wanted) {
  STACK_OF(X509)* chain = SSL_get_peer_cert_chain(session);
  const int count = chain == nullptr ? 0 : sk_X509_num(chain);
  for (int i = 1; i < count; ++i) {
    X509* candidate = sk_X509_value(chain, i);
    const auto pem = to_pem(*candidate);
    if (!pem) return tl::unexpected(pem.error());
    const auto print = fingerprint(*pem);
    if (!print || !equal_in_constant_time(*print, wanted)) continue;
    if (X509_verify(sk_X509_value(chain, 0), X509_get0_pubkey(candidate)) == 1) return *pem;
  }
  return fail(ErrorKind::Conflict,
              "the server is not the one that made the token: its authority has another "
              "fingerprint; check the address");
}

}  // namespace

Result<std::string> fetch_authority(const std::string& server, std::string_view wanted) {
  const std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_client_method()));
  if (!context) return ssl_error("cannot begin TLS");
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);  // the fingerprint decides
  constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  SSL_CTX_set_alpn_protos(context.get(), kHttp2, sizeof(kHttp2));
  const Bio connection(BIO_new_ssl_connect(context.get()));
  SSL* session = nullptr;
  BIO_get_ssl(connection.get(), &session);
  if (session == nullptr) return ssl_error("cannot begin TLS");
  BIO_set_conn_hostname(connection.get(), server.c_str());
  if (!shake_hands(connection.get())) {
    ERR_clear_error();
    return fail(ErrorKind::Unavailable,
                "no Gyre server answers agents at {}; is it the address that it was given with "
                "--agents?",
                server);
  }
  return find_authority(session, wanted);
}

}  // namespace gyre::adapter::openssl
