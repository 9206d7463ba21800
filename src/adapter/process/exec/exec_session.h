#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "act/task_exec.h"
#include "adapter/process/exec/exec_protocol.h"
#include "adapter/process/files.h"
#include "base/result.h"

namespace gyre::process {

/// The node's end of one command in a task: its line to the holder, and its streams. Its end hangs
/// up, which ends the command. Used by one thread, which does not wait in any call.
class ExecSession {
 public:
  /// What can be waited on. With a terminal Input and Output are the same, and there are no Errors.
  enum class Part : std::uint8_t { Line, Input, Output, Errors };
  static constexpr int kParts = 4;

  using Listener = std::function<void(act::ExecReport)>;

  /// Asks for the command; `tasks` is the folder of all tasks' folders. Errors: as knock();
  /// NotFound, no such task here; Invalid, a command that is too long.
  static Result<ExecSession> open(const std::string& tasks, const act::ExecStart& start,
                                  const Listener& listener);

  /// Whether something is to be done when this part can be read, or Input be written.
  bool waits_for(Part part) const;
  int descriptor(Part part) const { return parts_[index(part)].get(); }

  /// Does it. What comes of it is told to the listener, ExecEnded in the end.
  void on_ready(Part part);

  void take(const act::ExecInput& input);
  void take(const act::ExecWant& want);
  void take(const act::ExecResize& resize) const;

  /// ExecEnded has been told.
  bool is_over() const { return over_; }

 private:
  ExecSession(std::uint64_t id, const Listener& listener, bool terminal)
      : id_(id), listener_(&listener), terminal_(terminal) {}

  static std::size_t index(Part part) { return static_cast<std::size_t>(part); }
  Fd& at(Part part) { return parts_[index(part)]; }
  void read_answer();
  bool take_streams(std::vector<Fd> streams);
  void refuse(const ExecAnswer& answer);
  void read_output(Part part);
  void write_input();
  void close(Part part);
  void drain();
  void end(Result<std::int32_t> exit_code);

  std::uint64_t id_;
  const Listener* listener_;  // outlives this
  bool terminal_;
  Fd parts_[kParts];
  std::string command_;               // its first word, for messages
  std::string input_;                 // not yet written
  bool input_ends_ = false;           // after that
  std::uint64_t wanted_ = 0;          // bytes of output
  std::optional<std::int32_t> code_;  // once it has ended
  bool started_ = false;
  bool over_ = false;
};

}  // namespace gyre::process
