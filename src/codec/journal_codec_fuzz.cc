#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "codec/journal_codec.h"

// Any text gives a record or an error; a record comes back from its own text.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto event = codec::decode_event(text)) {
    GYRE_ASSERT(codec::decode_event(codec::encode(*event)).value() == *event);
  }
  if (const auto command = codec::decode_command(text)) {
    GYRE_ASSERT(codec::decode_command(codec::encode(*command)).value() == *command);
  }
  if (const auto job = codec::decode_job(text)) {
    GYRE_ASSERT(codec::decode_job(codec::encode(*job)).value() == *job);
  }
  const std::array parts{std::string(text)};
  if (const auto state = codec::decode_state(parts)) {
    GYRE_ASSERT(codec::decode_state(codec::encode(*state)).value() == *state);
  }
  return 0;
}
