#include "live/playback.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <variant>

#include "base/assert.h"

namespace gyre::live {
namespace {

constexpr Duration kLagMax = milliseconds(200);  // of the wall; a head further ahead is set back
constexpr Duration kWaitMax = seconds(3600);

Duration scaled(Duration span, double by) {
  const double ns = std::clamp(static_cast<double>(span.ns) * by, -9e18, 9e18);
  return {static_cast<std::int64_t>(std::llround(ns))};
}

Error refusal() {
  return {ErrorKind::Conflict,
          "this is a simulation: what happens in it is in its trace, and nobody can change it"};
}

void refuse(Inbox::Request request) {
  if (auto* submission = std::get_if<Inbox::Submission>(&request)) {
    if (submission->done) submission->done(tl::unexpected(refusal()));
  } else if (auto* posting = std::get_if<Inbox::Posting>(&request)) {
    if (posting->done) posting->done(tl::unexpected(refusal()));
  }
}

}  // namespace

PlayHead::PlayHead(std::function<Duration()> wall, double speed)
    : wall_(std::move(wall)), speed_(speed), anchored_at_(wall_()) {}

Time PlayHead::now() const {
  if (target_) return reached_;
  if (paused_ || over_) return anchor_;
  const Duration passed = scaled(wall_() - anchored_at_, speed_);
  return saturating_add(anchor_, std::max(Duration{}, passed));
}

void PlayHead::anchor(Time at) {
  anchor_ = at;
  anchored_at_ = wall_();
}

void PlayHead::set_speed(double speed) {
  GYRE_ASSERT(speed >= kSpeedMin && speed <= kSpeedMax);
  anchor(now());
  speed_ = speed;
}

void PlayHead::set_paused(bool paused) {
  anchor(now());
  paused_ = paused;
}

void PlayHead::seek(Time at) {
  GYRE_ASSERT(at >= Time{});
  back_ = back_ || at < now() || at < reached_;
  target_ = at;
}

std::optional<Duration> PlayHead::until(Time at) {
  if (target_ && at <= *target_) {
    reached_ = at;
    return Duration{};
  }
  if (target_) {
    anchor(*target_);
    target_.reset();
  }
  if (paused_) return std::nullopt;
  const Time head = now();
  if (head < at) return std::min(kWaitMax, scaled(at - head, 1 / speed_) + nanoseconds(1));
  if (head - at > scaled(kLagMax, speed_)) anchor(at);
  reached_ = at;
  return Duration{};
}

void PlayHead::finish() {
  anchor(reached_);
  target_.reset();
  over_ = true;
}

void PlayHead::begin_anew() {
  back_ = false;
  over_ = false;
  reached_ = {};
  anchor({});
}

void Playback::serve_inbox() {
  while (auto request = inbox_.take()) refuse(std::move(*request));
  for (const Query& query : inbox_.take_queries()) query(core_);
}

std::optional<Event> Playback::next(std::optional<Time> deadline) {
  serve_inbox();
  if (ends()) return std::nullopt;
  std::optional<Event> event = inner_.next(deadline);
  if (!event) head_.finish();
  while (!ends()) {
    if (event) {
      const auto wait = head_.until(event->at);
      if (wait == Duration{}) return event;
      inbox_.wait(wait);
    } else {
      inbox_.wait(std::nullopt);
    }
    serve_inbox();
  }
  return std::nullopt;
}

}  // namespace gyre::live
