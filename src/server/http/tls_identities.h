#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/tls.h"

namespace gyre::server::http {

/// The certificates of a server that has several names: a client is shown the first one that is for
/// the name it asks for (SNI, RFC 6066), or the first of all. One thread at a time.
class TlsIdentities {
 public:
  /// Requires: there is one. Errors: Invalid, what is wrong with which file.
  static Result<std::unique_ptr<TlsIdentities>> open(const std::vector<TlsFiles>& files);
  TlsIdentities(const TlsIdentities&) = delete;
  TlsIdentities& operator=(const TlsIdentities&) = delete;

  /// As TlsIdentity::refresh(), of each.
  std::vector<std::string> refresh();
  std::unique_ptr<TlsSide> accept() const;

  /// Whether one of them is for that name or address.
  bool covers(std::string_view host) const;
  /// Which of them clients will refuse, and why.
  std::vector<std::string> troubles() const;

 private:
  TlsIdentities() = default;
  static int choose(ssl_st* connection, int* alert, void* self);
  void listen_for_names();

  std::vector<std::unique_ptr<TlsIdentity>> all_;
};

}  // namespace gyre::server::http
