// Whatever a layer holds, nothing outside of its folder is touched.
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "adapter/oci/unpack.h"
#include "base/assert.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace fs = std::filesystem;
  static const std::string base = [] {
    std::string name = (fs::temp_directory_path() / "gyre-unpack-XXXXXX").string();
    GYRE_ASSERT(::mkdtemp(name.data()) != nullptr);
    return name;
  }();
  const fs::path layer = fs::path(base) / "layer";
  fs::create_directory(layer);
  std::ofstream(base + "/blob", std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  const gyre::oci::UnpackLimits limits{
      .bytes_max = 1U << 20U, .entries_max = 1000, .ratio_max = 200, .path_bytes_max = 256};
  static_cast<void>(
      gyre::oci::unpack_layer(base + "/blob", layer.string(), limits, [] { return false; }));
  std::error_code error;
  for (auto it = fs::recursive_directory_iterator(layer, error); !error && it != end(it);
       it.increment(error)) {
    if (it->is_directory() && !it->is_symlink()) ::chmod(it->path().c_str(), 0700);
  }
  fs::remove_all(layer);
  std::size_t left = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(base)) ++left;
  GYRE_ASSERT(left == 1);  // the blob
  return 0;
}
