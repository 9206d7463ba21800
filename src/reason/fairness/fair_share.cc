// The tree of queues and what is counted in it.
#include "reason/fairness/fair_share.h"

#include <algorithm>

#include "base/assert.h"
#include "reason/queueing/order.h"

namespace gyre::reason {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

double fraction(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

/// The largest of the parts of what there is.
double dominant(const ResourceSum& sum, const ResourceSum& capacity) {
  return std::max({fraction(sum.gpu_milli, capacity.gpu_milli),
                   fraction(sum.cpu_milli, capacity.cpu_milli),
                   fraction(sum.memory_mib, capacity.memory_mib)});
}

/// When the step of fading that goes on at `now` ends.
Time step_end(const QueueSpec& spec, Time now) {
  const std::int64_t step = spec.half_life.ns / 64 / kSecond;
  if (step <= 0) return Time::max();
  return Time{(now.ns / kSecond / step + 1) * step * kSecond};
}

}  // namespace

FairShare::Part& FairShare::part(PartitionId id) {
  if (parts_.size() <= id.value) parts_.resize(id.value + 1);
  return parts_[id.value];
}

const FairShare::Part& FairShare::part(PartitionId id) const {
  static const Part kNone;
  return id.value < parts_.size() ? parts_[id.value] : kNone;
}

FairShare::Member* FairShare::find(JobId job) {
  const auto found = members_.find(job);
  return found == members_.end() ? nullptr : &found->second;
}
const FairShare::Member* FairShare::find(JobId job) const {
  const auto found = members_.find(job);
  return found == members_.end() ? nullptr : &found->second;
}

bool FairShare::governs(PartitionId partition) const { return part(partition).governed; }

bool FairShare::is_leaf(const std::string& queue) const {
  const auto found = by_name_.find(queue);
  return found == by_name_.end() || queues_[found->second].children.empty();
}

void FairShare::set(const QueueSpec& spec, PartitionId partition) {
  const auto [found, fresh] = by_name_.try_emplace(spec.name, static_cast<Index>(queues_.size()));
  const Index index = found->second;
  if (fresh) {
    Queue queue;
    queue.spec = spec;
    queue.partition = partition;
    if (!spec.parent.empty()) queue.parent = by_name_.at(spec.parent);
    queues_.push_back(std::move(queue));
    if (const auto parent = queues_[index].parent) {
      queues_[*parent].children.push_back(index);
    } else {
      part(partition).roots.push_back(index);
    }
    queues_[index].key = key_of(index);
    queues_[index].past.begin(now_);
  } else {
    queues_[index].past.advance(queues_[index].spec, queues_[index].placed, now_);
    queues_[index].spec = spec;
  }
  if (!part(partition).governed && spec.has_quota()) {
    part(partition).governed = true;
    for (Queue& queue : queues_) {
      if (queue.partition == partition) queue.past.begin(now_);
    }
  }
  // What is kept for the guaranteed follows from all of them.
  for (Part& each : parts_) {
    each.kept = 0;
    each.guaranteed = 0;
  }
  for (Queue& queue : queues_) queue.kept_below = 0;
  for (std::size_t i = queues_.size(); i-- > 0;) {
    Queue& queue = queues_[i];  // parents stand before their children
    (queue.parent ? queues_[*queue.parent].kept_below : parts_[queue.partition.value].kept) +=
        kept(queue);
    if (queue.spec.guaranteed.gpu_milli > 0) ++part(queue.partition).guaranteed;
  }
  for_path(index, [&](Index at, Queue& queue) {
    rekey(at);
    release_from(queue.keeps_out);
  });
  release_from(part(partition).keeps_out);
  next_step_ = Time::max();
  next_window_ = Time::max();
  for (const Queue& queue : queues_) {
    next_step_ = std::min(next_step_, step_end(queue.spec, now_));
    if (!queue.spec.gpu_seconds_max) continue;
    next_window_ = std::min(next_window_, PastUse::window_end(queue.spec, now_));
  }
}

void FairShare::join(PartitionId partition, const ResourceSum& node) {
  part(partition).whole_gpu_milli += node.gpu_milli;
  grow(partition, node);
}

void FairShare::grow(PartitionId partition, const ResourceSum& by) {
  Part& grown = part(partition);
  grown.capacity += by;
  for (Index i = 0; i < queues_.size(); ++i) {
    if (queues_[i].partition == partition) rekey(i);
  }
  release_from(grown.keeps_out);
}

std::int64_t FairShare::advance(Time now) {
  now_ = now;
  if (now >= next_window_) open_windows();
  if (now < next_step_) return 0;
  next_step_ = Time::max();
  for (Index i = 0; i < queues_.size(); ++i) {
    Queue& queue = queues_[i];
    if (queue.past.advance(queue.spec, queue.placed, now)) {
      rekey(i);
      part(queue.partition).disorder = true;
    }
    next_step_ = std::min(next_step_, step_end(queue.spec, now));
  }
  return queue_count();
}

void FairShare::open_windows() {
  next_window_ = Time::max();
  for (Queue& queue : queues_) {
    if (!queue.spec.gpu_seconds_max) continue;
    release_from(queue.keeps_out);
    next_window_ = std::min(next_window_, PastUse::window_end(queue.spec, now_));
  }
}

Time FairShare::next_window() const {
  if (next_window_ == Time::max()) return next_window_;
  const bool kept_out = std::any_of(queues_.begin(), queues_.end(), [](const Queue& queue) {
    return queue.spec.gpu_seconds_max && !queue.keeps_out.empty();
  });
  return kept_out ? next_window_ : Time::max();
}

FairShare::Key FairShare::key_of(Index index) const {
  const Queue& queue = queues_[index];
  const ResourceSum& capacity = part(queue.partition).capacity;
  const ResourceSum now = queue.used - queue.leaving;
  ResourceSum sum = now;
  sum += queue.past.past();
  const ResourceSum& own = queue.spec.guaranteed;
  const bool short_of_it =
      own.gpu_milli > 0 ? now.gpu_milli < own.gpu_milli : now.cpu_milli < own.cpu_milli;
  const int tier = queue.starving > 0 ? 0 : short_of_it ? 1 : 2;
  return {tier, dominant(sum, capacity) / static_cast<double>(queue.spec.weight), index};
}

void FairShare::rekey(Index index) {
  Queue& queue = queues_[index];
  const Key fresh = key_of(index);
  if (queue.pending) {
    auto& among = queue.parent ? queues_[*queue.parent].pending_children
                               : parts_[queue.partition.value].pending;
    among.erase(queue.key);
    among.insert(fresh);
  }
  queue.key = fresh;
}

void FairShare::set_pending(Index index, bool pending) {
  Queue& queue = queues_[index];
  if (queue.pending == pending) return;
  queue.pending = pending;
  auto& among = queue.parent ? queues_[*queue.parent].pending_children
                             : parts_[queue.partition.value].pending;
  if (pending) {
    among.insert(queue.key);
  } else {
    among.erase(queue.key);
  }
  if (queue.parent) set_pending(*queue.parent, !among.empty());
}

void FairShare::release_from(std::vector<Index>& keeps_out) {
  for (const Index leaf : keeps_out) {
    if (!queues_[leaf].gated.empty()) set_pending(leaf, true);
  }
  keeps_out.clear();
}

std::int64_t FairShare::kept(const Queue& queue) const {
  return std::max(queue.spec.guaranteed.gpu_milli,
                  queue.children.empty() ? queue.firm_gpu_milli : queue.kept_below);
}

void FairShare::keep(Index leaf, std::int64_t firm_gpu_milli) {
  std::int64_t before = kept(queues_[leaf]);
  queues_[leaf].firm_gpu_milli += firm_gpu_milli;
  std::int64_t change = kept(queues_[leaf]) - before;
  for (auto at = queues_[leaf].parent; at; at = queues_[*at].parent) {
    before = kept(queues_[*at]);
    queues_[*at].kept_below += change;
    change = kept(queues_[*at]) - before;
  }
  Part& whole = part(queues_[leaf].partition);
  whole.kept += change;
  whole.firm_gpu_milli += firm_gpu_milli;
}

void FairShare::charge(const Member& member, int sign) {
  for_path(member.queue, [&](Index at, Queue& queue) {
    queue.used += member.amount * sign;
    queue.jobs += sign;
    if (sign < 0) release_from(queue.keeps_out);
    rekey(at);
  });
  if (!member.firm) return;
  keep(member.queue, member.amount.gpu_milli * sign);
  if (sign < 0) release_from(part(queues_[member.queue].partition).keeps_out);
}

void FairShare::count_placed(const Member& member, JobId id, int sign) {
  for_path(member.queue, [&](Index at, Queue& queue) {
    if (queue.past.advance(queue.spec, queue.placed, now_)) rekey(at);
    queue.placed += member.amount * sign;
  });
  count_stoppable(member, id, sign);
}

void FairShare::count_stoppable(const Member& member, JobId id, int sign) {
  if (!member.stoppable || member.leaving) return;
  for_path(member.queue, [&](Index, Queue& queue) { queue.stoppable += sign; });
  auto& stoppables = queues_[member.queue].stoppables;
  if (sign > 0) {
    stoppables.emplace(member.started_at, id);
  } else {
    stoppables.erase({member.started_at, id});
  }
}

void FairShare::placed(const Job& job, bool stoppable) {
  Member* member = find(job.id);
  if (member == nullptr) {
    const auto queue = by_name_.find(job.spec->queue);
    if (queue == by_name_.end()) return;
    Member fresh;
    fresh.queue = queue->second;
    fresh.firm = !job.spec->preemptible;
    fresh.amount = resources_of(job.spec->tasks);
    member = &members_.emplace(job.id, fresh).first->second;
    charge(*member, 1);
  } else {
    part(queues_[member->queue].partition).places.erase({member->place, job.id});
    queues_[member->queue].in_line.erase(member->entry.key);
  }
  member->stage = Stage::Placed;
  member->place = 0;
  member->stoppable = stoppable;
  member->started_at = job.attempt_started_at;
  count_placed(*member, job.id, 1);
}

void FairShare::mark(JobId id, bool leaving) {
  Member* member = find(id);
  if (member == nullptr || member->stage != Stage::Placed || member->leaving == leaving) return;
  count_stoppable(*member, id, -1);
  member->leaving = leaving;
  count_stoppable(*member, id, 1);
  for_path(member->queue, [&](Index at, Queue& queue) {
    queue.leaving += member->amount * (leaving ? 1 : -1);
    rekey(at);
  });
}

void FairShare::stopping(JobId id) {
  mark(id, true);
  if (const Member* member = find(id)) note_less_held(member->queue);
}

/// The queue's share is less: if anybody of those beside it waits, its jobs may be first now.
void FairShare::note_less_held(Index leaf) {
  Index top = leaf;
  while (queues_[top].parent) top = *queues_[top].parent;
  const Queue& queue = queues_[top];
  if (queue.gated_count > 0 || queue.used != queue.placed) part(queue.partition).disorder = true;
}

void FairShare::forget(JobId id) {
  Member* member = find(id);
  if (member == nullptr) return;
  mark(id, false);
  switch (member->stage) {
    case Stage::TooLarge:
    case Stage::Gated:
      leave_gate(*member);
      break;
    case Stage::Admitted:
      queues_[member->queue].in_line.erase(member->entry.key);
      part(queues_[member->queue].partition).places.erase({member->place, id});
      charge(*member, -1);
      break;
    case Stage::Placed:
      count_placed(*member, id, -1);
      charge(*member, -1);
      note_less_held(member->queue);
      break;
  }
  members_.erase(id);
}

// --- for questions

FairShare::View FairShare::view(const std::string& name) const {
  const auto found = by_name_.find(name);
  if (found == by_name_.end()) return {};
  const Queue& queue = queues_[found->second];
  PastUse past = queue.past;
  past.advance(queue.spec, queue.placed, now_);
  const double share = dominant(queue.placed, part(queue.partition).capacity) /
                       static_cast<double>(queue.spec.weight);
  return {queue.used, queue.placed, past.past(), past.gpu_milli_s(), share, queue.gated_count};
}

std::vector<QueueUsage> FairShare::usages() const {
  std::vector<QueueUsage> all;
  for (const Queue& queue : queues_) {
    if (!part(queue.partition).governed) continue;
    all.push_back(queue.past.state());
    all.back().queue = queue.spec.name;
  }
  return all;
}

void FairShare::restore(const QueueUsage& usage) {
  const auto found = by_name_.find(usage.queue);
  if (found == by_name_.end()) return;
  QueueUsage unnamed = usage;
  unnamed.queue.clear();
  queues_[found->second].past.restore(unnamed);
  for_path(found->second, [&](Index at, Queue&) { rekey(at); });
}

std::vector<Admission> FairShare::admissions() const {
  std::vector<Admission> all;
  for (const Part& each : parts_) {
    for (const auto& [place, job] : each.places) all.push_back({job, place});
  }
  std::sort(all.begin(), all.end(),
            [](const Admission& a, const Admission& b) { return a.place < b.place; });
  return all;
}

}  // namespace gyre::reason
