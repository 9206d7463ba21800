#include <cstddef>
#include <cstdint>
#include <string_view>

#include "adapter/oci/manifest.h"
#include "base/assert.h"
#include "domain/image_ref.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = oci::read_manifest(text)) {
    GYRE_ASSERT(!manifest->layers.empty() && manifest->layers.size() <= oci::kLayersMax);
    for (const auto& layer : manifest->layers) GYRE_ASSERT(is_digest(layer.digest));
  }
  if (const auto chosen = oci::pick_manifest(text, "")) GYRE_ASSERT(is_digest(chosen->digest));
  static_cast<void>(oci::read_config(text));
  if (const auto image = parse_image_ref(text)) {
    const auto again = parse_image_ref(to_string(*image));
    GYRE_ASSERT(again && *again == *image);
  }
  return 0;
}
