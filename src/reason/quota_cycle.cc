// What quotas add to a cycle: who joins the line, and who must give back.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "reason/preemption/victims.h"
#include "reason/scheduler.h"

namespace gyre::reason {
namespace {

/// Jobs of queues that hold more than they are guaranteed, for one that is guaranteed what it asks
/// for.
class Borrowers final : public Victims {
 public:
  Borrowers(FairShare& fair, JobId beneficiary, const JobTable& jobs)
      : fair_(fair), beneficiary_(beneficiary), jobs_(jobs) {}

  const Job* take(Rank /*bar*/) override {
    const auto id = fair_.next_victim(beneficiary_);
    if (!id) return nullptr;
    fair_.mark(*id, true);
    return jobs_.find(*id);
  }
  void put_back(const Job& job, Rank /*rank*/) override { fair_.mark(job.id, false); }
  Rank rank() const override { return 0; }
  std::int64_t cost() const override { return fair_.line_cost(beneficiary_) / 4; }

 private:
  FairShare& fair_;
  JobId beneficiary_;
  const JobTable& jobs_;
};

}  // namespace

void Scheduler::set_queue(const QueueSpec& queue, PartitionId partition, Scene scene) {
  sync_partitions(scene.cluster);
  fair_.advance(scene.now);
  fair_.set(queue, partition);
  Line& target = line(partition);
  if (!fair_.governs(partition)) return;
  const bool new_to_it = !std::exchange(target.governed, true);
  drop_claims(target);
  if (new_to_it) {
    for (const JobId id : target.running.ids()) job_counts(*scene.jobs.find(id));
  }
  empty_line(partition, scene);
  for (const Waiting& entry : fair_.gated(partition)) fair_.rerank(entry.key.job, entry);
}

/// The job is placed, which its queue's quota is to know.
void Scheduler::job_counts(const Job& job) {
  fair_.placed(job, job.spec->preemptible);
  fair_.mark(job.id, job.state == JobState::Preempting || job.state == JobState::Stopping);
}

std::int64_t Scheduler::empty_line(PartitionId partition, Scene scene) {
  Line& target = line(partition);
  std::vector<Waiting> entries;
  const auto collect = [&](const Waiting& entry) { entries.push_back(entry); };
  target.waiting.for_each(collect);
  target.parked.for_each(collect);
  for (const Waiting& entry : entries) {
    const Job& job = *scene.jobs.find(entry.key.job);
    leave(entry.key, entry.demand, target);
    ++demands_.at(entry.demand).apart;
    const Waiting ordered = ordered_entry_of(job, entry.demand, target);
    if (fair_.place_of(job.id) > 0) {
      fair_.take_back(job.id, ordered);
    } else {
      fair_.gate(job, ordered);
    }
  }
  if (!entries.empty()) target.stale = Stale::Everything;
  return std::ssize(entries);
}

bool Scheduler::restock(PartitionId partition, Scene scene, const Effort& effort) {
  Line& target = line(partition);
  if (fair_.take_disorder(partition)) effort.work += empty_line(partition, scene);
  const bool full = scene.cluster.free_gpu_milli(partition) == 0;
  target.in_line_max = full ? kInLineFew : kInLineMax;
  bool any = false;
  while (target.waiting.size() < target.in_line_max) {
    if (any && effort.work >= effort.work_max) break;
    const auto id = fair_.pick(partition, demands_, effort.work);
    if (!id) break;
    const std::uint32_t demand = fair_.entry_of(*id).demand;
    fair_.admit(*id, ++last_admission_);
    --demands_.at(demand).apart;
    enter(entry_of(*scene.jobs.find(*id), demand, target), target);
    any = true;
  }
  return any;
}

/// Room that borrowers give back, or else jobs of the same queue that stand behind it. `blocked`:
/// one before it got none, so that only what is guaranteed counts.
std::optional<Room> Scheduler::make_room_by_quota(const Waiting& entry, Turn& turn, Trial& trial,
                                                  bool blocked) {
  const JobId id = entry.key.job;
  const Demand& demand = demands_.at(entry.demand);
  turn.work += fair_.line_cost(id);
  if (fair_.entitled(id)) {
    Borrowers borrowers(fair_, id, turn.scene.jobs);
    if (auto room = make_room(turn.question(), trial, {id, demand, 0}, borrowers)) {
      // As they were taken: each while its queue holds more than it is guaranteed.
      std::reverse(room->victims.begin(), room->victims.end());
      return room;
    }
  }
  if (!policy_.preemption || blocked) return std::nullopt;
  const Order& order = order_of(policy_.order);
  const OrderView view_now = view(turn.scene.now);
  const Rank bar = order.bar(fair_.entry_of(id).key.rank, demand.gpu_milli, view_now);
  const std::vector<JobId> beside = fair_.running_beside(id);
  turn.work += std::ssize(beside);
  RankedVictims victims(beside, turn.line.running, turn.scene.jobs, turn.scene.now);
  auto room = make_room(turn.question(), trial, {id, demand, bar}, victims);
  if (!room) return std::nullopt;
  for (const JobId victim : room->victims) fair_.mark(victim, true);
  return room;
}

void Scheduler::restore_admission(const Admission& admission, PartitionId partition, Scene scene) {
  if (!fair_.is_gated(admission.job)) return;
  Line& target = line(partition);
  const std::uint32_t demand = fair_.entry_of(admission.job).demand;
  fair_.admit(admission.job, admission.place);
  --demands_.at(demand).apart;
  enter(entry_of(*scene.jobs.find(admission.job), demand, target), target);
}

}  // namespace gyre::reason
