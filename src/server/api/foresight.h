#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "control/controller.h"
#include "control/forecast/outlook.h"

namespace gyre::server {

/// What is to come of waiting jobs, looked for once where several ask at the same time or nothing
/// has happened since. Thread-safe, but for what is of the driver's thread.
class Foresight {
 public:
  using Told = std::function<void(std::shared_ptr<const control::Outlook>)>;
  static constexpr std::size_t kKept = 64;
  static constexpr Duration kLasts = seconds(10);  // even if nothing happens

  /// When a question was asked: how far the core was, and at what time.
  struct Moment {
    EventSeq seq;
    Time at;
  };

  /// Of the driver's thread. True: `told` has the answer, if nothing has happened since, or is
  /// going to have one that is being looked for, of when that was begun. False: nobody looks for
  /// it.
  bool ask(JobId job, const Moment& now, Told told);
  /// Somebody begins to look for it. Requires: ask() has just said that nobody does.
  void begin(JobId job, const Moment& now, Told told);
  /// The answer, from any thread.
  void tell(JobId job, std::shared_ptr<const control::Outlook> outlook);

  /// Of the driver's thread. The core as it is, one copy for all who hold one of it.
  std::shared_ptr<const control::Controller> copy_of(const control::Controller& core);

 private:
  struct Entry {
    Moment begun;
    std::shared_ptr<const control::Outlook> outlook;  // null: it is being looked for
    std::vector<Told> waiting;
  };

  std::mutex mutex_;
  std::map<JobId, Entry> entries_;
  std::weak_ptr<const control::Controller> copy_;
};

}  // namespace gyre::server
