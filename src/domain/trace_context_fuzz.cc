// A `traceparent` header of whoever sends one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "domain/trace_context.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const auto context = parse_trace_parent({reinterpret_cast<const char*>(data), size});
  if (context) GYRE_ASSERT(parse_trace_parent(to_string(*context)) == context);
  return 0;
}
