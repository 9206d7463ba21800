// Whether the reason that a job waits for is true, found out by counting nodes.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/check/checker.h"

namespace gyre::sim {
namespace {

constexpr std::size_t kGroupsMax = 6;

/// What of a node counts: what is free on it, or all that it has.
enum class Extent { Free, Whole };
/// Which nodes count.
enum class Which { Up, All };

bool node_has(const Books::NodeBook& node, const Request& request, Extent extent) {
  const CpuMilli cpu = extent == Extent::Free ? node.cpu_free : node.spec.cpu;
  const MemoryMib memory = extent == Extent::Free ? node.memory_free : node.spec.memory;
  if (cpu < request.cpu || memory < request.memory) return false;
  if (request.gpus == 0) return true;
  const auto& models = request.gpu_models;
  if (!models.empty() &&
      std::find(models.begin(), models.end(), node.spec.gpu_model) == models.end()) {
    return false;
  }
  if (node.spec.gpu_memory < request.gpu_memory) return false;
  const auto begin = node.gpu_free.begin();
  const auto devices = extent == Extent::Whole
                           ? node.spec.gpus
                           : std::count_if(begin, begin + node.spec.gpus, [&](std::int32_t free) {
                               return free >= request.gpu_milli.value;
                             });
  return devices >= request.gpus;
}

/// The nodes as they are, or as they will be.
struct Picture {
  const Books& books;
  const std::vector<Books::NodeBook>& nodes;
  Books::Holding holding = Books::Holding::AllPlaced;

  explicit Picture(const Books& now) : books(now), nodes(now.nodes()) {}
  Picture(const Books& now, const std::vector<Books::NodeBook>& once_stopped)
      : books(now), nodes(once_stopped), holding(Books::Holding::AllNotStopping) {}
};

/// The node that others are to be near to, and how near.
struct Near {
  TopologyLevel level;
  std::size_t node;
};

/// Whether every task can have a node of its own, of those that the rules of the job `ruled` allow.
/// By Hall's theorem it can, just if each set of groups has at least as many nodes that suit one of
/// them as it has tasks.
bool fits(const Picture& picture, const std::string& partition, const std::vector<TaskGroup>& tasks,
          Extent extent, Which which, const std::optional<Near>& near = std::nullopt,
          const Books::JobBook* ruled = nullptr) {
  std::array<std::int64_t, 1U << kGroupsMax> nodes_by_suited{};
  const auto rules_allow = [&](std::size_t n) {
    const NodeId node{static_cast<std::uint32_t>(n)};
    return ruled == nullptr || picture.books.may_take(*ruled, node, picture.holding);
  };
  for (std::size_t n = 0; n < picture.nodes.size(); ++n) {
    const Books::NodeBook& node = picture.nodes[n];
    if (near && !picture.books.together(near->level, near->node, n)) continue;
    if (!rules_allow(n)) continue;
    if (node.spec.partition != partition || (which == Which::Up && !node.open())) continue;
    std::size_t suited = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (node_has(node, tasks[i].request, extent)) suited |= std::size_t{1} << i;
    }
    ++nodes_by_suited[suited];
  }
  for (std::size_t set = 1; set < std::size_t{1} << tasks.size(); ++set) {
    std::int64_t wanted = 0;
    std::int64_t suited = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if ((set >> i & 1U) != 0) wanted += tasks[i].count;
    }
    for (std::size_t nodes = 0; nodes < nodes_by_suited.size(); ++nodes) {
      if ((nodes & set) != 0) suited += nodes_by_suited[nodes];
    }
    if (suited < wanted) return false;
  }
  return true;
}

/// Whether who is on the nodes counts.
enum class Rules { Ignored, Kept };

bool fits(const Picture& picture, const std::string& partition, const Books::JobBook& job,
          Extent extent, Which which, Rules rules = Rules::Ignored) {
  const Books::JobBook* ruled = rules == Rules::Kept ? &job : nullptr;
  if (!job.topology || !job.topology->required || task_count(job.tasks) == 1) {
    return fits(picture, partition, job.tasks, extent, which, std::nullopt, ruled);
  }
  for (std::size_t node = 0; node < picture.nodes.size(); ++node) {
    const Near near{job.topology->level, node};
    if (fits(picture, partition, job.tasks, extent, which, near, ruled)) return true;
  }
  return false;
}

bool enough_in_sum(const Books& books, const std::string& partition,
                   const std::vector<TaskGroup>& tasks) {
  std::int64_t gpu = 0;
  std::int64_t cpu = 0;
  std::int64_t memory = 0;
  for (const Books::NodeBook& node : books.nodes()) {
    if (node.spec.partition != partition || !node.open()) continue;
    for (const std::int32_t free : node.gpu_free) gpu += free;
    cpu += node.cpu_free.value;
    memory += node.memory_free.value;
  }
  for (const TaskGroup& group : tasks) {
    gpu -= std::int64_t{group.request.gpu_total().value} * group.count;
    cpu -= group.request.cpu.value * group.count;
    memory -= group.request.memory.value * group.count;
  }
  return gpu >= 0 && cpu >= 0 && memory >= 0;
}

/// What is wrong with saying this of a job's quota, or with saying nothing of it.
std::string judge_quota(WaitReason reason, const Books& books, const std::string& partition,
                        const Books::JobBook& job) {
  const ResourceSum amount = resources_of(job.tasks);
  const bool ever = books.quotas().ever_allows(job.queue, amount);
  if (reason == WaitReason::ExceedsMaxQuota) {
    std::int64_t gpu_milli = 0;
    for (const Books::NodeBook& node : books.nodes()) {
      if (node.spec.partition == partition) gpu_milli += std::int64_t{1000} * node.spec.gpus;
    }
    const bool left = job.preemptible || books.quotas().ever_leaves(job.queue, amount, gpu_milli);
    return ever && left ? "its quota could allow it" : "";
  }
  if (!ever) return "its quota never allows it";
  if (reason != WaitReason::WaitingForQuota) {
    return books.quotas().allows(job.queue, amount) ? "" : "its quota does not allow it now";
  }
  return books.quotas().may_keep_waiting(job.queue, job.preemptible)
             ? ""
             : "nothing in its quota keeps it waiting";
}

