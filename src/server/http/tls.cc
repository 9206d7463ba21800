#include "server/http/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include "server/http/guard.h"

namespace gyre::server::http {
namespace {

constexpr std::size_t kFileMax = 1U << 20U;
constexpr std::size_t kPieceMax = 16'384;  // of one record

struct Freer {
  void operator()(BIO* it) const { BIO_free_all(it); }
  void operator()(X509* it) const { X509_free(it); }
  void operator()(EVP_PKEY* it) const { EVP_PKEY_free(it); }
  void operator()(SSL_CTX* it) const { SSL_CTX_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Freer>;

std::string last_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "it has none";
  const char* reason = ERR_reason_error_string(code);
  if (reason != nullptr) return reason;
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

Owned<BIO> reader(const std::string& pem) {
  const auto size = std::min<std::size_t>(pem.size(), std::numeric_limits<int>::max());
  return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(size)));
}

/// Nobody is there who could be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

/// HTTP/1.1 is all that is spoken here (RFC 7301).
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* in, unsigned int in_size, void*) {
  static constexpr std::array<unsigned char, 9> kOurs{8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
  unsigned char* chosen = nullptr;
  const int found =
      SSL_select_next_proto(&chosen, out_size, kOurs.data(), kOurs.size(), in, in_size);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

Result<void> use_certificates(SSL_CTX* context, const std::string& pem) {
  const Owned<BIO> in = reader(pem);
  const Owned<X509> own(PEM_read_bio_X509_AUX(in.get(), nullptr, no_passphrase, nullptr));
  if (!own || SSL_CTX_use_certificate(context, own.get()) != 1) {
    return fail(ErrorKind::Invalid, "it begins with no certificate in PEM: {}", last_error());
  }
  while (X509* next = PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context, next) == 1) continue;
    X509_free(next);
    return fail(ErrorKind::Invalid, "a further certificate in it is of no use: {}", last_error());
  }
  const unsigned long why = ERR_peek_last_error();
  const bool at_end = ERR_GET_LIB(why) == ERR_LIB_PEM && ERR_GET_REASON(why) == PEM_R_NO_START_LINE;
  if (!at_end) {
    return fail(ErrorKind::Invalid, "a further certificate in it is damaged: {}", last_error());
  }
  ERR_clear_error();
  return {};
}

Result<void> use_key(SSL_CTX* context, const std::string& pem) {
  const Owned<BIO> in = reader(pem);
  const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(in.get(), nullptr, no_passphrase, nullptr));
  if (!key && pem.find("ENCRYPTED") != std::string::npos) {
    ERR_clear_error();
    return fail(ErrorKind::Invalid,
                "the key has a passphrase, and nobody is there to give it; "
                "'openssl pkey -in FILE -out NEW' takes it off");
  }
  if (!key) return fail(ErrorKind::Invalid, "it is no private key in PEM: {}", last_error());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return fail(ErrorKind::Invalid, "the key is not that of the certificate: {}", last_error());
  }
  return {};
}

Result<Owned<SSL_CTX>> make_context(const std::string& certificate_pem, const std::string& key_pem,
                                    const TlsFiles& files) {
  ERR_clear_error();
  Owned<SSL_CTX> context(SSL_CTX_new(TLS_server_method()));
  if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
    return fail(ErrorKind::Internal, "OpenSSL does not start: {}", last_error());
  }
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (auto good = use_certificates(context.get(), certificate_pem); !good) {
    return fail(good.error().kind, "{}: {}", files.certificate, good.error().message);
  }
  if (auto good = use_key(context.get(), key_pem); !good) {
    return fail(good.error().kind, "{}: {}", files.key, good.error().message);
  }
  return context;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorKind::Invalid, "{} cannot be read: {}", path, strerror(errno));
  std::string text(kFileMax, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() == kFileMax) return fail(ErrorKind::Invalid, "{} is larger than 1 MiB", path);
  return text;
}

}  // namespace

// --- a connection --------------------------------------------------------------------------------

TlsSide::TlsSide(ssl_st* connection) : connection_(connection) {}
TlsSide::~TlsSide() { SSL_free(connection_); }

bool TlsSide::handshaking() const { return SSL_is_init_finished(connection_) == 0; }

