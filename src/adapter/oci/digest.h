#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gyre::oci {

/// SHA-256 (FIPS 180-4) of bytes as they come.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::string_view bytes);
  /// "sha256:" and its digits. Called once.
  std::string finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string digest_of(std::string_view bytes);

/// Of a file. Errors: the disk's; Unavailable, `bytes_max` is exceeded.
Result<std::string> digest_of_file(const std::string& path, std::uint64_t bytes_max);

}  // namespace gyre::oci
