#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

namespace gyre::server::http {

struct TestPair {
  std::string certificate;
  std::string key;
};

/// A key, and a certificate for that name that it signs itself, valid for so long.
inline TestPair make_pair(const char* name, long lifetime_s = 3600) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* made = X509_new();
  X509_set_version(made, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
  X509_gmtime_adj(X509_getm_notBefore(made), -7200);
  X509_gmtime_adj(X509_getm_notAfter(made), lifetime_s);
  X509_set_pubkey(made, key);
  const std::string names = std::string("DNS:") + name;
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names.c_str());
  X509_add_ext(made, extension, -1);
  X509_EXTENSION_free(extension);
  X509_sign(made, key, EVP_sha256());
  const auto text = [](auto write) {
    BIO* out = BIO_new(BIO_s_mem());
    write(out);
    char* data = nullptr;
    const long size = BIO_get_mem_data(out, &data);
    std::string result(data, static_cast<std::size_t>(size));
    BIO_free_all(out);
    return result;
  };
  TestPair pair;
  pair.certificate = text([made](BIO* out) { PEM_write_bio_X509(out, made); });
  pair.key = text([key](BIO* out) {
    PEM_write_bio_PKCS8PrivateKey(out, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
  X509_free(made);
  EVP_PKEY_free(key);
  return pair;
}

/// A client's end, as OpenSSL has it: bytes in, bytes out.
class TestClient {
 public:
  explicit TestClient(int version = TLS1_3_VERSION) : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(context_, 0);
    SSL_CTX_set_min_proto_version(context_, version);
    SSL_CTX_set_max_proto_version(context_, version);
    ssl_ = SSL_new(context_);
    SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(ssl_);
  }
  ~TestClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }
  TestClient(const TestClient&) = delete;
  TestClient& operator=(const TestClient&) = delete;

  void take(const std::string& bytes) {
    BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
  }
  std::string hear() {
    std::string all;
    char piece[4096];
    int got = 0;
    while ((got = SSL_read(ssl_, piece, sizeof piece)) > 0) all.append(piece, got);
    return all;
  }
  void say(const std::string& text) { SSL_write(ssl_, text.data(), static_cast<int>(text.size())); }
  void end() { SSL_shutdown(ssl_); }
  std::string outgoing() {
    std::string all(BIO_ctrl_pending(SSL_get_wbio(ssl_)), '\0');
    if (!all.empty()) BIO_read(SSL_get_wbio(ssl_), all.data(), static_cast<int>(all.size()));
    return all;
  }
  bool ready() const { return SSL_is_init_finished(ssl_) == 1; }
  SSL* ssl() { return ssl_; }

 private:
  SSL_CTX* context_;
  SSL* ssl_ = nullptr;
};

}  // namespace gyre::server::http
