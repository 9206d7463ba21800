#include "domain/queue.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/units.h"
#include "domain/queue_problems.h"

namespace gyre {
namespace {

struct Kind {
  std::string_view name;
  std::int64_t ResourceSum::*amount;
};
constexpr std::array<Kind, 3> kKinds{{{"GPUs", &ResourceSum::gpu_milli},
                                      {"CPU", &ResourceSum::cpu_milli},
                                      {"memory", &ResourceSum::memory_mib}}};

std::string text_of(const Kind& kind, std::int64_t amount) {
  if (kind.amount == &ResourceSum::memory_mib) return format_memory(MemoryMib{amount});
  return fmt::format("{:.6g} {}", static_cast<double>(amount) / 1000, kind.name);
}

using ByName = std::map<std::string, const QueueSpec*>;

/// What is wrong above its parent is its parent's.
Result<void> check_parents(const QueueSpec& queue, const ByName& by_name) {
  std::string way = queue.name;
  int depth = 0;
  for (const QueueSpec* at = &queue; !at->parent.empty();) {
    const auto parent = by_name.find(at->parent);
    if (parent == by_name.end() && at != &queue) return {};
    if (parent == by_name.end()) {
      return fail(ErrorKind::Invalid, "queue '{}': its parent '{}' does not exist", queue.name,
                  queue.parent);
    }
    way += " -> " + at->parent;
    if (at->parent == queue.name) {
      return fail(ErrorKind::Invalid, "queue '{}' is below itself: {}", queue.name, way);
    }
    if (++depth > kQueueDepthMax) {
      return fail(ErrorKind::Invalid, "queue '{}' is more than {} levels deep, or below a circle",
                  queue.name, kQueueDepthMax);
    }
    if (at == &queue && parent->second->partition != queue.partition) {
      return fail(ErrorKind::Invalid,
                  "queue '{}' is in partition '{}', its parent '{}' in '{}'; they share one",
                  queue.name, queue.partition, queue.parent, parent->second->partition);
    }
    at = parent->second;
  }
  return {};
}

/// The queues below one are guaranteed no more than it is.
Result<void> check_sums(const QueueSpec& queue, const ResourceSum& below) {
  for (const Kind& kind : kKinds) {
    const std::int64_t own = queue.guaranteed.*kind.amount;
    const std::int64_t sum = below.*kind.amount;
    if (sum <= own) continue;
    return fail(ErrorKind::Invalid,
                "the queues below '{}' are guaranteed {} in sum, it has {} itself; give it as "
                "much, or them less",
                queue.name, text_of(kind, sum), text_of(kind, own));
  }
  return {};
}

}  // namespace

ResourceSum resources_of(const std::vector<TaskGroup>& tasks) {
  ResourceSum sum;
  for (const TaskGroup& group : tasks) {
    const Request& request = group.request;
    sum += ResourceSum{request.gpu_total().value, request.cpu.value, request.memory.value} *
           group.count;
  }
  return sum;
}

Result<void> check_half_life(Duration half_life) {
  if (half_life.ns == 0 || half_life >= seconds(64)) return {};
  return fail(ErrorKind::Invalid, "a half-life is at least 64 s, or 0 for none");
}

Result<void> validate(const QueueSpec& queue) {
  const auto bad = [&](std::string_view what) {
    return fail(ErrorKind::Invalid, "queue '{}': {}", queue.name, what);
  };
  if (queue.name.empty()) return fail(ErrorKind::Invalid, "a queue has no name");
  if (queue.weight < 1 || queue.weight > kQueueWeightMax) {
    return fail(ErrorKind::Invalid, "queue '{}': a weight of {} is out of bounds; it is 1 to {}",
                queue.name, queue.weight, kQueueWeightMax);
  }
  for (const Kind& kind : kKinds) {
    if (queue.guaranteed.*kind.amount < 0) return bad("what is guaranteed cannot be below 0");
  }
  for (const auto& limit : {queue.gpu_milli_max, queue.jobs_max, queue.gpu_seconds_max}) {
    if (limit && *limit < 0) return bad("a limit cannot be below 0");
  }
  if (queue.gpu_time_window < seconds(1)) return bad("a window of GPU time is at least a second");
  if (auto fine = check_half_life(queue.half_life); !fine) return bad(fine.error().message);
  if (queue.gpu_milli_max && queue.guaranteed.gpu_milli > *queue.gpu_milli_max) {
    return fail(ErrorKind::Invalid, "queue '{}': {} are guaranteed, but it may use {} at most",
                queue.name, text_of(kKinds[0], queue.guaranteed.gpu_milli),
                text_of(kKinds[0], *queue.gpu_milli_max));
  }
  return {};
}

std::vector<QueueProblem> problems_of(const std::vector<QueueSpec>& queues) {
  if (queues.size() > kQueuesMax) {
    return {
        {kQueuesMax, fmt::format("{} queues; at most {} are possible", queues.size(), kQueuesMax)}};
  }
  std::vector<QueueProblem> problems;
  const auto see = [&problems](std::size_t queue, const Result<void>& checked) {
    if (!checked) problems.push_back({queue, checked.error().message});
  };
  ByName by_name;
  for (std::size_t i = 0; i < queues.size(); ++i) {
    see(i, validate(queues[i]));
    if (by_name.emplace(queues[i].name, &queues[i]).second) continue;
    problems.push_back({i, fmt::format("queue '{}' is there twice", queues[i].name)});
  }
  std::map<std::string, ResourceSum> below;
  for (std::size_t i = 0; i < queues.size(); ++i) {
    see(i, check_parents(queues[i], by_name));
    below[queues[i].parent] += queues[i].guaranteed;
  }
  if (!problems.empty()) return problems;
  for (std::size_t i = 0; i < queues.size(); ++i)
    see(i, check_sums(queues[i], below[queues[i].name]));
  return problems;
}

Result<void> validate(const std::vector<QueueSpec>& queues) {
  const auto problems = problems_of(queues);
  if (problems.empty()) return {};
  return fail(ErrorKind::Invalid, "{}", problems.front().message);
}

Result<void> validate_guarantees(const std::vector<QueueSpec>& queues, const std::string& partition,
                                 const ResourceSum& fleet) {
  ResourceSum sum;
  for (const QueueSpec& queue : queues) {
    if (queue.parent.empty() && queue.partition == partition) sum += queue.guaranteed;
  }
  for (const Kind& kind : kKinds) {
    if (sum.*kind.amount <= fleet.*kind.amount) continue;
    const std::string where = partition.empty() ? "" : " in partition '" + partition + "'";
    return fail(ErrorKind::Invalid, "{} are guaranteed to queues{}, but the fleet has {}",
                text_of(kind, sum.*kind.amount), where, text_of(kind, fleet.*kind.amount));
  }
  return {};
}

}  // namespace gyre
