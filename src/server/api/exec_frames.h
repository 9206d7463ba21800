#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "act/task_exec.h"
#include "base/result.h"

namespace gyre::server {

/// What goes over the WebSocket of a command in a task: binary messages of which the first byte is
/// a channel, as in Kubernetes' subprotocol of this name (k8s.io/apimachinery, remotecommand).
inline constexpr const char* kExecSubprotocol = "v5.channel.k8s.io";

enum class ExecStreamId : std::uint8_t {
  Input = 0,
  Output = 1,
  Errors = 2,
  Status = 3,  // JSON, a Kubernetes Status; nothing follows
  Resize = 4,  // JSON: {"Width": 80, "Height": 24}
  Close = 255  // of the stream that the next byte names; only of Input
};

struct ExecInputFrame {
  std::string_view bytes;  // of the message
};
struct ExecInputEnd {};
using ExecFrame = std::variant<ExecInputFrame, ExecInputEnd, act::WindowSize>;

/// One message of a client's. Pure. Errors: Invalid.
Result<ExecFrame> read_exec_frame(std::string_view message);

std::string exec_frame(ExecStreamId stream, std::string_view bytes);

/// The Status frame: "Success", a "NonZeroExitCode" with its code, or an "InternalError" with why
/// there is no code.
std::string exec_status_frame(const Result<std::int32_t>& exit_code);

/// What such a frame says, its first byte left out. Errors: the server's own; Internal, it is none.
Result<std::int32_t> read_exec_status(std::string_view json);

}  // namespace gyre::server
