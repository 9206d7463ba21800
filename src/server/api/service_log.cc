#include "server/api/service_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace gyre::server {

std::string_view to_string(ServiceChange change) {
  static constexpr std::string_view kNames[] = {
      "applied",           "rolled_out",      "undone",         "scaled",
      "replica_created",   "replica_started", "replica_ready",  "replica_not_ready",
      "replica_unhealthy", "replica_retired", "replica_frozen", "replica_thawed",
      "replica_gone",      "deleted"};
  return kNames[static_cast<std::size_t>(change)];
}

/// Tells what one event has made of the services.
class ServiceLog::Story {
 public:
  Story(ServiceLog& log, const Event& event) : log_(log), event_(event) {}

  void tell(const std::string& name, const Seen& before, const Seen& now, bool fresh) {
    name_ = &name;
    const auto* applied = std::get_if<ServiceApplied>(&event_.body);
    if (applied != nullptr && applied->spec.replica.name == name) {
      const bool revised = fresh || now.revision != before.revision;
      say(ServiceChange::Applied, now.revision, {},
          revised ? "" : "the same revision: numbers, probes or limits");
    }
    const bool undone = !now.notice.empty() && now.notice != before.notice;
    if (undone) say(ServiceChange::Undone, now.revision, {}, now.notice);
    if (before.rolling && !now.rolling && !undone && !now.deleted) {
      say(ServiceChange::RolledOut, now.revision, {}, "");
    }
    if (!fresh && before.wanted != now.wanted && !now.deleted) {
      say(ServiceChange::Scaled, now.revision, {},
          fmt::format("from {} to {} replicas", before.wanted, now.wanted));
    }
    if (now.deleted && !before.deleted) say(ServiceChange::Deleted, now.revision, {}, "");
    tell_replicas(by_job(before.replicas), by_job(now.replicas));
  }

 private:
  using ByJob = std::map<JobId, const Replica*>;
  static ByJob by_job(const std::vector<Replica>& replicas) {
    ByJob all;
    for (const Replica& replica : replicas) all.emplace(replica.job, &replica);
    return all;
  }

  void tell_replicas(const ByJob& before, const ByJob& now) {
    for (const auto& [job, was] : before) {
      if (!now.contains(job)) say(ServiceChange::Gone, was->revision, job, was->fault);
    }
    for (const auto& [job, is] : now) {
      const auto known = before.find(job);
      if (known == before.end()) say(ServiceChange::Created, is->revision, job, "");
      tell(known == before.end() ? Replica{} : *known->second, *is);
    }
  }

  void tell(const Replica& was, const Replica& is) {
    const auto* probed = std::get_if<ReplicaProbed>(&event_.body);
    const bool about = probed != nullptr && probed->job == is.job;
    const bool dead = about && probed->health == ReplicaHealth::Dead && was.running && !is.running;
    if (dead) say(ServiceChange::Unhealthy, is.revision, is.job, probed->detail);
    const bool starts = is.running && (!was.running || was.attempt != is.attempt);
    if (starts) {
      say(ServiceChange::Started, is.revision, is.job,
          is.attempt > 1 ? fmt::format("attempt {}", is.attempt) : "");
    }
    if (is.ready && !was.ready) say(ServiceChange::Ready, is.revision, is.job, "");
    const bool told = !is.ready && is.running && is.fault != was.fault && !is.fault.empty();
    if (!dead && ((was.ready && !is.ready) || told)) {
      say(ServiceChange::NotReady, is.revision, is.job,
          is.running ? is.fault : "its job does not run");
    }
    if (is.phase != was.phase && is.phase == Replica::Phase::Frozen) {
      say(ServiceChange::Frozen, is.revision, is.job, "");
    }
    const bool thawed = was.phase == Replica::Phase::Frozen && is.phase == Replica::Phase::Serving;
    if (thawed) say(ServiceChange::Thawed, is.revision, is.job, "");
    const bool retired = was.phase == Replica::Phase::Serving && is.phase != was.phase;
    if (retired) say(ServiceChange::Retired, is.revision, is.job, "");
  }

  void say(ServiceChange change, std::int32_t revision, JobId replica, std::string detail) {
    log_.events_.push_back(
        {{event_.seq, index_++}, event_.at, *name_, change, revision, replica, std::move(detail)});
    if (log_.events_.size() <= log_.events_max_) return;
    log_.floor_ = log_.events_.front().position;
    log_.events_.pop_front();
  }

  ServiceLog& log_;
  const Event& event_;
  const std::string* name_ = nullptr;
  std::uint32_t index_ = 0;
};

ServiceLog::ServiceLog(std::size_t events_max, const control::Controller& core)
    : events_max_(events_max) {
  begin_anew(core);
}

void ServiceLog::begin_anew(const control::Controller& core) {
  events_.clear();
  floor_ = {core.last_event(), std::numeric_limits<std::uint32_t>::max()};
  take_up(core);
}

void ServiceLog::take_up(const control::Controller& core) {
  version_ = core.services().version();
  seen_.clear();
  for (const auto& [name, service] : core.services().all()) seen_.emplace(name, look(service));
}

ServiceLog::Seen ServiceLog::look(const Service& service) {
  return {service.revision, service.scale.wanted, service.previous.has_value(),
          service.deleted,  service.notice,       service.replicas};
}

/// As looked at before; without copying what many of them are.
bool ServiceLog::is_as(const Seen& seen, const Service& service) {
  return seen.revision == service.revision && seen.wanted == service.scale.wanted &&
         seen.rolling == service.previous.has_value() && seen.deleted == service.deleted &&
         seen.notice == service.notice && seen.replicas == service.replicas;
}

void ServiceLog::after(const Event& event, const control::Decisions&,
                       const control::Controller& core) {
  if (core.services().version() == version_) return;
  version_ = core.services().version();
  Story story(*this, event);
  const auto* applied = std::get_if<ServiceApplied>(&event.body);
  for (const auto& [name, service] : core.services().all()) {
    const auto [known, fresh] = seen_.try_emplace(name);
    const bool asked = applied != nullptr && applied->spec.replica.name == name;
    if (!fresh && !asked && is_as(known->second, service)) continue;
    Seen now = look(service);
    story.tell(name, known->second, now, fresh);
    known->second = std::move(now);
  }
  std::erase_if(seen_, [&](auto& known) {
    if (core.services().find(known.first) != nullptr) return false;
    Seen gone = known.second;
    gone.deleted = true;
    gone.replicas.clear();
    story.tell(known.first, known.second, gone, false);
    return true;
  });
}

ServiceLog::Page ServiceLog::read(const std::string& service, std::optional<FeedPosition> after,
                                  std::size_t count_max) const {
  Page page;
  const FeedPosition newest = events_.empty() ? floor_ : events_.back().position;
  page.missed = after && (*after < floor_ || *after > newest);
  page.last = after && !page.missed ? *after : floor_;
  auto next = std::upper_bound(
      events_.begin(), events_.end(), page.last,
      [](FeedPosition position, const ServiceEvent& event) { return position < event.position; });
  if (!after) {
    std::size_t found = 0;
    for (next = events_.end(); next != events_.begin() && found < count_max;) {
      found += (--next)->service == service ? 1U : 0U;
    }
  }
  for (; next != events_.end() && page.events.size() < count_max; ++next) {
    page.last = next->position;
    if (next->service == service) page.events.push_back(*next);
  }
  next = std::find_if(next, events_.end(),
                      [&](const ServiceEvent& event) { return event.service == service; });
  page.more = next != events_.end();
  return page;
}

}  // namespace gyre::server
