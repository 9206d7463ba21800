// Any bytes as a file, gzipped or not: read within bounds or refused. What is no gzip comes as it
// is.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "sim/traces/byte_source.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  constexpr std::size_t kBytesMax = 1U << 20U;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const int file = memfd_create("fuzz", MFD_CLOEXEC);
  GYRE_ASSERT(file >= 0 && write(file, data, size) == static_cast<ssize_t>(size));
  auto source = sim::open_source("/proc/self/fd/" + std::to_string(file));
  GYRE_ASSERT(source.has_value());
  const auto text = sim::read_all(**source, kBytesMax);
  if (!bytes.starts_with("\x1f\x8b")) GYRE_ASSERT(text && *text == bytes);
  if (text) GYRE_ASSERT(text->size() <= kBytesMax);
  source->reset();
  close(file);
  return 0;
}
