// What clients say of a command in a task, and what the server says of its end.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/assert.h"
#include "server/api/exec_frames.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace gyre::server;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto frame = read_exec_frame(text);
  const auto* input = frame ? std::get_if<ExecInputFrame>(&*frame) : nullptr;
  if (input != nullptr) GYRE_ASSERT(exec_frame(ExecStreamId::Input, input->bytes) == text);
  if (const auto code = read_exec_status(text)) {
    const std::string again = exec_status_frame(*code);
    GYRE_ASSERT(read_exec_status(std::string_view(again).substr(1)) == *code);
  }
  return 0;
}
