#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "act/agent_protocol.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "control/controller.h"
#include "domain/event.h"
#include "domain/job_spec.h"

namespace gyre::live {

/// Told once how a request ended, on the driver's thread or, where the inbox refuses at once, on
/// the caller's. Must return quickly: the world waits for it.
template <class T>
using Done = std::function<void(Result<T>)>;

/// Looks at the core on the driver's thread. Must return quickly, and keep nothing it was shown.
using Query = std::function<void(const control::Controller&)>;

struct InboxLimits {
  std::size_t requests_max = 10'000;  // submit() and post() that wait to be stamped
  std::size_t queries_max = 1'000;    // ask() that wait to be run
};

/// Where everything from outside enters a live world. Thread-safe; never waits for the world.
/// Requests are stamped in the order in which they came. Outlives the world and the fleet.
class Inbox final {
 public:
  explicit Inbox(const InboxLimits& limits = {}) : limits_(limits) {}

  /// Asks for `spec` to become a job; `done` gets its id once that is durable. A key (not empty)
  /// seen before gives the same id, and no second job. Errors: Unavailable (inbox full, too many
  /// jobs, shutting down), Invalid and NeverFits (Controller::check), Invalid (no command),
  /// Conflict (the key was another job's).
  void submit(JobSpec spec, std::string submission_key, Done<JobId> done);

  /// Asks for an event of another kind; `done` (may be empty) gets its number once it is durable.
  /// Errors: Unavailable as above; for JobStopRequested NotFound (no such job) and Conflict (it is
  /// over); for NodeJoined Conflict (not the next id).
  void post(Event::Body body, Done<EventSeq> done);

  /// Runs `query` between two steps, when all that the core knows is durable. Errors: Unavailable;
  /// the query is not run then. One accepted is destroyed unrun only if the world breaks off.
  Result<void> ask(Query query);

  /// Refuses with `why` what waits here and what comes, but for what has nobody to be told, until
  /// reopen(). Queries that wait go on waiting.
  void close(const Error& why);
  void reopen();

  /// Refuses new requests; the world ends when what is here has been worked off. Idempotent.
  void shutdown();

  /// What a node says of a task.
  struct TaskReport {
    NodeId node;
    act::TaskKey key;
    std::optional<TaskExit> exit;  // none: it has started
    StartStages stages;            // where it has
  };
  /// An agent has connected.
  struct Arrival {
    std::uint64_t session = 0;
    act::Hello hello;
  };
  /// What a node says that it holds: all of it.
  struct ImagesReport {
    NodeId node;
    std::vector<HeldImage> images;
  };
  // Outside the bounds: the tasks that run, the nodes that there are and how often one may tell of
  // its images bound them. A node tells again only what has changed: nothing may be dropped.
  void put_report(TaskReport report) { put(std::move(report)); }
  void put_arrival(Arrival arrival) { put(std::move(arrival)); }
  void put_images(ImagesReport report) { put(std::move(report)); }

  // For the world alone, on the driver's thread.

  struct Submission {
    JobSpec spec;
    std::string submission_key;
    Done<JobId> done;
  };
  struct Posting {
    Event::Body body;
    Done<EventSeq> done;
  };
  using Request = std::variant<Submission, Posting, TaskReport, Arrival, ImagesReport>;

  std::optional<Request> take();
  std::deque<Query> take_queries();

  /// Waits until there is a request, a query or a shutdown; `wait_max` at most (none: for ever).
  void wait(std::optional<Duration> wait_max);

  /// Waits until there is a shutdown; `wait_max` at most. True if there is.
  bool wait_for_shutdown(Duration wait_max);

  /// True once shut down and empty.
  bool is_over() const;

 private:
  template <class T>
  bool refuses(const Done<T>& done);
  void put(Request request);
  bool has_any() const { return shut_ || !requests_.empty() || !queries_.empty(); }

  const InboxLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  std::size_t unbounded_ = 0;  // of them, outside the bound
  std::deque<Query> queries_;
  bool shut_ = false;
  std::optional<Error> closed_;
};

}  // namespace gyre::live
