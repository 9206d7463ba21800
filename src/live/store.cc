#include "live/store.h"

#include <algorithm>

#include "codec/journal_codec.h"

namespace gyre::live {
namespace {

std::string describe(const std::optional<Command>& command) {
  return command ? codec::encode(*command) : "none";
}

tl::unexpected<Error> diverged(const std::string& journal, const control::Mismatch& mismatch) {
  return fail(ErrorKind::Invalid,
              "journal '{}': event {} led to other commands than recorded: recorded {}, now {}; "
              "start it with the Gyre version that wrote it (this is {})",
              journal, mismatch.seq.value, describe(mismatch.recorded), describe(mismatch.computed),
              GYRE_VERSION);
}

/// The first that is no command missing behind the last event.
const control::Mismatch* real_mismatch(const control::ReplayReport& report, EventSeq reached,
                                       bool may_lack) {
  const auto& found = report.first_mismatches;
  if (found.empty()) return nullptr;
  if (!may_lack) return &found.front();
  const auto other = std::find_if(found.begin(), found.end(), [reached](const auto& mismatch) {
    return mismatch.seq != reached || mismatch.recorded;
  });
  return other == found.end() ? nullptr : &*other;
}

}  // namespace

Result<Sync> sync_by_name(std::string_view name) {
  if (name == "full") return Sync::Full;
  if (name == "normal") return Sync::Normal;
  if (name == "off") return Sync::Off;
  return fail(ErrorKind::Invalid, "'{}' is no way to sync; there are full, normal and off", name);
}

Continued continue_core(control::JournalReader& reader, const ContinueOptions& options) {
  control::Controller core(options.config);
  if (options.snapshot != nullptr) {
    auto restored = control::Controller::restore(options.config, *options.snapshot);
    if (!restored) return {tl::unexpected(std::move(restored.error())), {}, {}};
    core = std::move(*restored);
  }
  constexpr std::size_t kCommandsMax = 1'000'000;
  if (options.into != nullptr) options.into->begin(core);
  const bool may_lack = options.may_lack_commands;
  auto report = control::replay(reader, core,
                                {.mismatches_kept_max = may_lack ? kCommandsMax : 1,
                                 .stop_at_mismatch = !may_lack,
                                 .observer = options.into});
  const EventSeq reached = core.last_event();
  if (!report) return {tl::unexpected(report.error()), reached, {}};
  if (const auto* mismatch = real_mismatch(*report, reached, may_lack)) {
    return {diverged(options.journal, *mismatch), reached, {}};
  }
  const auto snapshot =
      options.snapshot != nullptr ? std::optional(options.snapshot->seq) : std::nullopt;
  return {Recovered{std::move(core), snapshot, report->events, {}, {}}, reached,
          std::move(*report)};
}

}  // namespace gyre::live
