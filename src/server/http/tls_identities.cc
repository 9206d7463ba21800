#include "server/http/tls_identities.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include "base/assert.h"

namespace gyre::server::http {

Result<std::unique_ptr<TlsIdentities>> TlsIdentities::open(const std::vector<TlsFiles>& files) {
  GYRE_ASSERT(!files.empty());
  std::unique_ptr<TlsIdentities> identities(new TlsIdentities);
  for (const TlsFiles& one : files) {
    auto identity = TlsIdentity::open(one);
    if (!identity) return tl::unexpected(identity.error());
    identities->all_.push_back(std::move(*identity));
  }
  identities->listen_for_names();
  return identities;
}

/// Called as a client says hello.
int TlsIdentities::choose(ssl_st* connection, int* /*alert*/, void* self) {
  const char* name = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const auto& all = static_cast<const TlsIdentities*>(self)->all_;
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const auto& one) { return one->covers(name); });
  if (found == all.end()) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_SSL_CTX(connection, (*found)->context());
  return SSL_TLSEXT_ERR_OK;
}

/// Every connection begins with the first one's context.
void TlsIdentities::listen_for_names() {
  SSL_CTX* first = all_.front()->context();
  SSL_CTX_set_tlsext_servername_callback(first, choose);
  SSL_CTX_set_tlsext_servername_arg(first, this);
}

std::vector<std::string> TlsIdentities::refresh() {
  std::vector<std::string> said;
  for (const auto& one : all_) {
    if (auto line = one->refresh()) said.push_back(std::move(*line));
  }
  if (!said.empty()) listen_for_names();
  return said;
}

std::unique_ptr<TlsSide> TlsIdentities::accept() const { return all_.front()->accept(); }

bool TlsIdentities::covers(std::string_view host) const {
  return std::any_of(all_.begin(), all_.end(),
                     [host](const auto& one) { return one->covers(host); });
}

std::vector<std::string> TlsIdentities::troubles() const {
  std::vector<std::string> found;
  for (const auto& one : all_) {
    if (const std::string why = one->trouble(); !why.empty()) {
      found.push_back(one->file() + ": " + why);
    }
  }
  return found;
}

}  // namespace gyre::server::http
