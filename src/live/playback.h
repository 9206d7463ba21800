#pragma once

#include <functional>
#include <optional>

#include "base/time.h"
#include "control/world.h"
#include "live/inbox.h"

namespace gyre::live {

/// How fast a world that is not the real one goes by, and where it is. Used by the driver's thread
/// alone: people turn it through queries of the inbox.
class PlayHead {
 public:
  static constexpr double kSpeedMin = 0.01;
  static constexpr double kSpeedMax = 1e6;

  /// `wall` is a clock that nobody sets. Begins at the world's origin.
  PlayHead(std::function<Duration()> wall, double speed);

  /// The world's time that is shown. Behind a world that is too slow for the speed it waits.
  Time now() const;
  double speed() const { return speed_; }  // world seconds per second
  bool paused() const { return paused_; }
  bool seeking() const { return target_.has_value(); }
  bool over() const { return over_; }  // nothing can happen any more

  /// Requires: kSpeedMin <= speed <= kSpeedMax.
  void set_speed(double speed);
  void set_paused(bool paused);

  /// Goes to `at` as fast as can be; back, by starting anew. Requires: at >= origin.
  void seek(Time at);

  // For the world that is played.

  /// How long to wait until `at` is due: zero if it is; nullopt while it stands.
  std::optional<Duration> until(Time at);
  /// The world ended after its last event.
  void finish();
  /// The world begins anew, and is over no more.
  void begin_anew();
  bool wants_to_begin_anew() const { return back_; }

 private:
  void anchor(Time at);

  std::function<Duration()> wall_;
  double speed_;
  bool paused_ = false;
  bool over_ = false;
  bool back_ = false;
  std::optional<Time> target_;
  Time reached_;          // the latest event's time
  Time anchor_;           // the head was here
  Duration anchored_at_;  // when the wall clock was there
};

/// Plays a world that takes no time of its own (a simulated one) at the pace of a PlayHead, and
/// answers the inbox's queries meanwhile. Requests to change it are refused. Ends when the inbox is
/// shut down, or to begin anew.
class Playback final : public control::World {
 public:
  /// All outlive it. `core` is the controller that is driven with it.
  Playback(control::World& inner, Inbox& inbox, PlayHead& head, const control::Controller& core)
      : inner_(inner), inbox_(inbox), head_(head), core_(core) {}

  std::optional<Event> next(std::optional<Time> deadline) override;
  bool has_pending() const override { return inner_.has_pending(); }
  void committed(EventSeq seq) override { inner_.committed(seq); }
  void submit(const Command& command) override { inner_.submit(command); }

 private:
  void serve_inbox();
  bool ends() const { return inbox_.is_over() || head_.wants_to_begin_anew(); }

  control::World& inner_;
  Inbox& inbox_;
  PlayHead& head_;
  const control::Controller& core_;
};

}  // namespace gyre::live
