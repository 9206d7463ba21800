#include "control/replay.h"

#include <deque>
#include <utility>

namespace gyre::control {
namespace {

/// One replay: what the core answered and the journal has not shown yet, and what was found so far.
class Comparison {
 public:
  Comparison(Controller& core, const ReplayOptions& options) : core_(core), options_(options) {}

  Result<void> take(const Event& event) {
    expect_no_more();
    const bool first = core_.last_event() == EventSeq{};
    if (!first && (event.seq <= core_.last_event() || event.at < core_.now())) {
      return fail(ErrorKind::Invalid,
                  "event {} at {} ns comes after event {} at {} ns: the journal is out of order",
                  event.seq.value, event.at.ns, core_.last_event().value, core_.now().ns);
    }
    const Decisions& decisions = core_.step(event);
    computed_.assign(decisions.commands.begin(), decisions.commands.end());
    if (options_.observer != nullptr) options_.observer->after(event, decisions, core_);
    ++report_.events;
    report_.last_event = event.seq;
    report_.last_time = event.at;
    return {};
  }

  Result<void> take(const Command& recorded) {
    if (!report_.last_event) {
      return fail(ErrorKind::Invalid, "command {} stands before any event", recorded.id.value);
    }
    ++report_.commands;
    std::optional<Command> computed;
    if (!computed_.empty()) {
      computed = std::move(computed_.front());
      computed_.pop_front();
    }
    if (computed != recorded) note({*report_.last_event, recorded, std::move(computed)});
    return {};
  }

  bool done() const { return options_.stop_at_mismatch && !report_.matches(); }

  ReplayReport finish() {
    expect_no_more();
    return std::move(report_);
  }

 private:
  void expect_no_more() {
    for (Command& command : computed_) {
      note({*report_.last_event, std::nullopt, std::move(command)});
    }
    computed_.clear();
  }

  void note(Mismatch mismatch) {
    ++report_.mismatches;
    if (report_.first_mismatches.size() < options_.mismatches_kept_max) {
      report_.first_mismatches.push_back(std::move(mismatch));
    }
  }

  Controller& core_;
  const ReplayOptions& options_;
  std::deque<Command> computed_;
  ReplayReport report_;
};

}  // namespace

Result<ReplayReport> replay(JournalReader& journal, Controller& core,
                            const ReplayOptions& options) {
  Comparison comparison(core, options);
  while (!comparison.done()) {
    const auto record = journal.next();
    if (!record) return tl::unexpected(record.error());
    if (!*record) break;
    const auto taken =
        std::visit([&](const auto& item) { return comparison.take(item); }, **record);
    if (!taken) return tl::unexpected(taken.error());
  }
  return comparison.finish();
}

}  // namespace gyre::control
