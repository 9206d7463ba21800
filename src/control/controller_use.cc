// What jobs hold: what it costs, and whether they use it.
#include <algorithm>

#include "control/controller.h"

namespace gyre::control {

void Controller::on(const PriceSet& event) {
  if (event.prices && !validate(*event.prices)) return;
  ledger_.set_prices(event.prices, jobs_, cluster_, now_);
}

void Controller::on(const IdleSet& event) {
  if (validate(event.idle)) idle_.configure(event.idle);
}

void Controller::on(const GpuUseSeen& event) {
  Job* job = jobs_.find(event.use.job);
  if (job == nullptr || job->attempt != event.use.attempt) return;
  if (job->state != JobState::Running || is_exempt_from_idle(*job)) return;
  if (idle_.sees(event.use, now_) == reason::IdleGuard::Verdict::Stop) {
    stop(*job, Termination::Idle);
  }
}

bool Controller::is_exempt_from_idle(const Job& job) const {
  if (!job.service.empty() || gpu_total(job.spec->tasks).value == 0) return true;
  const auto& exempt = idle_.spec().exempt;
  const auto spared = [&](const std::string& queue) {
    return std::find(exempt.begin(), exempt.end(), queue) != exempt.end();
  };
  std::string queue = job.spec->queue;
  for (int depth = 0; depth < kQueueDepthMax && !queue.empty(); ++depth) {
    if (spared(queue)) return true;
    const auto known = std::find_if(queues_.begin(), queues_.end(),
                                    [&](const QueueSpec& one) { return one.name == queue; });
    queue = known == queues_.end() ? std::string() : known->parent;
  }
  return false;
}

}  // namespace gyre::control