TlsSide::State TlsSide::feed(std::string_view bytes, std::string& plain) {
  if (state_ != State::Open) return state_;
  ERR_clear_error();
  BIO_write(SSL_get_rbio(connection_), bytes.data(), static_cast<int>(bytes.size()));
  std::array<char, kPieceMax> piece;
  int got = 0;
  while ((got = SSL_read(connection_, piece.data(), piece.size())) > 0) {
    plain.append(piece.data(), static_cast<std::size_t>(got));
  }
  const int error = SSL_get_error(connection_, got);
  if (error == SSL_ERROR_ZERO_RETURN) {
    state_ = State::Ended;
  } else if (error != SSL_ERROR_WANT_READ) {
    const unsigned long why = ERR_peek_error();
    const bool http = ERR_GET_LIB(why) == ERR_LIB_SSL && ERR_GET_REASON(why) == SSL_R_HTTP_REQUEST;
    state_ = http ? State::PlainHttp : State::Broken;
  }
  ERR_clear_error();
  collect();
  return state_;
}

bool TlsSide::seal(std::string_view plain) {
  if (state_ == State::Broken || state_ == State::PlainHttp || handshaking()) return false;
  ERR_clear_error();
  while (!plain.empty()) {
    const auto piece = std::min(plain.size(), kPieceMax);
    if (SSL_write(connection_, plain.data(), static_cast<int>(piece)) <= 0) {
      ERR_clear_error();
      return false;
    }
    plain.remove_prefix(piece);
  }
  collect();
  return true;
}

void TlsSide::end() {
  if (state_ == State::Broken || state_ == State::PlainHttp || handshaking()) return;
  SSL_shutdown(connection_);
  ERR_clear_error();
  collect();
}

void TlsSide::collect() {
  BIO* out = SSL_get_wbio(connection_);
  const std::size_t pending = BIO_ctrl_pending(out);
  const std::size_t size = outgoing_.size();
  outgoing_.resize(size + pending);
  if (pending > 0) BIO_read(out, outgoing_.data() + size, static_cast<int>(pending));
}

std::string TlsSide::take_outgoing() { return std::exchange(outgoing_, {}); }

// --- who the server is ---------------------------------------------------------------------------

TlsIdentity::~TlsIdentity() { SSL_CTX_free(context_); }

TlsIdentity::Stamp TlsIdentity::stamp(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  const std::int64_t modified = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
  return {modified, status.st_ino, status.st_size};
}

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::of(const std::string& certificate_pem,
                                                     const std::string& key_pem) {
  auto context = make_context(certificate_pem, key_pem, {"the certificate", "the key"});
  if (!context) return tl::unexpected(context.error());
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity);
  identity->context_ = context->release();
  return identity;
}

Result<std::unique_ptr<TlsIdentity>> TlsIdentity::open(const TlsFiles& files) {
  std::unique_ptr<TlsIdentity> identity(new TlsIdentity);
  identity->files_ = files;
  if (const auto said = identity->refresh(); identity->context_ == nullptr) {
    return fail(ErrorKind::Invalid, "{}", said.value_or("no certificate"));
  }
  return identity;
}

std::optional<std::string> TlsIdentity::refresh() {
  const Stamp certificate = stamp(files_.certificate);
  const Stamp key = stamp(files_.key);
  if (files_.certificate.empty() || (certificate == certificate_ && key == key_)) {
    if (context_ != nullptr) return std::nullopt;
  }
  certificate_ = certificate;
  key_ = key;
  const std::string kept = context_ == nullptr ? "" : "; the one before goes on being served";
  const auto certificate_pem = read_file(files_.certificate);
  if (!certificate_pem) return certificate_pem.error().message + kept;
  const auto key_pem = read_file(files_.key);
  if (!key_pem) return key_pem.error().message + kept;
  auto context = make_context(*certificate_pem, *key_pem, files_);
  if (!context) return context.error().message + kept;
  SSL_CTX_free(std::exchange(context_, context->release()));
  return "the services' certificate has been read: " + files_.certificate;
}

std::unique_ptr<TlsSide> TlsIdentity::accept() const {
  SSL* connection = SSL_new(context_);
  if (connection == nullptr) return nullptr;
  SSL_set_bio(connection, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(connection);
  return std::make_unique<TlsSide>(connection);
}

bool TlsIdentity::covers(std::string_view host) const {
  std::string name(host_name(host));
  if (name.starts_with('[')) name = name.substr(1, name.size() - 2);
  X509* own = SSL_CTX_get0_certificate(context_);
  return !name.empty() && (X509_check_host(own, name.data(), name.size(), 0, nullptr) == 1 ||
                           X509_check_ip_asc(own, name.c_str(), 0) == 1);
}

std::string TlsIdentity::trouble() const {
  const X509* own = SSL_CTX_get0_certificate(context_);
  if (X509_cmp_current_time(X509_get0_notAfter(own)) < 0) return "it has expired";
  if (X509_cmp_current_time(X509_get0_notBefore(own)) > 0) return "it is not valid yet";
  return "";
}

}  // namespace gyre::server::http
