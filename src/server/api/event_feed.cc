#include "server/api/event_feed.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "base/units.h"
#include "server/api/parse_whole.h"

namespace gyre::server {
std::string to_string(FeedPosition position) {
  return fmt::format("{}.{}", position.seq.value, position.index);
}

std::optional<FeedPosition> parse_feed_position(std::string_view text) {
  const std::size_t dot = text.find('.');
  FeedPosition position;
  if (dot == text.npos || !parse_whole(text.substr(0, dot), position.seq.value) ||
      !parse_whole(text.substr(dot + 1), position.index)) {
    return std::nullopt;
  }
  return position;
}

std::string idle_news(const Event& event, const control::Controller& core) {
  const auto* seen = std::get_if<GpuUseSeen>(&event.body);
  const Job* job = seen == nullptr ? nullptr : core.jobs().find(seen->use.job);
  if (job == nullptr || job->state != JobState::Running || job->attempt != seen->use.attempt) {
    return "";
  }
  const IdleWarning* warning = core.idle().warning(job->id);
  if (warning == nullptr) {
    return seen->use.known ? "the warning is withdrawn: " + describe(seen->use)
                           : "the warning is withdrawn: what its GPUs do is not known";
  }
  if (warning->at != event.at) return "";
  return fmt::format("warned: {}, less than {} %; it is stopped at {} if it goes on",
                     describe(warning->use), core.idle().spec().below_percent,
                     format_utc(warning->stops_at));
}

namespace {

/// What is done for a job without its state changing; of job 0: nothing.
std::pair<JobId, std::string> news_of(const Command& command, const control::Controller& core) {
  const auto name = [&](NodeId node) { return core.cluster().node(node).spec.name; };
  if (const auto* ahead = std::get_if<PrefetchImage>(&command.body)) {
    return {ahead->job, fmt::format("its image is fetched ahead on {}", name(ahead->node))};
  }
  if (const auto* anew = std::get_if<ReplaceTask>(&command.body)) {
    return {anew->job,
            fmt::format("task {} is started anew on {}: {} was lost ({})", anew->task.rank,
                        name(anew->task.node), name(anew->lost), anew->cause)};
  }
  return {};
}

/// Behind all that followed from it; 0.0 is before the first event.
FeedPosition end_of(EventSeq seq) {
  if (seq == EventSeq{}) return {};
  return {seq, std::numeric_limits<std::uint32_t>::max()};
}

}  // namespace

EventFeed::EventFeed(std::size_t events_max, EventSeq start)
    : events_max_(events_max), floor_(end_of(start)), durable_(start) {}

void EventFeed::after(const Event& event, const control::Decisions& decisions,
                      const control::Controller& core) {
  std::uint32_t index = 0;
  for (const Transition& transition : decisions.transitions) {
    const Job* job = core.jobs().find(transition.job);
    pending_.push_back(
        {{event.seq, index++}, transition, job ? job->spec->name : std::string(), {}});
  }
  if (std::string news = idle_news(event, core); !news.empty()) {
    const Job& job = *core.jobs().find(std::get<GpuUseSeen>(event.body).use.job);
    pending_.push_back({{event.seq, index},
                        {event.at, job.id, job.attempt, job.state, job.state, Termination::Idle},
                        job.spec->name,
                        std::move(news)});
    ++index;
  }
  for (const Command& command : decisions.commands) {
    auto [id, news] = news_of(command, core);
    const Job* job = core.jobs().find(id);
    if (job == nullptr) continue;
    pending_.push_back({{event.seq, index++},
                        {event.at, job->id, job->attempt, job->state, job->state, {}},
                        job->spec->name,
                        std::move(news)});
  }
}

void EventFeed::committed(EventSeq seq) {
  const std::lock_guard lock(mutex_);
  durable_ = seq;
  if (pending_.empty()) return;
  for (JobEvent& event : pending_) events_.push_back(std::move(event));
  pending_.clear();
  while (events_.size() > events_max_) {
    floor_ = events_.front().position;
    events_.pop_front();
  }
  for (const auto& [number, wake] : wakes_) wake();
}

void EventFeed::begin_anew(EventSeq start) {
  pending_.clear();
  const std::lock_guard lock(mutex_);
  events_.clear();
  floor_ = end_of(start);
  durable_ = start;
  for (const auto& [number, wake] : wakes_) wake();
}

EventFeed::Page EventFeed::read(std::optional<FeedPosition> after, std::optional<JobId> job,
                                std::size_t count_max) const {
  const std::lock_guard lock(mutex_);
  Page page;
  // A position beyond what is durable is of another store: start over.
  page.missed = after && (*after < floor_ || *after > end_of(durable_));
  page.last = after && !page.missed ? *after : floor_;
  auto next = std::upper_bound(
      events_.begin(), events_.end(), page.last,
      [](FeedPosition position, const JobEvent& event) { return position < event.position; });
  for (; next != events_.end() && page.events.size() < count_max; ++next) {
    page.last = next->position;
    if (!job || next->transition.job == *job) page.events.push_back(*next);
  }
  page.more = next != events_.end();
  return page;
}

FeedPosition EventFeed::last() const {
  const std::lock_guard lock(mutex_);
  return events_.empty() ? floor_ : events_.back().position;
}

EventFeed::Subscription::Subscription(EventFeed& feed, std::function<void()> wake) : feed_(feed) {
  const std::lock_guard lock(feed_.mutex_);
  number_ = feed_.next_number_++;
  feed_.wakes_.emplace(number_, std::move(wake));
}

EventFeed::Subscription::~Subscription() {
  const std::lock_guard lock(feed_.mutex_);
  feed_.wakes_.erase(number_);
}

}  // namespace gyre::server
