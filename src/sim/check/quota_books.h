#pragma once

#include <map>
#include <string>
#include <vector>

#include "domain/queue.h"

namespace gyre::sim {

/// What each queue's placed jobs hold, kept from events and commands alone, and whether that is
/// within its quota. One thread.
class QuotaBooks {
 public:
  void set(const QueueSpec& queue);

  /// A job of the queue is placed. Returns what is wrong with that, empty if nothing is.
  std::string placed(const std::string& queue, const ResourceSum& amount);
  void stopping(const std::string& queue, const ResourceSum& amount);
  void gone(const std::string& queue, const ResourceSum& amount, bool was_stopping);

  /// Whether a job of `victim` may be stopped for one of `beneficiary`, before it is: what is
  /// wrong with that.
  std::string reclaim(const std::string& victim, const std::string& beneficiary) const;

  /// Whether the queue's quota could ever let such a job start, and whether it does beside those
  /// that are placed.
  bool ever_allows(const std::string& queue, const ResourceSum& amount) const;
  /// Whether guarantees of other queues leave room for a job that may not be stopped, were nothing
  /// held. `gpu_milli`: what its partition has.
  bool ever_leaves(const std::string& queue, const ResourceSum& amount,
                   std::int64_t gpu_milli) const;
  bool allows(const std::string& queue, const ResourceSum& amount) const;
  /// Whether anything in the queue's quota could keep a job waiting.
  bool may_keep_waiting(const std::string& queue, bool preemptible) const;

 private:
  struct Book {
    QueueSpec spec;
    ResourceSum placed;
    ResourceSum stopping;
    std::int64_t jobs = 0;
  };
  std::vector<const Book*> path(const std::string& queue) const;  // from it to the top
  std::int64_t promised(const std::string& queue) const;          // milli-GPUs, to those below too
  template <class Change>
  void change(const std::string& queue, Change&& apply);

  std::map<std::string, Book> books_;
};

}  // namespace gyre::sim