bool fits_now(const Books& books, const std::string& partition, const Books::JobBook& job) {
  return fits(Picture(books), partition, job, Extent::Free, Which::Up, Rules::Kept);
}

/// What is wrong with saying that others are being stopped to make room for the job. Room may have
/// come free elsewhere meanwhile: it keeps what is being made for it.
std::string judge_preemption(const Books& books, const std::string& partition, JobId id,
                             const Books::JobBook& job) {
  if (!books.is_room_made_for(id)) return "no job is being stopped for it";
  const std::vector<Books::NodeBook> nodes = books.nodes_once_stopped();
  const bool then = fits({books, nodes}, partition, job, Extent::Free, Which::Up, Rules::Kept);
  return then ? "" : "it would not fit once all are gone who are being stopped";
}

/// What is wrong with saying that room is kept for another job, given that the one fits now.
std::string judge_reservation(const Books& books, const std::string& partition, JobId id,
                              const Explanation& said) {
  if (!said.blocked_by) return "nobody is named for whom it is kept";
  const Books::JobBook* other = books.find(*said.blocked_by);
  if (other == nullptr || other->state != JobState::Queued || *said.blocked_by == id) {
    return fmt::format("job {} does not wait", said.blocked_by->value);
  }
  if (books.partition_of(other->queue) != partition) {
    return fmt::format("job {} waits for other nodes", said.blocked_by->value);
  }
  // Who is kept room can use it: not yet, or it would have started.
  if (!fits(Picture(books), partition, *other, Extent::Whole, Which::Up)) {
    return fmt::format("job {} cannot be kept room: the nodes that it needs are down",
                       said.blocked_by->value);
  }
  if (fits_now(books, partition, *other) && !books.is_room_made_for(*said.blocked_by)) {
    return fmt::format("job {} could start now itself", said.blocked_by->value);
  }
  return "";
}

/// A job that waits, and what is said of it.
struct Claimed {
  JobId id;
  const Books::JobBook& job;
  const Explanation& said;
};

std::string judge(const Claimed& claimed, const Books& books, const std::string& partition) {
  const WaitReason reason = claimed.said.reason;
  const Books::JobBook& job = claimed.job;
  const std::vector<TaskGroup>& tasks = job.tasks;
  const Picture picture(books);
  const bool ever = fits(picture, partition, job, Extent::Whole, Which::All);
  if (reason == WaitReason::NeverFits) return ever ? "it would fit the empty fleet" : "";
  if (!ever) return "it could never fit";
  const std::string wrong = judge_quota(reason, books, partition, job);
  if (!wrong.empty() || reason == WaitReason::ExceedsMaxQuota ||
      reason == WaitReason::WaitingForQuota) {
    return wrong;
  }
  const bool feasible = fits(picture, partition, job, Extent::Whole, Which::Up);
  if (reason == WaitReason::WaitingForProvisioning) {
    return feasible ? "it would fit the nodes that are up, were they empty" : "";
  }
  if (!feasible) return "the nodes that it needs are down";
  if (reason == WaitReason::WaitingForPreemption) {
    return judge_preemption(books, partition, claimed.id, job);
  }
  const bool now = fits_now(books, partition, job);
  const bool beside = !now && fits(picture, partition, job, Extent::Free, Which::Up);
  const bool apart = !now && !beside && fits(picture, partition, tasks, Extent::Free, Which::Up);
  if (reason == WaitReason::AffinityBlocked) {
    return beside ? "" : "it fits now, or would not even beside what it is apart from";
  }
  if (beside) return "it would fit beside what it is apart from";
  switch (reason) {
    case WaitReason::TopologyBlocked:
      return apart ? "" : "it fits now, or would not even apart";
    case WaitReason::PendingEvaluation:
      return now ? "" : "it does not fit now";
    case WaitReason::ReservedForOther:
      return now ? judge_reservation(books, partition, claimed.id, claimed.said)
                 : "it does not fit now";
    case WaitReason::WaitingForTurn:
      return now ? "it fits now" : apart ? "it would fit apart" : "";
    case WaitReason::FragmentationBlocked:
      if (now || apart) return "it fits now, or would apart";
      return enough_in_sum(books, partition, tasks) ? "" : "too little is free in sum";
    default:
      return "it is not on hold and its queue exists";
  }
}

}  // namespace

std::string what_is_untrue(const Books& books, const Job& job, const Explanation& explanation,
                           Time now) {
  const Books::JobBook* book = books.find(job.id);
  if (book == nullptr || book->tasks.size() > kGroupsMax) return {};
  const auto partition = books.partition_of(book->queue);
  if (!partition || explanation.reason == WaitReason::Misconfigured) {
    return partition ? "its queue exists"
                     : (explanation.reason == WaitReason::Misconfigured ? "" : "it has no queue");
  }
  const bool on_hold = job.hold_until && *job.hold_until > now;
  if (on_hold || explanation.reason == WaitReason::OnHold) {
    if (!on_hold) return "it is not on hold";
    return explanation.reason == WaitReason::OnHold ? "" : "it is on hold";
  }
  return judge({job.id, *book, explanation}, books, *partition);
}

}  // namespace gyre::sim
