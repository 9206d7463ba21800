#include "live/fault_desk.h"

#include <fmt/format.h>

#include <utility>

namespace gyre::live {

FaultDesk::Line* FaultDesk::find(const std::string& node) {
  for (auto& [number, line] : lines_) {
    if (line.node == node && line.sink != nullptr) return &line;
  }
  return nullptr;
}

std::uint64_t FaultDesk::enter(const std::string& node, FaultSink& sink) {
  const std::lock_guard guard(mutex_);
  if (Line* former = find(node)) {
    std::exchange(former->sink, nullptr)
        ->end({ErrorKind::Conflict, "another agent takes this node's faults now"});
  }
  lines_.emplace(++last_, Line{node, &sink, {}});
  return last_;
}

void FaultDesk::leave(std::uint64_t line) {
  std::map<std::uint64_t, Done<void>> waiting;
  {
    const std::lock_guard guard(mutex_);
    const auto found = lines_.find(line);
    if (found == lines_.end()) return;
    waiting = std::move(found->second.waiting);
    lines_.erase(found);
  }
  for (const auto& [fault, done] : waiting) {
    done(fail(ErrorKind::Unavailable, "the line to the node's agent broke before it answered"));
  }
}

void FaultDesk::answered(std::uint64_t line, const act::FaultBegun& begun) {
  Done<void> done;
  {
    const std::lock_guard guard(mutex_);
    const auto found = lines_.find(line);
    if (found == lines_.end()) return;
    if (begun.id == 0) {
      found->second.able = begun.able;
      return;
    }
    const auto waiting = found->second.waiting.find(begun.id);
    if (waiting == found->second.waiting.end()) return;
    done = std::move(waiting->second);
    found->second.waiting.erase(waiting);
  }
  done(begun.begun);
}

Error no_line(const std::string& node) {
  return {ErrorKind::Conflict,
          fmt::format("no agent of node {} takes faults: its operator must start it with --chaos, "
                      "and it must be connected (agents of earlier releases never do)",
                      node)};
}

std::string FaultDesk::obstacle(const std::string& node, ChaosFault::Kind kind) const {
  using Kind = ChaosFault::Kind;
  const std::lock_guard guard(mutex_);
  for (const auto& [number, line] : lines_) {
    if (line.node != node || line.sink == nullptr) continue;
    for (const act::FaultAbility& able : line.able) {
      if (able.kind == kind) return able.obstacle;
    }
    // What those could that do not say.
    const bool old = kind == Kind::KillTask || kind == Kind::HangTask || kind == Kind::PauseAgent ||
                     kind == Kind::RestartAgent || kind == Kind::CutNode;
    return line.able.empty() && old ? "" : "its agent is of a release that cannot do that";
  }
  return no_line(node).message;
}

void FaultDesk::order(const std::string& node, const act::FaultOrder& order, Done<void> done) {
  {
    const std::lock_guard guard(mutex_);
    if (Line* line = find(node)) {
      line->waiting.emplace(order.id, std::move(done));
      return line->sink->give(order);
    }
  }
  done(tl::unexpected(no_line(node)));
}

void FaultDesk::mend(const std::string& node, std::uint64_t fault) {
  const std::lock_guard guard(mutex_);
  Line* line = find(node);
  if (line == nullptr) return;
  act::FaultOrder order;
  order.id = fault;
  order.mend = true;
  line->sink->give(order);
}

std::map<std::string, std::uint64_t> FaultDesk::lines() const {
  const std::lock_guard guard(mutex_);
  std::map<std::string, std::uint64_t> out;
  for (const auto& [number, line] : lines_) {
    if (line.sink != nullptr) out[line.node] = number;
  }
  return out;
}

}  // namespace gyre::live
