#include "apps/breakable_server.h"

#include <utility>

namespace gyre::apps {

using Kind = ChaosFault::Kind;

BreakableServer::BreakableServer(BreakableOptions options)
    : options_(std::move(options)), breaker_(""), disk_(options_.folder) {}

live::ClockSource BreakableServer::clock() const {
  return [this, machine = live::system_clock_source()] {
    live::ClockReading reading = machine();
    reading.real = reading.real + Duration{jump_ns_.load()};
    return reading;
  };
}

std::string BreakableServer::obstacle(Kind kind) const {
  if (!options_.allowed) return "its operator must start it with --chaos";
  if (options_.shared_journal && (kind == Kind::KillServer || kind == Kind::PauseServer)) {
    return "its journal is in PostgreSQL: another server would take over, with a record of its own";
  }
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
    default:
      return fail(ErrorKind::Unsupported, "a server cannot have that");
  }
}

void BreakableServer::mend(Kind kind) {
  if (kind == Kind::StepClock) jump_ns_ = 0;
  if (kind == Kind::FillDisk) disk_.empty();
}

}  // namespace gyre::apps
