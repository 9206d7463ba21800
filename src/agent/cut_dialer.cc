#include "agent/cut_dialer.h"

#include <atomic>
#include <utility>

#include "agent/slow_lane.h"

namespace gyre::agent {

using Way = ChaosFault::Way;

namespace {

constexpr Duration kFoundBrokenMin = seconds(1);
constexpr Duration kFoundBrokenMax = seconds(15);

Duration draw(const SpanRange& range, Rng& rng) {
  const auto span = static_cast<std::uint64_t>(range.max.ns - range.min.ns);
  return range.min + Duration{static_cast<std::int64_t>(rng.below(span + 1))};
}

bool chance(const CountRange& percent, Rng& rng) {
  return static_cast<std::int64_t>(rng.below(100)) < percent.min;
}

}  // namespace

class CutDialer::Line final : public Link, public LinkListener {
 public:
  Line(CutDialer& owner, const act::Hello& hello, LinkListener& listener)
      : owner_(owner), listener_(listener) {
    {
      const std::lock_guard guard(owner_.mutex_);
      owner_.line_ = this;
    }
    if (owner_.loses(Way::ToServer)) {
      broke({ErrorKind::Unavailable, "cut off on purpose"});
    } else {
      link_ = owner_.dialer_.dial(hello, *this);
    }
  }
  ~Line() override {
    {
      const std::lock_guard guard(owner_.mutex_);
      owner_.line_ = nullptr;
    }
    to_server_.end();
    link_.reset();
  }

  void say(act::Report report) override {
    if (link_ == nullptr || owner_.loses(Way::ToServer)) return;
    if (const auto delay = passes(said_lost_)) {
      to_server_.pass(
          *delay, [this, report = std::move(report)]() mutable { link_->say(std::move(report)); });
    }
  }
  std::size_t waiting() const override {
    return link_ == nullptr ? 0 : link_->waiting() + to_server_.waiting();
  }
  void received(act::Order order) override {
    if (owner_.loses(Way::ToNode)) return;
    if (const auto delay = passes(heard_lost_)) {
      to_node_.pass(*delay, [this, order = std::move(order)]() mutable {
        listener_.received(std::move(order));
      });
    }
  }
  void broke(const Error& why) override {
    if (!broken_.exchange(true)) listener_.broke(why);
  }

 private:
  /// How late a word is; none: it is lost, as all that follow it that way.
  std::optional<Duration> passes(std::atomic<bool>& lost) {
    if (lost) return std::nullopt;
    const Fate fate = owner_.fate();
    if (!fate.lost) return fate.delay;
    lost = true;
    end_.pass(fate.found_after, [this] {
      broke({ErrorKind::Unavailable, "a word was lost on purpose, and all that followed it"});
    });
    return std::nullopt;
  }

  CutDialer& owner_;
  LinkListener& listener_;
  std::atomic<bool> broken_ = false;
  std::atomic<bool> said_lost_ = false;
  std::atomic<bool> heard_lost_ = false;
  std::unique_ptr<Link> link_;  // null: it was dialed during a cut
  SlowLane to_server_;
  SlowLane to_node_;
  SlowLane end_;
};

std::unique_ptr<Link> CutDialer::dial(const act::Hello& hello, LinkListener& listener) {
  return std::make_unique<Line>(*this, hello, listener);
}

bool CutDialer::loses(Way direction) const {
  const std::lock_guard guard(mutex_);
  return cut_ && (*cut_ == Way::Both || *cut_ == direction);
}

CutDialer::Fate CutDialer::fate() {
  const std::lock_guard guard(mutex_);
  if (!slow_) return {};
  Fate fate;
  fate.delay = draw(slow_->delay, chance_);
  const Duration more = draw(slow_->late_by, chance_);
  if (chance(slow_->late_percent, chance_)) fate.delay = fate.delay + more;
  fate.lost = chance(slow_->lost_percent, chance_);
  fate.found_after = draw({kFoundBrokenMin, kFoundBrokenMax}, chance_);
  return fate;
}

void CutDialer::slow_down(const ChaosNetwork& network, std::uint64_t seed) {
  const std::lock_guard guard(mutex_);
  slow_ = network;
  chance_ = Rng(seed);
}

void CutDialer::speed_up() {
  const std::lock_guard guard(mutex_);
  slow_.reset();
}

void CutDialer::cut(Way way) {
  const std::lock_guard guard(mutex_);
  cut_ = way;
}

void CutDialer::join() {
  const std::lock_guard guard(mutex_);
  if (!std::exchange(cut_, std::nullopt) || line_ == nullptr) return;
  line_->broke({ErrorKind::Unavailable, "it was cut off on purpose, and is not any more"});
}

}  // namespace gyre::agent
