#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "adapter/process/node_breaker.h"
#include "apps/troubled_journal.h"
#include "live/clock.h"
#include "server/chaos/server_breaker.h"

namespace gyre::apps {

struct BreakableOptions {
  bool allowed = false;                // by its operator
  std::string folder;                  // of its state
  std::function<void()> before_death;  // ends what must not outlive this process
};

/// Lets this server be broken on purpose, where its operator allows it. It is killed as an agent
/// is: its process is another program from one moment to the next, and becomes a server anew.
class BreakableServer final : public server::ServerBreaker {
 public:
  /// `trouble`: its journal's; outlives it.
  BreakableServer(BreakableOptions options, JournalTrouble& trouble);

  /// The machine's, with the jump that lasts. This outlives it.
  live::ClockSource clock() const;

  std::string obstacle(ChaosFault::Kind kind) const override;
  Result<void> begin(const server::FaultRecord& fault) override;
  void mend(ChaosFault::Kind kind) override;

  /// A server that has ended because its disk was broken becomes a new one when it no longer is,
  /// and this does not return. Else it does.
  void begin_anew_after_disk();

 private:
  const BreakableOptions options_;
  JournalTrouble& trouble_;
  process::NodeBreaker breaker_;
  process::DiskFiller disk_;
  std::atomic<std::int64_t> jump_ns_ = 0;
  std::atomic<std::int64_t> disk_back_ns_ = 0;  // by the clock that is never set
};

}  // namespace gyre::apps
