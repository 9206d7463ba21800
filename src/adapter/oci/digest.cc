#include "adapter/oci/digest.h"

#include <openssl/evp.h>

#include <array>
#include <fstream>

#include "base/assert.h"

namespace gyre::oci {

struct Sha256::Context {
  EVP_MD_CTX* evp = ::EVP_MD_CTX_new();
  ~Context() { ::EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  GYRE_ASSERT(::EVP_DigestInit_ex(context_->evp, ::EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;

void Sha256::add(std::string_view bytes) {
  GYRE_ASSERT(::EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) == 1);
}

std::string Sha256::finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  GYRE_ASSERT(::EVP_DigestFinal_ex(context_->evp, bytes.data(), &size) == 1);
  std::string text = "sha256:";
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

std::string digest_of(std::string_view bytes) {
  Sha256 hash;
  hash.add(bytes);
  return hash.finish();
}

Result<std::string> digest_of_file(const std::string& path, std::uint64_t bytes_max) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(ErrorKind::NotFound, "cannot read {}", path);
  Sha256 hash;
  std::array<char, 65'536> buffer{};
  std::uint64_t bytes = 0;
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    const auto n = static_cast<std::size_t>(file.gcount());
    bytes += n;
    if (bytes > bytes_max)
      return fail(ErrorKind::Invalid, "{} is larger than {} bytes", path, bytes_max);
    hash.add({buffer.data(), n});
  }
  return hash.finish();
}

}  // namespace gyre::oci
