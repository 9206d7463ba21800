#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "codec/queue_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto queues = gyre::codec::read_queues(text);
  if (queues && !gyre::validate(*queues)) std::abort();
  return 0;
}
