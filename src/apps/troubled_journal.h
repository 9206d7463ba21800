#pragma once

#include <atomic>
#include <cstdint>

#include "control/journal.h"

namespace gyre::apps {

/// What a server's journal suffers on purpose. Thread-safe.
struct JournalTrouble {
  std::atomic<std::int64_t> delay_ns = 0;  // of each commit
  std::atomic<bool> broken = false;        // none passes
  std::atomic<bool> struck = false;        // one has not passed, which ends the server
};

/// A journal on a disk with that trouble. Both outlive it.
class TroubledJournal final : public control::Journal {
 public:
  TroubledJournal(control::Journal& journal, JournalTrouble& trouble)
      : journal_(journal), trouble_(trouble) {}
  void append(const Event& event) override { journal_.append(event); }
  void append(const Command& command) override { journal_.append(command); }
  /// Errors: Internal, it is broken; the journal's.
  Result<void> commit() override;
  Result<void> save(const ControllerState& state) override;

 private:
  Result<void> suffer();

  control::Journal& journal_;
  JournalTrouble& trouble_;
};

}  // namespace gyre::apps
