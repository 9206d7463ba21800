#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "codec/policy_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = gyre::codec::read_policy(text);
  if (policy && !gyre::validate(*policy)) std::abort();
  return 0;
}
