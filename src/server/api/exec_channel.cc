#include "server/api/exec_channel.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "server/api/exec_frames.h"

namespace gyre::server {
namespace {

// A window's bytes are no more, joined as they are: two words of a stream have more than a piece.
constexpr std::size_t kReportsMax =
    act::kWordsInOrder + 4 * (act::kExecWindow / act::kExecPieceMax) + 8;

}  // namespace

void ExecMailbox::put(act::ExecReport report) {
  std::function<void()> wake;
  {
    const std::lock_guard guard(mutex_);
    if (broken_) return;
    const auto* output = std::get_if<act::ExecOutput>(&report);
    if (output != nullptr) bytes_ += output->bytes.size();
    if (bytes_ > act::kExecWindow || reports_.size() > kReportsMax) {
      broken_ = true;
      reports_.clear();
      report = act::ExecEnded{
          act::exec_id(report),
          fail(ErrorKind::Internal, "the node sends more of the output than was asked for")};
    }
    reports_.push(std::move(report));
    wake = wake_;
  }
  if (wake) wake();
}

std::optional<act::ExecReport> ExecMailbox::take() {
  const std::lock_guard guard(mutex_);
  if (reports_.empty()) return std::nullopt;
  act::ExecReport report = reports_.pop();
  if (const auto* output = std::get_if<act::ExecOutput>(&report)) bytes_ -= output->bytes.size();
  return report;
}

void ExecMailbox::on_news(std::function<void()> wake) {
  const std::lock_guard guard(mutex_);
  wake_ = std::move(wake);
}

bool ExecChannel::receive(std::string_view message) {
  const auto frame = read_exec_frame(message);
  if (!frame) return false;
  live::Fleet& fleet = command_->fleet();
  const std::uint64_t id = command_->id();
  if (const auto* input = std::get_if<ExecInputFrame>(&*frame)) {
    give(input->bytes);
  } else if (const auto* size = std::get_if<act::WindowSize>(&*frame)) {
    fleet.tell_exec(act::ExecResize{id, *size});
  } else {
    fleet.tell_exec(act::ExecInput{id, "", true});
  }
  return true;
}

void ExecChannel::give(std::string_view bytes) {
  untaken_ += bytes.size();
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, act::kExecPieceMax);
    bytes.remove_prefix(piece.size());
    command_->fleet().tell_exec(act::ExecInput{command_->id(), std::string(piece), false});
  }
}

/// What was sent last has been written by now.
void ExecChannel::pay() {
  if (unpaid_ < act::kExecWindow / 4) return;
  command_->fleet().tell_exec(act::ExecWant{command_->id(), std::exchange(unpaid_, 0)});
}

http::Channel::State ExecChannel::read(std::string& out) {
  if (over_) return State::End;
  pay();
  while (auto report = mailbox_->take()) {
    if (const auto* took = std::get_if<act::ExecTook>(&*report)) {
      untaken_ -= std::min<std::uint64_t>(untaken_, took->bytes);
    } else if (const auto* output = std::get_if<act::ExecOutput>(&*report)) {
      unpaid_ += output->bytes.size();
      out = exec_frame(output->standard_error ? ExecStreamId::Errors : ExecStreamId::Output,
                       output->bytes);
      return State::Message;
    } else if (const auto* ended = std::get_if<act::ExecEnded>(&*report)) {
      over_ = true;
      out = exec_status_frame(ended->exit_code);
      return State::Message;
    }
  }
  return State::Idle;
}

}  // namespace gyre::server
