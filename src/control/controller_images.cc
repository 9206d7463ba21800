// Images: who holds them, and who is to fetch one before it is needed.
#include <algorithm>
#include <utility>

#include "control/controller.h"

namespace gyre::control {
namespace {

/// So many nodes of what is kept for those who wait are looked at after each event.
constexpr std::size_t kLookedAtMax = 1'024;

/// So many more replicas of a service are prepared for.
constexpr std::int32_t kReplicasAhead = 4;

const std::string& image_of(const JobSpec& spec) { return spec.launch.container.image; }

std::int32_t replicas_to_come(const Service& service) {
  const auto there =
      std::count_if(service.replicas.begin(), service.replicas.end(),
                    [](const Replica& one) { return one.phase == Replica::Phase::Serving; });
  const auto more = service.spec.replicas.max - static_cast<std::int32_t>(there);
  return service.deleted ? 0 : std::clamp(more, 0, kReplicasAhead);
}

}  // namespace

void Controller::on(const NodeImagesSeen& event) {
  if (event.node.value >= cluster_.nodes().size() || !cluster_.node(event.node).up) return;
  for (const HeldImage& image : event.removed) images_.remove(event.node, image);
  for (const HeldImage& image : event.added) {
    if (is_sane(image)) images_.add(event.node, image);
  }
  prefetcher_.seen(event.node, images_);
  replicas_changed_ = true;
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

/// Nodes where a job that waits has its room, and where a service's next replicas would go.
void Controller::prefetch_images() {
  const bool replicas_changed = std::exchange(replicas_changed_, false);
  if (containers_ == 0) return;
  std::size_t looked_at = 0;
  scheduler_.for_each_reservation([&](const Reservation& kept) {
    if (looked_at >= kLookedAtMax) return;
    const Job* job = jobs_.find(kept.job);
    if (job == nullptr || image_of(job->spec).empty()) return;
    const ImageId image = image_id(image_of(job->spec));
    for (const TaskPlacement& task : kept.placement) {
      if (looked_at++ == kLookedAtMax) return;
      prefetch(task.node, job->id, image);
    }
  });
  if (!replicas_changed) return;
  for (const auto& [name, service] : services_.all()) prefetch_for(service);
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
  for (const NodeId node : scheduler_.room_for(spec, more, *partition, scene())) {
    prefetch(node, latest->job, image);
  }
}

}  // namespace gyre::control
