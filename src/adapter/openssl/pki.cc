#include "adapter/openssl/pki.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <ctime>
#include <vector>

#include "adapter/openssl/handles.h"

namespace gyre::adapter::openssl {

void Freer::operator()(bio_st* it) const { BIO_free_all(it); }
void Freer::operator()(evp_pkey_st* it) const { EVP_PKEY_free(it); }
void Freer::operator()(x509_st* it) const { X509_free(it); }
void Freer::operator()(X509_req_st* it) const { X509_REQ_free(it); }

tl::unexpected<Error> ssl_error(const char* doing) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_get_error(), text.data(), text.size());
  ERR_clear_error();
  return fail(ErrorKind::Internal, "{}: {}", doing, text.data());
}

namespace {

constexpr const char* kNodePrefix = "node:";
constexpr long kBackdateS = 300;  // for clocks that are a little behind
constexpr std::size_t kPemMax = 16'384;

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio reader(const std::string& pem) {
  return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min(pem.size(), kPemMax))));
}

Result<std::string> key_pem(EVP_PKEY* key) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(out.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return ssl_error("cannot write a key");
  }
  return text_of(out);
}

Result<Key> parse_key(const std::string& pem) {
  Key key(PEM_read_bio_PrivateKey(reader(pem).get(), nullptr, nullptr, nullptr));
  if (!key) return ssl_error("cannot read a key");
  return key;
}

Result<Key> make_key() {
  Key key(EVP_EC_gen("P-256"));
  if (!key) return ssl_error("cannot make a key");
  return key;
}

