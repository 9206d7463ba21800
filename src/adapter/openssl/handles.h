#pragma once

#include <memory>
#include <string>

#include "base/result.h"

// OpenSSL's own types, without its headers.
extern "C" {
struct bio_st;
struct evp_pkey_st;
struct x509_st;
struct X509_req_st;
}

namespace gyre::adapter::openssl {

struct Freer {
  void operator()(bio_st* it) const;
  void operator()(evp_pkey_st* it) const;
  void operator()(x509_st* it) const;
  void operator()(X509_req_st* it) const;
};
template <class T>
using Owned = std::unique_ptr<T, Freer>;
using Bio = Owned<bio_st>;
using Key = Owned<evp_pkey_st>;
using Certificate = Owned<x509_st>;
using Request = Owned<X509_req_st>;

/// An Error of kind Internal with what OpenSSL says last.
tl::unexpected<Error> ssl_error(const char* doing);

Result<Certificate> parse_certificate(const std::string& pem);
Result<std::string> to_pem(x509_st& certificate);

}  // namespace gyre::adapter::openssl
