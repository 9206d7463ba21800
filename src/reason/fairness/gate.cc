// Who may join the line, who is kept out, and who must give back.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/units.h"
#include "reason/fairness/fair_share.h"
#include "reason/queueing/order.h"

namespace gyre::reason {
namespace {

/// Of each queue so many first jobs are looked at before it counts as kept out.
constexpr int kLookedAtMax = 16;

std::string gpus(std::int64_t milli) {
  return fmt::format("{:.6g} GPU{}", static_cast<double>(milli) / 1000, milli == 1000 ? "" : "s");
}

/// What guarantees keep of a queue, were nothing held.
template <class Queues>
std::int64_t kept_at_least(const Queues& queues, std::uint32_t index) {
  std::int64_t below = 0;
  for (const std::uint32_t child : queues[index].children) below += kept_at_least(queues, child);
  return std::max(queues[index].spec.guaranteed.gpu_milli, below);
}

/// Where jobs that may not be stopped find no room: in what a queue is guaranteed, or in all that
/// the partition has.
struct Shortage {
  std::optional<std::uint32_t> queue;  // none: the partition
  std::int64_t whole = 0;              // milli-GPUs of it
  std::int64_t left = 0;               // the most that one job may ask for now
  std::int64_t left_empty = 0;         // the same, were nothing held
  std::int64_t whole_ever = 0;         // of it, were all nodes up
  std::int64_t left_ever = 0;          // the most that one may ask for then
  std::vector<std::string> others;     // queues beside the job's own, and what is kept for them
};

/// Adds what the children but `except` are guaranteed.
template <class Queues>
std::int64_t others_keep(const Queues& queues, const std::vector<std::uint32_t>& children,
                         std::uint32_t except, std::vector<std::string>& names) {
  std::int64_t sum = 0;
  for (const std::uint32_t child : children) {
    const std::int64_t keeps = child == except ? 0 : kept_at_least(queues, child);
    sum += keeps;
    if (keeps > 0) names.push_back(fmt::format("'{}' ({})", queues[child].spec.name, gpus(keeps)));
  }
  return sum;
}

/// "'a' (4 GPUs), 'b' (1 GPU) and 7 more".
std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t kNamesMax = 4;
  const std::size_t count = std::min(names.size(), kNamesMax);
  std::string text = fmt::format(
      "{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count), ", "));
  if (count < names.size()) text += fmt::format(" and {} more", names.size() - count);
  return text;
}

/// Of a firm job of `leaf` for which there is no room: at what level that is. A queue that is
/// guaranteed something decides for all above it, so those between have no guarantee of their own.
template <class Queues, class Part>
Shortage shortage_of(const Queues& queues, const Part& partition, std::uint32_t leaf) {
  Shortage shortage;
  const std::int64_t own = queues[leaf].spec.guaranteed.gpu_milli;
  const std::int64_t room = std::max<std::int64_t>(0, own - queues[leaf].firm_gpu_milli);
  const auto fill = [&](std::int64_t whole, std::int64_t kept, std::int64_t kept_empty) {
    shortage.whole = whole;
    shortage.left = std::max(room, whole - kept + room);
    shortage.left_empty = std::max(own, whole - kept_empty + own);
    shortage.whole_ever = whole;
    shortage.left_ever = shortage.left_empty;
  };
  std::uint32_t from = leaf;
  for (auto at = queues[leaf].parent; at; from = *at, at = queues[*at].parent) {
    const auto& queue = queues[*at];
    const std::int64_t theirs = others_keep(queues, queue.children, from, shortage.others);
    if (queue.spec.guaranteed.gpu_milli == 0) continue;
    shortage.queue = *at;
    fill(queue.spec.guaranteed.gpu_milli, queue.kept_below, theirs + kept_at_least(queues, from));
    return shortage;
  }
  const std::int64_t theirs = others_keep(queues, partition.roots, from, shortage.others);
  const std::int64_t kept_empty = theirs + kept_at_least(queues, from);
  fill(partition.capacity.gpu_milli, partition.kept, kept_empty);
  shortage.whole_ever = partition.whole_gpu_milli;
  shortage.left_ever = std::max(own, partition.whole_gpu_milli - kept_empty + own);
  return shortage;
}

QuotaBlock block_by(const Shortage& lack, const std::string& queue, std::int64_t asked) {
  const bool for_ever = asked > lack.left_ever;
  const std::string amount = gpus(for_ever ? lack.whole_ever : lack.whole);
  const std::string whole =
      lack.queue ? fmt::format("of the {} that queue '{}' is guaranteed", amount, queue)
                 : fmt::format("of the fleet's {}", amount);
  const std::string kept = lack.others.empty()
                               ? std::string("none is guaranteed to other queues")
                               : "guaranteed to other queues: " + some_of(lack.others);
  if (for_ever) {
    return {true, fmt::format("only preemptible jobs can run here: it asks for {}, and {} at most "
                              "{} are left to jobs that may not be preempted ({})",
                              gpus(asked), whole, gpus(lack.left_ever), kept)};
  }
  return {false, fmt::format("it asks for {} and may not be preempted; {} {} are left to such jobs "
                             "now ({}); what may be preempted may borrow it",
                             gpus(asked), whole, gpus(lack.left), kept)};
}

}  // namespace

void FairShare::gate(const Job& job, const Waiting& entry) {
  const auto queue = by_name_.find(job.spec->queue);
  if (queue == by_name_.end()) return;
  Member member;
  member.queue = queue->second;
  member.firm = !job.spec->preemptible;
  member.amount = resources_of(job.spec->tasks);
  member.entry = entry;
  Member& kept = members_.insert_or_assign(job.id, std::move(member)).first->second;
  Queue& leaf = queues_[kept.queue];
  enter_gate(job.id, kept);
  if (kept.stage != Stage::Gated || leaf.gated.begin()->second != job.id) return;
  if (leaf.in_line.empty() || entry.key < *leaf.in_line.rbegin()) {
    part(leaf.partition).disorder = true;
  }
}

void FairShare::enter_gate(JobId id, Member& member) {
  bool never = false;
  for_path(member.queue,
           [&](Index, Queue& queue) { never = never || limits_never_allow(queue, member.amount); });
  member.stage = never ? Stage::TooLarge : Stage::Gated;
  member.place = 0;
  const int starving = !never && member.entry.key.rank == kStarving ? 1 : 0;
  for_path(member.queue, [&](Index at, Queue& queue) {
    ++queue.gated_count;
    queue.starving += starving;
    rekey(at);
  });
  queues_[member.queue].gated.emplace(member.entry.key, id);
  if (!never) set_pending(member.queue, true);
}

void FairShare::leave_gate(const Member& member) {
  Queue& leaf = queues_[member.queue];
  leaf.gated.erase(member.entry.key);
  const bool was = member.stage == Stage::Gated && member.entry.key.rank == kStarving;
  for_path(member.queue, [&](Index at, Queue& queue) {
    --queue.gated_count;
    queue.starving -= was ? 1 : 0;
    rekey(at);
  });
  set_pending(member.queue, !leaf.gated.empty());  // it may have kept others from being looked at
}

bool FairShare::is_gated(JobId job) const {
  const Member* member = find(job);
  return member != nullptr && (member->stage == Stage::Gated || member->stage == Stage::TooLarge);
}

const Waiting& FairShare::entry_of(JobId job) const { return find(job)->entry; }

std::vector<Waiting> FairShare::gated(PartitionId partition) const {
  std::vector<Waiting> all;
  for (const Queue& queue : queues_) {
    if (queue.partition != partition) continue;
    for (const auto& [key, id] : queue.gated) all.push_back(find(id)->entry);
  }
  return all;
}

bool FairShare::has_pending(PartitionId partition) const {
  return !part(partition).pending.empty();
}

bool FairShare::take_disorder(PartitionId partition) {
  return std::exchange(part(partition).disorder, false);
}

std::optional<JobId> FairShare::pick(PartitionId partition, const DemandTable& demands,
                                     std::int64_t& work) {
  Part& from = part(partition);
  while (!from.pending.empty()) {
    Index at = from.pending.begin()->queue;
    ++work;
    while (!queues_[at].children.empty()) at = queues_[at].pending_children.begin()->queue;
    if (const auto job = first_allowed(at, demands, work)) return job;
    set_pending(at, false);
  }
  return std::nullopt;
}

std::optional<JobId> FairShare::first_allowed(Index index, const DemandTable& demands,
                                              std::int64_t& work) {
  Queue& leaf = queues_[index];
  Part& whole = part(leaf.partition);
  int looked_at = 0;
  bool starving = false;  // nobody passes a job that has waited too long for its queue's quota
  std::optional<std::int64_t> asked;  // by the last one that limits were looked at for
  std::optional<Index> keeper;        // who kept that out
  for (const auto& [key, id] : leaf.gated) {
    ++work;
    if (++looked_at > kLookedAtMax || (starving && key.rank != kStarving)) return std::nullopt;
    const Member& member = *find(id);
    if (member.stage == Stage::TooLarge) {
      --looked_at;
      continue;
    }
    if (!demands.at(member.entry.demand).feasible || !room_for_firm(member)) {
      keep_out(index, whole.keeps_out);
      continue;
    }
    if (asked != member.amount.gpu_milli) {
      asked = member.amount.gpu_milli;
      keeper = kept_out_by(member);
      if (keeper) keep_out(index, queues_[*keeper].keeps_out);
    }
    if (!keeper) return id;
    starving = starving || key.rank == kStarving;
  }
  return std::nullopt;
}

void FairShare::keep_out(Index leaf, std::vector<Index>& keeps_out) {
  const auto at = std::lower_bound(keeps_out.begin(), keeps_out.end(), leaf);
  if (at == keeps_out.end() || *at != leaf) keeps_out.insert(at, leaf);
}

std::optional<FairShare::Index> FairShare::kept_out_by(const Member& member) const {
  for (std::optional<Index> at = member.queue; at; at = queues_[*at].parent) {
    const Queue& queue = queues_[*at];
    if (limits_keep_out(queue, member.amount)) return at;
    if (!queue.spec.gpu_seconds_max) continue;
    PastUse use = queue.past;
    use.advance(queue.spec, queue.placed, now_);
    if (use.gpu_milli_s() / 1000 >= *queue.spec.gpu_seconds_max) return at;
  }
  return std::nullopt;
}

bool FairShare::limits_keep_out(const Queue& queue, const ResourceSum& amount) {
  const QueueSpec& spec = queue.spec;
  return (spec.gpu_milli_max && queue.used.gpu_milli + amount.gpu_milli > *spec.gpu_milli_max) ||
         (spec.jobs_max && queue.jobs >= *spec.jobs_max);
}

bool FairShare::limits_never_allow(const Queue& queue, const ResourceSum& amount) {
  const QueueSpec& spec = queue.spec;
  return (spec.gpu_milli_max && amount.gpu_milli > *spec.gpu_milli_max) || spec.jobs_max == 0 ||
         spec.gpu_seconds_max == 0;
}

/// What is guaranteed to others may be borrowed only by who can be stopped.
bool FairShare::room_for_firm(const Member& member) const {
  const Queue& leaf = queues_[member.queue];
  const Part& whole = part(leaf.partition);
  const std::int32_t own = leaf.spec.guaranteed.gpu_milli > 0 ? 1 : 0;
  if (!member.firm || member.amount.gpu_milli == 0 || whole.guaranteed == own) return true;
  std::int64_t change =
      std::max<std::int64_t>(0, leaf.firm_gpu_milli + member.amount.gpu_milli - kept(leaf));
  for (auto at = leaf.parent; at && change > 0; at = queues_[*at].parent) {
    const Queue& queue = queues_[*at];
    const std::int64_t guaranteed = queue.spec.guaranteed.gpu_milli;
    const std::int64_t below = queue.kept_below + change;
    if (guaranteed > 0 && below > guaranteed) return false;
    change = std::max(guaranteed, below) - kept(queue);
  }
  return change <= 0 || whole.kept + change <= whole.capacity.gpu_milli;
}

void FairShare::admit(JobId id, std::int64_t place) {
  Member& member = *find(id);
  leave_gate(member);
  member.stage = Stage::Admitted;
  member.place = place;
  queues_[member.queue].in_line.insert(member.entry.key);
  part(queues_[member.queue].partition).places.emplace(place, id);
  charge(member, 1);
}

void FairShare::rerank(JobId id, const Waiting& entry) {
  Member& member = *find(id);
  if (member.stage == Stage::Admitted) {
    auto& in_line = queues_[member.queue].in_line;
    in_line.erase(member.entry.key);
    in_line.insert(entry.key);
    member.entry = entry;
    return;
  }
  leave_gate(member);
  member.entry = entry;
  enter_gate(id, member);
}

void FairShare::take_back(JobId id, const Waiting& entry) {
  Member& member = *find(id);
  queues_[member.queue].in_line.erase(member.entry.key);
  part(queues_[member.queue].partition).places.erase({member.place, id});
  charge(member, -1);
  member.entry = entry;
  enter_gate(id, member);
}

std::int64_t FairShare::place_of(JobId job) const {
  const Member* member = find(job);
  return member == nullptr ? 0 : member->place;
}

// --- giving back

std::int64_t FairShare::line_cost(JobId job) const {
  return queue_count() + std::ssize(part(queues_[find(job)->queue].partition).places);
}

bool FairShare::below(Index queue, Index top) const {
  for (std::optional<Index> at = queue; at; at = queues_[*at].parent) {
    if (*at == top) return true;
  }
  return false;
}

/// What the queue's jobs hold that are not being stopped, and those in line up to the member.
ResourceSum FairShare::held_before(Index index, const Member& member) const {
  ResourceSum held = queues_[index].placed - queues_[index].leaving;
  for (const auto& [place, id] : part(queues_[index].partition).places) {
    if (place > member.place) break;
    const Member& other = *find(id);
    if (below(other.queue, index)) held += other.amount;
  }
  return held;
}

/// Whether the queue holds no more than it is guaranteed, up to the member in line.
bool FairShare::within(Index index, const Member& member) const {
  const ResourceSum& own = queues_[index].spec.guaranteed;
  if ((member.amount.gpu_milli > 0 ? own.gpu_milli : own.cpu_milli) == 0) return false;
  const ResourceSum held = held_before(index, member);
  return (own.gpu_milli == 0 || held.gpu_milli <= own.gpu_milli) &&
         (own.cpu_milli == 0 || held.cpu_milli <= own.cpu_milli) &&
         (own.memory_mib == 0 || held.memory_mib <= own.memory_mib);
}

bool FairShare::entitled(JobId job) const {
  const Member* member = find(job);
  if (member == nullptr || member->stage != Stage::Admitted) return false;
  for (std::optional<Index> at = member->queue; at; at = queues_[*at].parent) {
    if (within(*at, *member)) return true;
  }
  return false;
}

bool FairShare::above(const Queue& queue) {
  const ResourceSum held = queue.placed - queue.leaving;
  const ResourceSum& own = queue.spec.guaranteed;
  return own.gpu_milli > 0 || held.gpu_milli > 0 ? held.gpu_milli > own.gpu_milli
                                                 : held.cpu_milli > own.cpu_milli;
}

bool FairShare::any_stoppable(PartitionId partition) const {
  const Part& whole = part(partition);
  return std::any_of(whole.roots.begin(), whole.roots.end(),
                     [&](Index root) { return queues_[root].stoppable > 0; });
}

std::optional<JobId> FairShare::next_victim(JobId job) const {
  const Member& member = *find(job);
  for (std::optional<Index> at = member.queue; at; at = queues_[*at].parent) {
    if (!within(*at, member)) continue;
    const Queue& queue = queues_[*at];
    const auto& siblings =
        queue.parent ? queues_[*queue.parent].children : part(queue.partition).roots;
    if (const auto victim = victim_among(siblings, *at, true)) return victim;
  }
  return std::nullopt;
}

std::optional<JobId> FairShare::victim_among(const std::vector<Index>& queues, Index except,
                                             bool only_above) const {
  const Queue* most = nullptr;
  for (const Index index : queues) {
    const Queue& queue = queues_[index];
    if (index == except || queue.stoppable == 0 || (only_above && !above(queue))) continue;
    const auto rank = [](const Queue& one) { return std::pair(above(one), one.key.share); };
    if (most == nullptr || rank(*most) < rank(queue)) most = &queue;
  }
  if (most == nullptr) return std::nullopt;
  if (most->children.empty()) return most->stoppables.rbegin()->second;
  return victim_among(most->children, except, false);
}

std::vector<JobId> FairShare::running_beside(JobId job) const {
  std::vector<JobId> ids;
  for (const auto& [started, id] : queues_[find(job)->queue].stoppables) ids.push_back(id);
  return ids;
}

// --- for people

std::optional<QuotaBlock> FairShare::never_admits(const std::string& name,
                                                  const ResourceSum& amount) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end() || !part(queues_[found->second].partition).governed) {
    return std::nullopt;
  }
  for (std::optional<Index> at = found->second; at; at = queues_[*at].parent) {
    const QueueSpec& spec = queues_[*at].spec;
    if (!limits_never_allow(queues_[*at], amount)) continue;
    if (spec.gpu_milli_max && amount.gpu_milli > *spec.gpu_milli_max) {
      return QuotaBlock{
          true, fmt::format("it asks for {}, queue '{}' may use {} at most", gpus(amount.gpu_milli),
                            spec.name, gpus(*spec.gpu_milli_max))};
    }
    return QuotaBlock{true, fmt::format("queue '{}' is limited to nothing", spec.name)};
  }
  return std::nullopt;
}

