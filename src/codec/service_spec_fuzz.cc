#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/service_spec_text.h"

// Any text gives a spec or problems; what is shown of a spec reads back as it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = codec::parse_service_spec(text, codec::SpecFormat::Auto);
  if (!spec) {
    GYRE_ASSERT(!spec.error().empty());
    for (const auto& problem : spec.error()) GYRE_ASSERT(codec::describe(problem).size() < 2000);
    return 0;
  }
  GYRE_ASSERT(validate(*spec).has_value());
  const auto again =
      codec::parse_service_spec(codec::to_yaml(*spec).value(), codec::SpecFormat::Yaml);
  GYRE_ASSERT(again && *again == *spec);
  return 0;
}
