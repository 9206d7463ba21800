#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/controller.h"
#include "server/api/views.h"
#include "server/http/message.h"
#include "server/http/problem.h"

namespace gyre::server {

/// Which jobs a list shows, in which order, and which part of it.
struct JobListQuery {
  enum class Sort : std::uint8_t {
    Id,
    Name,
    State,
    Queue,
    Gpus,
    Priority,
    Submitted,
    Started,
    Ended,
  };

  unsigned states = (1U << kJobStateCount) - 1;  // bits by JobState
  std::optional<std::string> queue = std::nullopt;
  std::optional<std::string> node = std::nullopt;
  std::string search = {};  // in lower case; empty: all
  Sort sort = Sort::Id;
  bool ascending = false;
  std::uint64_t limit = 100;
  JobId below{std::uint64_t{0} - 1};                   // a walk by id goes on below it
  std::optional<std::uint64_t> offset = std::nullopt;  // a view begins there; none: a walk
  Time now{};                                          // what jobs cost is as of it
};

struct JobPage {
  std::vector<JobView> jobs;
  std::optional<JobId> next;           // of a walk: the page after this one starts below it
  std::optional<std::uint64_t> total;  // of a view: all that match
};

/// The query of GET /v1/jobs. A problem for the first parameter that is wrong.
std::variant<JobListQuery, http::Problem> read_job_list_query(const http::Request& request,
                                                              std::uint64_t limit_default,
                                                              std::uint64_t limit_max);

/// A walk takes O(ids passed); a view O(jobs * log jobs).
JobPage list_jobs(const control::Controller& core, const JobListQuery& query);

/// The same, where views are asked for again and again: which jobs a view has, in which order, is
/// found out anew once that is kRestMin times as old as it took to find out, so that views of many
/// jobs take a bounded part of the core's time. What is said of each job is as it is now. Lives on
/// the driver's thread.
class JobViews {
 public:
  using Clock = std::chrono::steady_clock;

  JobPage list(const control::Controller& core, const JobListQuery& query,
               Clock::time_point now = Clock::now());

 private:
  static constexpr int kRestMin = 20;
  static constexpr std::size_t kOrdersMax = 8;

  struct Order {
    JobListQuery query;
    std::vector<JobId> jobs;
    EventSeq seq;  // as of which
    Clock::time_point fresh_until;
    Clock::time_point used_at;
  };
  const std::vector<JobId>& order_of(const control::Controller& core, const JobListQuery& query,
                                     Clock::time_point now);

  std::vector<Order> orders_;
};

}  // namespace gyre::server