std::int64_t FairShare::ahead_of(JobId job) const {
  const Member& member = *find(job);
  const auto& gated = queues_[member.queue].gated;
  return std::distance(gated.begin(), gated.find(member.entry.key));
}

JobId FairShare::first_of_queue(JobId job) const {
  return queues_[find(job)->queue].gated.begin()->second;
}

std::optional<QuotaBlock> FairShare::block_of(JobId job) const {
  const Member& member = *find(job);
  const std::string& own = queues_[member.queue].spec.name;
  if (auto never = never_admits(own, member.amount)) return never;
  std::optional<QuotaBlock> no_room;
  if (!room_for_firm(member)) {
    const Queue& leaf = queues_[member.queue];
    const Part& whole = part(leaf.partition);
    const std::int64_t asked = member.amount.gpu_milli;
    const Shortage lack = shortage_of(queues_, whole, member.queue);
    no_room = block_by(lack, lack.queue ? queues_[*lack.queue].spec.name : "", asked);
    if (no_room->for_ever) return no_room;
    const bool alone = !lack.others.empty() && leaf.firm_gpu_milli + asked > lack.left_empty;
    no_room->full =
        !lack.queue && !alone && whole.firm_gpu_milli + asked > whole.capacity.gpu_milli;
  }
  if (const auto index = kept_out_by(member)) {
    const Queue* keeper = &queues_[*index];
    const QueueSpec& spec = keeper->spec;
    if (spec.jobs_max && keeper->jobs >= *spec.jobs_max) {
      return QuotaBlock{false, fmt::format("queue '{}' has {} jobs that run or are next, and may "
                                           "have {}",
                                           spec.name, keeper->jobs, *spec.jobs_max)};
    }
    if (spec.gpu_milli_max &&
        keeper->used.gpu_milli + member.amount.gpu_milli > *spec.gpu_milli_max) {
      return QuotaBlock{
          false, fmt::format("it asks for {}; queue '{}' holds {} of the {} that it "
                             "may use",
                             gpus(member.amount.gpu_milli), spec.name, gpus(keeper->used.gpu_milli),
                             gpus(*spec.gpu_milli_max))};
    }
    return QuotaBlock{false,
                      fmt::format("queue '{}' has used its {:.6g} GPU hours; the next ones "
                                  "come in {}",
                                  spec.name, static_cast<double>(*spec.gpu_seconds_max) / 3600,
                                  format_duration(PastUse::window_end(spec, now_) - now_))};
  }
  return no_room;
}

}  // namespace gyre::reason
