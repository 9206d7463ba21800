#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/job_spec_text.h"

// Any text gives a spec or problems, in bounded time; what is shown of a spec reads back as it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto format :
       {codec::SpecFormat::Json, codec::SpecFormat::Yaml, codec::SpecFormat::Auto}) {
    const auto spec = codec::parse_job_spec(text, format);
    if (!spec) {
      GYRE_ASSERT(!spec.error().empty());
      for (const auto& problem : spec.error()) {
        const std::string shown = codec::describe(problem);
        GYRE_ASSERT(shown.size() < 2000);
        for (const char c : shown) GYRE_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
      }
      continue;
    }
    GYRE_ASSERT(validate(*spec).has_value());
    const auto again = codec::read_job_spec(codec::to_json(*spec).value(), codec::SpecFormat::Json);
    GYRE_ASSERT(again && *again == *spec);
    const auto yaml = codec::read_job_spec(codec::to_yaml(*spec).value(), codec::SpecFormat::Yaml);
    GYRE_ASSERT(yaml && *yaml == *spec);
  }
  return 0;
}
