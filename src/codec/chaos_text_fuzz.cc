#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "codec/chaos_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto spec = gyre::codec::read_chaos(text);
  if (spec && !gyre::validate(*spec)) std::abort();
  const auto live = gyre::codec::read_live_chaos(text);
  if (live && (!spec || !gyre::validate(*live) || live->scenario != *spec)) std::abort();
  return 0;
}
