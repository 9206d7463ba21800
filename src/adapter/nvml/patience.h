#pragma once

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "base/result.h"
#include "base/time.h"
#include "base/units.h"

namespace gyre::nvml {

/// What `ask` answers, called on a thread of its own. Errors: also Internal, it has not answered
/// within `patience`; its thread is then left to the end of the process.
template <class Answer, class Ask>
Result<Answer> answer_within(Duration patience, Ask ask) {
  std::packaged_task<Result<Answer>()> task(std::move(ask));
  auto answer = task.get_future();
  std::thread thread(std::move(task));
  if (answer.wait_for(std::chrono::nanoseconds(patience.ns)) == std::future_status::ready) {
    thread.join();
    return answer.get();
  }
  thread.detach();
  return fail(ErrorKind::Internal,
              "the NVIDIA driver has not answered for {}: see nvidia-smi and the kernel's log",
              format_duration(patience));
}

}  // namespace gyre::nvml
