// Services: what the core makes of what is wanted of them.
#include "control/controller.h"

namespace gyre::control {

Result<void> Controller::check(const ServiceSpec& spec) const {
  if (auto valid = validate(spec); !valid) return valid;
  const bool known = services_.find(spec.replica.name) != nullptr;
  if (!known && services_.all().size() >= kServicesMax) {
    return fail(ErrorKind::Conflict, "there are {} services, which is the limit; delete some first",
                kServicesMax);
  }
  return check(spec.replica);
}

void Controller::on(const ReplicaProbed& event) {
  Job* job = jobs_.find(event.job);
  if (job == nullptr || job->service.empty()) return;
  if (event.health != ReplicaHealth::Dead) return services_.probed(event, job->service, now_);
  if (job->attempt != event.attempt || job->state != JobState::Running) return;
  job->exit = {TaskExit::Kind::Lost, 0, false, event.detail};
  stop(*job, Termination::TaskFailed);
}

/// Makes and stops replicas. A replica that ends at once makes for more to do, but no third round:
/// it is not replaced at once.
void Controller::work_on_services() {
  constexpr int kRoundsMax = 4;
  for (int round = 0; round < kRoundsMax; ++round) {
    const reason::Services::Actions actions = services_.work(now_);
    if (actions.create.empty() && actions.stop.empty() && actions.freeze.empty()) return;
    for (const auto& [job, attempt, frozen] : actions.freeze) {
      emit(FreezeGang{job, attempt, frozen});
    }
    for (const auto& made : actions.create) {
      Job fresh;
      fresh.id = JobId{jobs_.last().value + 1};
      fresh.spec = made.spec;
      fresh.service = made.service;
      fresh.revision = made.revision;
      services_.created(made, fresh.id);
      submit(std::move(fresh));
    }
    for (const JobId id : actions.stop) {
      Job* job = jobs_.find(id);
      if (job != nullptr && !is_final(job->state)) stop(*job, Termination::Retired);
    }
  }
}

}  // namespace gyre::control
