#pragma once

#include <cstdint>

namespace gyre::process {

/// How a node's program has a command run in a task: it connects to the socket kExecSocket in the
/// task's folder, once for each command. Words are packets (SOCK_SEQPACKET); host byte order, both
/// ends are one machine.
///
/// Who listens there, the task's supervisor or its container's first process, forks a holder for
/// each connection. The holder takes one ExecRequest, starts the command, and answers with Started
/// and the other ends of the command's input, output and errors, or of its terminal; else with why
/// not. It tells Ended once the command is over and all that it left running is killed. It ends the
/// same when the connection is closed.
inline constexpr const char* kExecSocket = "exec";

inline constexpr std::uint32_t kExecMagic = 0x67797865;
inline constexpr std::uint32_t kExecRequestMax = 98'304;  // bytes of one, its words included

/// Followed by the command's words, then variables, each with its NUL.
struct ExecRequest {
  std::uint32_t magic = kExecMagic;
  std::uint32_t arguments = 0;
  std::uint32_t variables = 0;
  std::uint16_t columns = 0;
  std::uint16_t rows = 0;
  std::uint32_t terminal = 0;  // 1: it gets one
};

enum class ExecWord : std::uint32_t {
  Started,    // the command runs; comes with one descriptor, or three
  NoRequest,  // what was asked for is no request
  NoStreams,  // pipes or a terminal cannot be made: value is the error
  NoFolder,   // the task's working directory cannot be entered: value is the error
  NoProcess,  // no process can be made: value is the error
  NoCommand,  // the command cannot be run: value is the error
  Ended,      // value is the command's wait status
};

struct ExecAnswer {
  ExecWord word = ExecWord::Started;
  std::int32_t value = 0;
};

}  // namespace gyre::process
