#include "act/word_queue.h"

namespace gyre::act {
namespace {

bool append(std::string& last, const std::string& next) {
  if (last.size() + next.size() > kExecPieceMax) return false;
  last += next;
  return true;
}

}  // namespace

std::optional<std::size_t> lane_of(const ExecOrder& order) {
  const bool joins = std::holds_alternative<ExecInput>(order) ||
                     std::holds_alternative<ExecResize>(order) ||
                     std::holds_alternative<ExecWant>(order);
  return joins ? std::optional(order.index()) : std::nullopt;
}

std::optional<std::size_t> lane_of(const ExecReport& report) {
  if (const auto* output = std::get_if<ExecOutput>(&report)) {
    return output->standard_error ? std::variant_size_v<ExecReport> : report.index();
  }
  return std::holds_alternative<ExecTook>(report) ? std::optional(report.index()) : std::nullopt;
}

bool join(ExecOrder& last, const ExecOrder& next) {
  if (auto* input = std::get_if<ExecInput>(&last)) {
    const auto& more = std::get<ExecInput>(next);
    if (!append(input->bytes, more.bytes)) return false;
    input->last = input->last || more.last;
  } else if (auto* want = std::get_if<ExecWant>(&last)) {
    want->bytes += std::get<ExecWant>(next).bytes;
  } else {
    last = next;
  }
  return true;
}

bool join(ExecReport& last, const ExecReport& next) {
  if (auto* output = std::get_if<ExecOutput>(&last)) {
    return append(output->bytes, std::get<ExecOutput>(next).bytes);
  }
  std::get<ExecTook>(last).bytes += std::get<ExecTook>(next).bytes;
  return true;
}

}  // namespace gyre::act
