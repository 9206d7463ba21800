#include "adapter/process/exec/exec_session.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "adapter/process/exec/door.h"
#include "adapter/process/folder.h"
#include "adapter/process/line.h"

namespace gyre::process {
namespace {

std::string encode_request(const act::ExecStart& start) {
  ExecRequest head;
  head.arguments = static_cast<std::uint32_t>(start.command.size());
  head.columns = start.size.columns;
  head.rows = start.size.rows;
  head.terminal = start.terminal ? 1 : 0;
  head.variables = start.terminal && !start.term.empty() ? 1 : 0;
  std::string packet(reinterpret_cast<const char*>(&head), sizeof head);
  for (const std::string& word : start.command) packet.append(word).push_back('\0');
  if (head.variables != 0) packet.append("TERM=" + start.term).push_back('\0');
  return packet;
}

Result<void> check(const act::ExecStart& start) {
  std::size_t bytes = 0;
  for (const std::string& word : start.command) {
    bytes += word.size() + 1;
    if (word.find('\0') != word.npos) {
      return fail(ErrorKind::Invalid, "a command's words hold no NUL");
    }
  }
  if (start.command.empty()) return fail(ErrorKind::Invalid, "there is no command");
  if (bytes > act::kExecCommandMax) {
    return fail(ErrorKind::Invalid, "the command has {} bytes; {} are the most", bytes,
                act::kExecCommandMax);
  }
  if (start.term.size() > act::kExecTermMax) {
    return fail(ErrorKind::Invalid, "the terminal's name has {} bytes; {} are the most",
                start.term.size(), act::kExecTermMax);
  }
  return {};
}

/// What a task hands out may be anything: only a pipe or a terminal is read and written without
/// waiting for others.
bool is_stream(const Fd& file, bool terminal) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return false;
  return terminal ? S_ISCHR(status.st_mode) && ::isatty(file.get()) == 1 : S_ISFIFO(status.st_mode);
}

}  // namespace

Result<ExecSession> ExecSession::open(const std::string& tasks, const act::ExecStart& start,
                                      const Listener& listener) {
  if (auto fine = check(start); !fine) return tl::unexpected(fine.error());
  const auto folder = open_folder(tasks + "/" + act::to_string(start.key));
  if (!folder) {
    return fail(ErrorKind::NotFound, "task {} of job {} is not on this node", start.key.rank,
                start.key.job.value);
  }
  auto line = knock(*folder);
  if (!line) return tl::unexpected(line.error());
  const std::string packet = encode_request(start);
  if (!send_word(line->get(), packet.data(), packet.size())) {
    return os_error("cannot ask the task for a command");
  }
  ExecSession session(start.id, listener, start.terminal);
  session.at(Part::Line) = std::move(*line);
  session.command_ = start.command.front();
  session.wanted_ = act::kExecWindow;
  return session;
}

bool ExecSession::waits_for(Part part) const {
  if (over_ || !parts_[index(part)]) return false;
  switch (part) {
    case Part::Line:
      return !code_;
    case Part::Input:
      return !input_.empty();
    case Part::Output:
    case Part::Errors:
      return wanted_ > 0;
  }
  return false;
}

void ExecSession::on_ready(Part part) {
  if (!waits_for(part)) return;
  if (part == Part::Line) return read_answer();
  if (part == Part::Input) return write_input();
  read_output(part);
  if (code_) drain();
}

void ExecSession::read_answer() {
  ExecAnswer answer;
  const Received got = receive_word(at(Part::Line).get(), &answer, sizeof answer, MSG_DONTWAIT);
  std::vector<Fd> streams;
  for (const int descriptor : got.descriptors) streams.emplace_back(descriptor);
  if (got.size < 0 && errno == EAGAIN) return;
  if (got.size != static_cast<long>(sizeof answer)) {
    return end(started_
                   ? fail(ErrorKind::Conflict, "the task has ended, and ended the command with it")
                   : fail(ErrorKind::Unavailable,
                          "the task has just ended, or may have no more processes"));
  }
  if (answer.word == ExecWord::Ended) {
    const int status = answer.value;
    code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return drain();
  }
  if (answer.word != ExecWord::Started) return refuse(answer);
  if (started_ || !take_streams(std::move(streams))) {
    return end(fail(ErrorKind::Internal, "the task does not speak as it should"));
  }
  started_ = true;
  (*listener_)(act::ExecStarted{id_});
}

