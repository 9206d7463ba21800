// Images: who holds them, and who is to fetch one before it is needed.
#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "control/controller.h"

namespace gyre::control {
namespace {

/// So many nodes of what is kept for those who wait are looked at.
constexpr std::int64_t kLookedAtMax = 1'024;

/// So many more replicas of a service are prepared for.
constexpr std::int32_t kReplicasAhead = 4;

const std::string& image_of(const JobSpec& spec) { return spec.launch.container.image; }

std::int32_t replicas_to_come(const Service& service) {
  const auto there =
      std::count_if(service.replicas.begin(), service.replicas.end(), [](const Replica& one) {
        return one.phase == Replica::Phase::Serving || one.phase == Replica::Phase::Frozen;
      });
  const auto more = service.spec.replicas.max - static_cast<std::int32_t>(there);
  return service.deleted ? 0 : std::clamp(more, 0, kReplicasAhead);
}

}  // namespace

void Controller::on(const NodeImagesSeen& event) {
  if (event.node.value >= cluster_.nodes().size() || !cluster_.node(event.node).up) return;
  std::set<ImageId> changed;
  const auto note = [&changed](const HeldImage& image) {
    for (const ImageId id : ids_of(image)) changed.insert(id);
  };
  for (const HeldImage& image : event.removed) {
    images_.remove(event.node, image);
    note(image);
  }
  for (const HeldImage& image : event.added) {
    if (!is_sane(image)) continue;
    images_.add(event.node, image);
    note(image);
  }
  const bool may_ask = prefetcher_.seen(event.node, images_);
  reservations_looked_at_ = 0;
  look_at_services([&](const Service& service) {
    return may_ask || changed.contains(image_id(image_of(service.spec.replica)));
  });
}

/// Those have images fetched for their next replicas, in this step or the next ones.
void Controller::look_at_services(const std::function<bool(const Service&)>& which) {
  for (const auto& [name, service] : services_.all()) {
    if (!image_of(service.spec.replica).empty() && which(service)) services_due_.insert(name);
  }
}

/// What is of nodes that are not known is passed over.
void Controller::restore_images(const ControllerState& state) {
  for (const ImageHolding& holding : state.images) {
    for (const NodeId node : holding.nodes) {
      if (node.value < cluster_.nodes().size()) images_.add(node, holding.image);
    }
  }
  prefetcher_.restore(state.image_fetches);
}

/// Of the tasks of a job that starts: those whose nodes are known to hold its image.
std::int32_t Controller::with_image(const Job& job) const {
  const ImageId image = jobs_.image(job.id);
  if (images_.empty() || image.value == 0) return 0;
  return static_cast<std::int32_t>(
      std::count_if(job.placement.begin(), job.placement.end(),
                    [&](const TaskPlacement& task) { return images_.holds(task.node, image); }));
}

void Controller::count_container(const Job& job, int by) {
  if (!image_of(job.spec).empty()) containers_ += static_cast<std::size_t>(by);
}

void Controller::prefetch(NodeId node, JobId job, ImageId image) {
  if (!cluster_.node(node).up || !prefetcher_.ask(node, image, images_, now_)) return;
  emit(PrefetchImage{node, job});
}

void Controller::prefetch_images() {
  if (containers_ == 0) {
    services_due_.clear();
    return;
  }
  if (prefetcher_.forget_old(now_)) reservations_looked_at_ = 0;
  if (reservations_looked_at_ != scheduler_.reservations_version()) prefetch_for_waiting();
  prefetch_for_services();
}

/// Nodes where a job that waits has its room. A second look at the same finds nothing new.
void Controller::prefetch_for_waiting() {
  reservations_looked_at_ = scheduler_.reservations_version();
  std::int64_t looked_at = 0;
  scheduler_.for_each_reservation([&](const Reservation& kept) {
    const ImageId image = jobs_.image(kept.job);
    if (image.value == 0) return;
    for (const TaskPlacement& task : kept.placement) {
      if (looked_at == kLookedAtMax) return;
      ++looked_at;
      prefetch(task.node, kept.job, image);
    }
  });
  last_work_ += looked_at;
}

/// Nodes where a service's next replicas would go. What the cycle's work does not suffice for is
/// left to the next steps, one of them at least to each, and all come to their turn; see
/// has_leftover().
void Controller::prefetch_for_services() {
  bool any = false;
  while (!services_due_.empty() && !scheduler_.has_leftover()) {
    if (std::exchange(any, true) && last_work_ >= config_.cycle_work_max) return;
    auto next = services_due_.upper_bound(service_looked_at_);
    if (next == services_due_.end()) next = services_due_.begin();
    service_looked_at_ = *next;
    services_due_.erase(next);
    if (const Service* service = services_.find(service_looked_at_)) prefetch_for(*service);
  }
  if (services_due_.empty()) service_looked_at_.clear();  // as of a core that is restored now
}

/// A service that has no replica has nobody to fetch for.
void Controller::prefetch_for(const Service& service) {
  const JobSpec& spec = service.spec.replica;
  const std::int32_t more = replicas_to_come(service);
  const auto partition = partition_of(spec);
  if (image_of(spec).empty() || more == 0 || service.replicas.empty() || !partition) return;
  const ImageId image = image_id(image_of(spec));
  const auto latest =
      std::find_if(service.replicas.rbegin(), service.replicas.rend(),
                   [&](const Replica& one) { return one.revision == service.revision; });
  if (latest == service.replicas.rend()) return;
  for (const NodeId node : scheduler_.room_for(spec, more, *partition, scene(), last_work_)) {
    prefetch(node, latest->job, image);
  }
}

}  // namespace gyre::control
