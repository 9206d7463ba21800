#include "server/api/job_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <tuple>

#include "base/units.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

using Sort = JobListQuery::Sort;

constexpr std::size_t kSearchBytesMax = 256;

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool holds_lower(std::string_view text, std::string_view wanted) {
  const auto same = [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  };
  return std::search(text.begin(), text.end(), wanted.begin(), wanted.end(), same) != text.end();
}

std::optional<http::Problem> read_order(const http::Request& request, JobListQuery& query,
                                        bool& given) {
  static const std::vector<std::string> kSorts = {
      "id", "name", "state", "queue", "gpus", "priority", "submitted", "started", "ended"};
  if (const auto text = request.query_value("sort")) {
    const auto found = std::find(kSorts.begin(), kSorts.end(), *text);
    if (found == kSorts.end()) {
      return bad_parameter("sort",
                           fmt::format("'{}' is none of {}", *text, fmt::join(kSorts, ", ")),
                           nearest(*text, kSorts));
    }
    query.sort = static_cast<Sort>(found - kSorts.begin());
    given = true;
  }
  if (const auto text = request.query_value("order")) {
    if (*text != "asc" && *text != "desc") {
      return bad_parameter("order", fmt::format("'{}' is neither 'asc' nor 'desc'", *text));
    }
    query.ascending = *text == "asc";
    given = true;
  }
  return std::nullopt;
}

/// What a node's jobs are found by.
std::optional<NodeId> node_by_name(const control::Controller& core, std::string_view name) {
  std::uint32_t id = 0;
  for (const Node& node : core.cluster().nodes()) {
    if (node.spec.name == name) return NodeId{id};
    ++id;
  }
  return std::nullopt;
}

struct Filter {
  const JobListQuery& query;
  std::optional<NodeId> node;  // the one that the query names, if there is such

  bool lets(const Job& job) const {
    if ((query.states >> static_cast<unsigned>(job.state) & 1U) == 0) return false;
    if (query.queue && job.spec->queue != *query.queue) return false;
    if (query.node && !is_on(job)) return false;
    return query.search.empty() || holds_lower(job.spec->name, query.search) ||
           fmt::format_int(job.id.value).str() == query.search;
  }
  bool is_on(const Job& job) const {
    return node && std::any_of(job.placement.begin(), job.placement.end(),
                               [&](const TaskPlacement& task) { return task.node == *node; });
  }
};

std::int64_t rank_of(const Job& job, Sort sort) {
  switch (sort) {
    case Sort::State:
      return static_cast<std::int64_t>(job.state);
    case Sort::Gpus:
      return gpu_total(job.spec->tasks).value;
    case Sort::Priority:
      return job.spec->priority;
    case Sort::Submitted:
      return job.submitted_at.ns;
    case Sort::Started:
      return job.first_started_at ? job.first_started_at->ns
                                  : std::numeric_limits<std::int64_t>::min();
    case Sort::Ended:
      return is_final(job.state) ? job.state_since.ns : std::numeric_limits<std::int64_t>::min();
    default:
      return static_cast<std::int64_t>(job.id.value);
  }
}

/// Newest first, ids below the cursor.
JobPage walk(const control::Controller& core, const JobListQuery& query) {
  JobPage page;
  const JobTable& jobs = core.jobs();
  const Filter filter{query, std::nullopt};
  for (std::uint64_t id = std::min(query.below.value, jobs.last().value + 1); id-- > 1;) {
    if (id < jobs.first().value) break;
    const Job* job = jobs.find({id});
    if (job == nullptr || !filter.lets(*job)) continue;
    if (page.jobs.size() == query.limit) {
      page.next = page.jobs.back().id;
      break;
    }
    page.jobs.push_back(view_job(core, *job, false, query.now));
  }
  return page;
}

struct Entry {
  std::int64_t rank = 0;
  std::string_view text;
  JobId job;
};

std::vector<JobId> ordered(const control::Controller& core, const JobListQuery& query) {
  const bool by_text = query.sort == Sort::Name || query.sort == Sort::Queue;
  const Filter filter{query, query.node ? node_by_name(core, *query.node) : std::nullopt};
  std::vector<Entry> entries;
  core.jobs().for_each([&](const Job& job) {
    if (!filter.lets(job)) return;
    std::string_view text;
    if (by_text) text = query.sort == Sort::Name ? job.spec->name : job.spec->queue;
    entries.push_back({by_text ? 0 : rank_of(job, query.sort), text, job.id});
  });
  std::sort(entries.begin(), entries.end(), [&](const Entry& a, const Entry& b) {
    const auto left = std::tie(a.rank, a.text);
    const auto right = std::tie(b.rank, b.text);
    if (left != right) return query.ascending ? left < right : right < left;
    return query.ascending && query.sort == Sort::Id ? a.job < b.job : b.job < a.job;
  });
  std::vector<JobId> jobs;
  jobs.reserve(entries.size());
  for (const Entry& entry : entries) jobs.push_back(entry.job);
  return jobs;
}