bool ExecSession::take_streams(std::vector<Fd> streams) {
  if (streams.size() != (terminal_ ? 1 : 3)) return false;
  for (const Fd& stream : streams) {
    if (!is_stream(stream, terminal_)) return false;
    ::fcntl(stream.get(), F_SETFL, O_NONBLOCK);
  }
  if (terminal_) streams.emplace_back(::fcntl(streams.front().get(), F_DUPFD_CLOEXEC, 0));
  at(Part::Input) = std::move(streams[0]);
  if (input_.empty() && input_ends_) at(Part::Input).reset();
  at(Part::Output) = std::move(streams[1]);
  if (!terminal_) at(Part::Errors) = std::move(streams[2]);
  return true;
}

void ExecSession::refuse(const ExecAnswer& answer) {
  const std::string why = error_text(answer.value);
  switch (answer.word) {
    case ExecWord::NoFolder:
      return end(fail(ErrorKind::Conflict, "cannot enter the task's working directory: {}", why));
    case ExecWord::NoProcess:
      return end(fail(ErrorKind::Unavailable, "the task may have no more processes: {}", why));
    case ExecWord::NoCommand:
      if (answer.value == ENOENT) {
        return end(fail(ErrorKind::NotFound, "there is no program '{}' in the task", command_));
      }
      return end(fail(ErrorKind::Conflict, "cannot run '{}' in the task: {}", command_, why));
    default:
      return end(fail(ErrorKind::Internal, "cannot make streams in the task: {}", why));
  }
}

void ExecSession::read_output(Part part) {
  std::array<char, act::kExecPieceMax> piece;
  const ssize_t n =
      ::read(at(part).get(), piece.data(), std::min<std::uint64_t>(wanted_, piece.size()));
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close(part);  // a terminal that nobody has open any more says EIO
  const auto size = static_cast<std::size_t>(n);
  wanted_ -= size;
  // Whoever keeps it is charged by its bytes: it has no memory beyond them.
  (*listener_)(act::ExecOutput{id_, part == Part::Errors, std::string(piece.data(), size)});
}

/// Both ways of a terminal are one file, which must not be half open where it is waited on.
void ExecSession::close(Part part) {
  at(part).reset();
  if (terminal_) at(part == Part::Input ? Part::Output : Part::Input).reset();
}

/// The command is over: what it wrote is in the streams by now, as far as it is wanted.
void ExecSession::drain() {
  for (const Part part : {Part::Output, Part::Errors}) {
    while (at(part)) {
      if (wanted_ == 0) return;
      const std::uint64_t before = wanted_;
      read_output(part);
      if (wanted_ == before) break;  // dry, though another of the task's may have it open
    }
  }
  end(*code_);
}

void ExecSession::write_input() {
  const ssize_t n = ::write(at(Part::Input).get(), input_.data(), input_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  // One that reads no more has had all that it wants.
  const std::size_t gone = n < 0 ? input_.size() : static_cast<std::size_t>(n);
  if (n < 0) close(Part::Input);
  input_.erase(0, gone);
  if (input_.empty() && input_ends_) at(Part::Input).reset();
  (*listener_)(act::ExecTook{id_, gone});
}

void ExecSession::take(const act::ExecInput& input) {
  if (input_.size() + input.bytes.size() > act::kExecWindow) {
    return end(fail(ErrorKind::Internal, "the server sends more input than was taken"));
  }
  input_ends_ = input_ends_ || (input.last && !terminal_);
  if (started_ && !at(Part::Input)) {
    if (!input.bytes.empty()) (*listener_)(act::ExecTook{id_, input.bytes.size()});
    return;
  }
  input_ += input.bytes;
  if (input_.empty() && input_ends_) at(Part::Input).reset();
}

void ExecSession::take(const act::ExecWant& want) {
  wanted_ += want.bytes;
  if (code_ && !over_) drain();
}

void ExecSession::take(const act::ExecResize& resize) const {
  if (!terminal_ || !parts_[index(Part::Output)]) return;
  winsize size{};
  size.ws_col = resize.size.columns;
  size.ws_row = resize.size.rows;
  ::ioctl(parts_[index(Part::Output)].get(), TIOCSWINSZ, &size);
}

void ExecSession::end(Result<std::int32_t> exit_code) {
  if (std::exchange(over_, true)) return;
  for (Fd& part : parts_) part.reset();
  (*listener_)(act::ExecEnded{id_, std::move(exit_code)});
}

}  // namespace gyre::process
