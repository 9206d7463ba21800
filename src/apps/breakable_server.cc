#include "apps/breakable_server.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace gyre::apps {

using Kind = ChaosFault::Kind;

namespace {

Duration now() { return live::system_clock_source()().monotonic; }

}  // namespace

BreakableServer::BreakableServer(BreakableOptions options, JournalTrouble& trouble)
    : options_(std::move(options)), trouble_(trouble), breaker_(""), disk_(options_.folder) {}

live::ClockSource BreakableServer::clock() const {
  return [this, machine = live::system_clock_source()] {
    live::ClockReading reading = machine();
    reading.real = reading.real + Duration{jump_ns_.load()};
    return reading;
  };
}

std::string BreakableServer::obstacle(Kind kind) const {
  if (!options_.allowed) return "its operator must start it with --chaos";
  return kind == Kind::FillDisk ? disk_.obstacle() : "";
}

Result<void> BreakableServer::begin(const server::FaultRecord& fault) {
  switch (fault.kind) {
    case Kind::KillServer:
      options_.before_death();
      return breaker_.restart(fault.lasts, false);
    case Kind::PauseServer:
      return breaker_.pause(fault.lasts);
    case Kind::StepClock:
      jump_ns_ = fault.jump.ns;
      return {};
    case Kind::FillDisk:
      return disk_.fill(fault.lasts);
    case Kind::SlowDisk:
      trouble_.delay_ns = fault.delay.ns;
      return {};
    case Kind::BreakDisk:
      disk_back_ns_ = (now() + fault.lasts).ns;
      trouble_.broken = true;
      return {};
    default:
      return fail(ErrorKind::Unsupported, "a server cannot have that");
  }
}

void BreakableServer::mend(Kind kind) {
  if (kind == Kind::StepClock) jump_ns_ = 0;
  if (kind == Kind::FillDisk) disk_.empty();
  if (kind == Kind::SlowDisk) trouble_.delay_ns = 0;
  if (kind == Kind::BreakDisk) trouble_.broken = false;
}

void BreakableServer::begin_anew_after_disk() {
  if (!trouble_.struck) return;
  const Duration away = std::max(Duration{disk_back_ns_} - now(), Duration{});
  if (!breaker_.restart(away, false)) return;
  for (;;) ::pause();  // until it is another program
}

}  // namespace gyre::apps