/// Jobs that have been forgotten since they were ordered are left out.
JobPage page_of(const control::Controller& core, const JobListQuery& query,
                const std::vector<JobId>& jobs) {
  JobPage page;
  page.total = jobs.size();
  const std::size_t begin = std::min<std::size_t>(query.offset.value_or(0), jobs.size());
  const std::size_t end = std::min<std::size_t>(jobs.size(), begin + query.limit);
  for (std::size_t i = begin; i < end; ++i) {
    const Job* job = core.jobs().find(jobs[i]);
    if (job != nullptr) page.jobs.push_back(view_job(core, *job, false, query.now));
  }
  return page;
}

bool is_same_view(const JobListQuery& a, const JobListQuery& b) {
  const auto key = [](const JobListQuery& query) {
    return std::tie(query.states, query.queue, query.node, query.search, query.sort,
                    query.ascending);
  };
  return key(a) == key(b);
}

}  // namespace

std::variant<JobListQuery, http::Problem> read_job_list_query(const http::Request& request,
                                                              std::uint64_t limit_default,
                                                              std::uint64_t limit_max) {
  JobListQuery query;
  query.limit = limit_default;
  std::vector<std::string> states;
  for (int i = 0; i < kJobStateCount; ++i) {
    states.emplace_back(to_string(static_cast<JobState>(i)));
  }
  if (auto wrong = read_names(request, "state", states, query.states)) return *wrong;
  if (auto wrong = read_number(request, "limit", limit_max, query.limit)) return *wrong;
  if (query.limit == 0) return bad_parameter("limit", "a page has at least 1 entry");
  if (auto wrong = read_number(request, "cursor", query.below.value, query.below.value)) {
    return *wrong;
  }
  bool is_view = false;
  if (auto wrong = read_order(request, query, is_view)) return *wrong;
  if (request.query_value("offset")) {
    std::uint64_t offset = 0;
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    if (auto wrong = read_number(request, "offset", kMost, offset)) return *wrong;
    query.offset = offset;
  }
  if (const auto text = request.query_value("queue")) query.queue = *text;
  if (const auto text = request.query_value("node")) query.node = *text;
  query.search = lower(request.query_value("search").value_or(""));
  if (query.search.size() > kSearchBytesMax) {
    return bad_parameter("search", fmt::format("at most {} bytes", kSearchBytesMax));
  }
  is_view = is_view || query.queue || query.node || !query.search.empty();
  if (is_view && !query.offset) query.offset = 0;
  if (query.offset && request.query_value("cursor")) {
    return bad_parameter("cursor", "a view goes on by 'offset', not by 'cursor'");
  }
  return query;
}

JobPage list_jobs(const control::Controller& core, const JobListQuery& query) {
  return query.offset ? page_of(core, query, ordered(core, query)) : walk(core, query);
}

JobPage JobViews::list(const control::Controller& core, const JobListQuery& query,
                       Clock::time_point now) {
  return query.offset ? page_of(core, query, order_of(core, query, now)) : walk(core, query);
}

const std::vector<JobId>& JobViews::order_of(const control::Controller& core,
                                             const JobListQuery& query, Clock::time_point now) {
  const auto known = std::find_if(orders_.begin(), orders_.end(), [&](const Order& order) {
    return is_same_view(order.query, query);
  });
  if (known != orders_.end()) {
    known->used_at = now;
    if (known->seq == core.last_event() || now < known->fresh_until) return known->jobs;
  }
  const auto begun = Clock::now();
  Order fresh{query, ordered(core, query), core.last_event(), now, now};
  fresh.fresh_until = now + kRestMin * (Clock::now() - begun);
  if (known != orders_.end()) {
    *known = std::move(fresh);
    return known->jobs;
  }
  if (orders_.size() == kOrdersMax) {
    orders_.erase(
        std::min_element(orders_.begin(), orders_.end(),
                         [](const Order& a, const Order& b) { return a.used_at < b.used_at; }));
  }
  return orders_.emplace_back(std::move(fresh)).jobs;
}

}  // namespace gyre::server
