#include "domain/queue.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

#include "base/units.h"

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

Result<void> check_parents(const QueueSpec& queue, const ByName& by_name) {
  std::string way = queue.name;
  int depth = 0;
  for (const QueueSpec* at = &queue; !at->parent.empty();) {
    const auto parent = by_name.find(at->parent);
    if (parent == by_name.end()) {
      return fail(ErrorKind::Invalid, "queue '{}': its parent '{}' does not exist", at->name,
                  at->parent);
    }
    way += " -> " + at->parent;
    if (at->parent == queue.name) {
      return fail(ErrorKind::Invalid, "queue '{}' is below itself: {}", queue.name, way);
    }
    if (++depth > kQueueDepthMax) {
      return fail(ErrorKind::Invalid, "queue '{}' is more than {} levels deep, or below a circle",
                  queue.name, kQueueDepthMax);
    }
    if (parent->second->partition != at->partition) {
      return fail(ErrorKind::Invalid,
                  "queue '{}' is in partition '{}', its parent '{}' in '{}'; they share one",
                  at->name, at->partition, at->parent, parent->second->partition);
    }
    at = parent->second;
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
  if (queue.half_life.ns < 0 || (queue.half_life.ns > 0 && queue.half_life < seconds(64))) {
    return bad("a half-life is at least 64 s, or 0 for none");
  }
  if (queue.gpu_milli_max && queue.guaranteed.gpu_milli > *queue.gpu_milli_max) {
    return fail(ErrorKind::Invalid, "queue '{}': {} are guaranteed, but it may use {} at most",
                queue.name, text_of(kKinds[0], queue.guaranteed.gpu_milli),
                text_of(kKinds[0], *queue.gpu_milli_max));
  }
  return {};
}

Result<void> validate(const std::vector<QueueSpec>& queues) {
  if (queues.size() > kQueuesMax) {
    return fail(ErrorKind::Invalid, "{} queues; at most {} are possible", queues.size(),
                kQueuesMax);
  }
  ByName by_name;
  for (const QueueSpec& queue : queues) {
    if (auto valid = validate(queue); !valid) return valid;
    if (!by_name.emplace(queue.name, &queue).second) {
      return fail(ErrorKind::Invalid, "queue '{}' is there twice", queue.name);
    }
  }
  std::map<std::string, ResourceSum> below;
  for (const QueueSpec& queue : queues) {
    if (auto valid = check_parents(queue, by_name); !valid) return valid;
    below[queue.parent] += queue.guaranteed;
  }
  for (const QueueSpec& queue : queues) {
    for (const Kind& kind : kKinds) {
      const std::int64_t own = queue.guaranteed.*kind.amount;
      const std::int64_t sum = below[queue.name].*kind.amount;
      if (sum <= own) continue;
      return fail(ErrorKind::Invalid,
                  "the queues below '{}' are guaranteed {} in sum, it has {} itself; give it as "
                  "much, or them less",
                  queue.name, text_of(kind, sum), text_of(kind, own));
    }
  }
  return {};
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
