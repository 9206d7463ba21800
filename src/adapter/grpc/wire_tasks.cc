#include "adapter/grpc/wire_tasks.h"

#include <gyre.pb.h>

#include "adapter/grpc/wire_parts.h"

namespace gyre::adapter::rpc {

void write(const act::TasksUsed& used, v1::TasksUsed& out) {
  for (const act::TaskUse& one : used.tasks) {
    v1::TaskUse& task = *out.add_tasks();
    write_key(one.key, *task.mutable_key());
    if (one.used.cpu) task.set_cpu_ns(one.used.cpu->ns);
    if (one.used.memory_peak) task.set_memory_peak_mib(one.used.memory_peak->value);
  }
}

Result<act::TasksUsed> read(const v1::TasksUsed& in) {
  if (static_cast<std::size_t>(in.tasks_size()) > act::kTasksUsedMax) {
    return fail(ErrorKind::Invalid, "a node tells what {} tasks use at most", act::kTasksUsedMax);
  }
  act::TasksUsed used;
  for (const v1::TaskUse& task : in.tasks()) {
    const auto key = checked_key(task.key());
    if (!key) return tl::unexpected(key.error());
    if (task.cpu_ns() < 0 || task.memory_peak_mib() < 0) {
      return fail(ErrorKind::Invalid, "task {} has used less than nothing", act::to_string(*key));
    }
    act::TaskUse& one = used.tasks.emplace_back(act::TaskUse{*key, {}});
    if (task.has_cpu_ns()) one.used.cpu = Duration{task.cpu_ns()};
    if (task.has_memory_peak_mib()) one.used.memory_peak = MemoryMib{task.memory_peak_mib()};
  }
  return used;
}

void write(const act::TaskSpoke& spoke, v1::TaskSpoke& out) {
  write_key(spoke.key, *out.mutable_key());
  out.set_after_ns(spoke.after.ns);
}

Result<act::TaskSpoke> read(const v1::TaskSpoke& in) {
  const auto key = checked_key(in.key());
  if (!key) return tl::unexpected(key.error());
  if (in.after_ns() < 0) {
    return fail(ErrorKind::Invalid, "task {} wrote before it began", act::to_string(*key));
  }
  return act::TaskSpoke{*key, Duration{in.after_ns()}};
}

}  // namespace gyre::adapter::rpc
