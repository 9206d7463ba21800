#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "codec/idle_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto read = gyre::codec::read_idle(text);
  if (read && !gyre::validate(*read)) std::abort();
  return 0;
}