bool add_extension(X509* certificate, X509* issuer, int id, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
  if (extension == nullptr) return false;
  const bool added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

bool set_random_serial(X509* certificate) {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) return false;
  bytes[0] &= 0x7f;  // positive (RFC 5280, 4.1.2.2)
  BIGNUM* number = BN_bin2bn(bytes.data(), bytes.size(), nullptr);
  const bool set = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

struct Draft {
  std::string common_name;
  Duration lifetime;
  std::vector<std::pair<int, const char*>> extensions;
};

/// `issuer` null: it signs itself.
Result<Certificate> sign(EVP_PKEY* subject_key, const Draft& draft, X509* issuer,
                         EVP_PKEY* issuer_key) {
  Certificate made(X509_new());
  X509* it = made.get();
  const auto* name = reinterpret_cast<const unsigned char*>(draft.common_name.c_str());
  bool good = X509_set_version(it, 2) == 1 && set_random_serial(it);
  good = good && X509_gmtime_adj(X509_getm_notBefore(it), -kBackdateS) != nullptr;
  good =
      good && X509_gmtime_adj(X509_getm_notAfter(it), draft.lifetime.ns / 1'000'000'000) != nullptr;
  good = good && X509_set_pubkey(it, subject_key) == 1;
  good = good && X509_NAME_add_entry_by_txt(X509_get_subject_name(it), "CN", MBSTRING_UTF8, name,
                                            -1, -1, 0) == 1;
  X509* from = issuer != nullptr ? issuer : it;
  good = good && X509_set_issuer_name(it, X509_get_subject_name(from)) == 1;
  for (const auto& [id, value] : draft.extensions) {
    good = good && add_extension(it, from, id, value);
  }
  if (!good || X509_sign(it, issuer_key, EVP_sha256()) == 0) {
    return ssl_error("cannot make a certificate");
  }
  return made;
}

struct Issuer {
  Certificate certificate;
  Key key;
};
Result<Issuer> read_issuer(const KeyPair& authority) {
  auto certificate = parse_certificate(authority.certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  auto key = parse_key(authority.key_pem);
  if (!key) return tl::unexpected(key.error());
  return Issuer{std::move(*certificate), std::move(*key)};
}

Result<KeyPair> pair_of(EVP_PKEY* key, X509& certificate) {
  auto key_text = key_pem(key);
  if (!key_text) return tl::unexpected(key_text.error());
  auto text = to_pem(certificate);
  if (!text) return tl::unexpected(text.error());
  return KeyPair{std::move(*key_text), std::move(*text)};
}

std::string serial_of(X509& certificate) {
  BIGNUM* number = ASN1_INTEGER_to_BN(X509_get_serialNumber(&certificate), nullptr);
  char* text = BN_bn2hex(number);
  std::string serial(text);
  OPENSSL_free(text);
  BN_free(number);
  return serial;
}

std::string hex_of(const unsigned char* bytes, std::size_t size) {
  std::string out;
  for (std::size_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

}  // namespace

Result<Certificate> parse_certificate(const std::string& pem) {
  Certificate certificate(PEM_read_bio_X509(reader(pem).get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return fail(ErrorKind::Invalid, "that is no certificate in PEM form");
  return certificate;
}

Result<std::string> to_pem(x509_st& certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), &certificate) != 1) {
    return ssl_error("cannot write a certificate");
  }
  return text_of(out);
}

Result<KeyPair> make_authority(Duration lifetime) {
  const auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  const Draft draft{"Gyre fleet authority",
                    lifetime,
                    {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
                     {NID_key_usage, "critical,keyCertSign,cRLSign"},
                     {NID_subject_key_identifier, "hash"}}};
  const auto certificate = sign(key->get(), draft, nullptr, key->get());
  if (!certificate) return tl::unexpected(certificate.error());
  return pair_of(key->get(), **certificate);
}

Result<KeyPair> make_server(const KeyPair& authority, Duration lifetime) {
  const auto issuer = read_issuer(authority);
  if (!issuer) return tl::unexpected(issuer.error());
  const auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  const Draft draft{"gyre-server",
                    lifetime,
                    {{NID_basic_constraints, "critical,CA:FALSE"},
                     {NID_key_usage, "critical,digitalSignature"},
                     {NID_ext_key_usage, "serverAuth"},
                     {NID_subject_alt_name, "DNS:gyre-server"}}};
  const auto certificate = sign(key->get(), draft, issuer->certificate.get(), issuer->key.get());
  if (!certificate) return tl::unexpected(certificate.error());
  auto pair = pair_of(key->get(), **certificate);
  // With the authority's behind it, so that a newcomer can compare the fingerprint.
  if (pair) pair->certificate_pem += authority.certificate_pem;
  return pair;
}

Result<KeyPair> make_request(const std::string& node) {
  const auto key = make_key();
  if (!key) return tl::unexpected(key.error());
  const Request request(X509_REQ_new());
  const std::string name = kNodePrefix + node;
  const bool good = X509_REQ_set_pubkey(request.get(), key->get()) == 1 &&
                    X509_NAME_add_entry_by_txt(
                        X509_REQ_get_subject_name(request.get()), "CN", MBSTRING_UTF8,
                        reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0) == 1 &&
                    X509_REQ_sign(request.get(), key->get(), EVP_sha256()) != 0;
  const Bio out(BIO_new(BIO_s_mem()));
  if (!good || PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) {
    return ssl_error("cannot make a certificate request");
  }
  auto key_text = key_pem(key->get());
  if (!key_text) return tl::unexpected(key_text.error());
  return KeyPair{std::move(*key_text), text_of(out)};
}

Result<Signed> sign_node(const KeyPair& authority, const std::string& request_pem,
                         const std::string& node, Duration lifetime) {
  const auto issuer = read_issuer(authority);
  if (!issuer) return tl::unexpected(issuer.error());
  const Request request(
      PEM_read_bio_X509_REQ(reader(request_pem).get(), nullptr, nullptr, nullptr));
  EVP_PKEY* key = request ? X509_REQ_get0_pubkey(request.get()) : nullptr;
  const bool good = key != nullptr && EVP_PKEY_get_id(key) == EVP_PKEY_EC &&
                    EVP_PKEY_get_bits(key) == 256 && X509_REQ_verify(request.get(), key) == 1;
  ERR_clear_error();
  if (!good) {
    return fail(ErrorKind::Invalid, "that is no certificate request for a key over P-256");
  }
  const Draft draft{kNodePrefix + node,
                    lifetime,
                    {{NID_basic_constraints, "critical,CA:FALSE"},
                     {NID_key_usage, "critical,digitalSignature"},
                     {NID_ext_key_usage, "clientAuth"}}};
  const auto certificate = sign(key, draft, issuer->certificate.get(), issuer->key.get());
  if (!certificate) return tl::unexpected(certificate.error());
  auto text = to_pem(**certificate);
  if (!text) return tl::unexpected(text.error());
  return Signed{std::move(*text), serial_of(**certificate)};
}

Result<Shown> read_node(const std::string& certificate_pem) {
  const auto certificate = parse_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  std::array<char, 512> name{};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate->get()),
                                             NID_commonName, name.data(), name.size());
  const std::string text(name.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  if (!text.starts_with(kNodePrefix)) {
    return fail(ErrorKind::Invalid, "the certificate is not a node's");
  }
  return Shown{text.substr(std::string(kNodePrefix).size()), serial_of(**certificate)};
}

Result<int> spent_percent(const std::string& certificate_pem) {
  const auto certificate = parse_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  int days = 0;
  int more = 0;
  const ASN1_TIME* begin = X509_get0_notBefore(certificate->get());
  if (ASN1_TIME_diff(&days, &more, begin, X509_get0_notAfter(certificate->get())) != 1) {
    return ssl_error("cannot read a certificate's lifetime");
  }
  const std::int64_t whole = std::int64_t{86'400} * days + more - kBackdateS;
  if (ASN1_TIME_diff(&days, &more, begin, nullptr) != 1) {
    return ssl_error("cannot read a certificate's lifetime");
  }
  const std::int64_t spent = std::int64_t{86'400} * days + more - kBackdateS;
  return static_cast<int>(std::max<std::int64_t>(0, spent) * 100 /
                          std::max<std::int64_t>(1, whole));
}

Result<Time> expires_at(const std::string& certificate_pem) {
  const auto certificate = parse_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate->get()), &end) != 1) {
    return ssl_error("cannot read a certificate's lifetime");
  }
  return Time{seconds(::timegm(&end)).ns};
}

std::string sha256_hex(std::string_view data) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return hex_of(digest.data(), size);
}

Result<std::string> fingerprint(const std::string& certificate_pem) {
  const auto certificate = parse_certificate(certificate_pem);
  if (!certificate) return tl::unexpected(certificate.error());
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate->get(), EVP_sha256(), digest.data(), &size) != 1) {
    return ssl_error("cannot take a certificate's fingerprint");
  }
  return hex_of(digest.data(), size);
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Result<std::string> random_hex(std::size_t bytes) {
  std::vector<unsigned char> data(bytes);
  if (RAND_bytes(data.data(), static_cast<int>(bytes)) != 1) {
    return ssl_error("there are no random numbers");
  }
  return hex_of(data.data(), data.size());
}

}  // namespace gyre::adapter::openssl
