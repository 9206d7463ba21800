#pragma once

#include "control/journal.h"
#include "live/storage.h"

namespace gyre::apps {

/// A journal that tells the storage how long its commits take. Both outlive it.
class WatchedJournal final : public control::Journal {
 public:
  WatchedJournal(control::Journal& journal, live::Storage& storage)
      : journal_(journal), storage_(storage) {}
  void append(const Event& event) override { journal_.append(event); }
  void append(const Command& command) override { journal_.append(command); }
  Result<void> commit() override {
    storage_.commit_begins();
    auto done = journal_.commit();
    storage_.commit_ends();
    return done;
  }
  Result<void> save(const ControllerState& state) override { return journal_.save(state); }

 private:
  control::Journal& journal_;
  live::Storage& storage_;
};

}  // namespace gyre::apps
