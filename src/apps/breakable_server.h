#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "adapter/process/node_breaker.h"
#include "live/clock.h"
#include "server/chaos/server_breaker.h"

namespace gyre::apps {

struct BreakableOptions {
  bool allowed = false;                // by its operator
  bool shared_journal = false;         // another server may take over
  std::string folder;                  // of its state
  std::function<void()> before_death;  // ends what must not outlive this process
};

/// Lets this server be broken on purpose, where its operator allows it. It is killed as an agent
/// is: its process is another program from one moment to the next, and becomes a server anew.
class BreakableServer final : public server::ServerBreaker {
 public:
  explicit BreakableServer(BreakableOptions options);

  /// The machine's, with the jump that lasts. This outlives it.
  live::ClockSource clock() const;

  std::string obstacle(ChaosFault::Kind kind) const override;
  Result<void> begin(const server::FaultRecord& fault) override;
  void mend(ChaosFault::Kind kind) override;

 private:
  const BreakableOptions options_;
  process::NodeBreaker breaker_;
  process::DiskFiller disk_;
  std::atomic<std::int64_t> jump_ns_ = 0;
};

}  // namespace gyre::apps
