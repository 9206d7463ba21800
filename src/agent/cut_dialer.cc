#include "agent/cut_dialer.h"

#include <utility>

namespace gyre::agent {

using Way = ChaosFault::Way;

class CutDialer::Line final : public Link, public LinkListener {
 public:
  Line(CutDialer& owner, const act::Hello& hello, LinkListener& listener)
      : owner_(owner), listener_(listener) {
    {
      const std::lock_guard guard(owner_.mutex_);
      owner_.line_ = this;
    }
    if (owner_.loses(Way::ToServer)) {
      listener_.broke({ErrorKind::Unavailable, "cut off on purpose"});
    } else {
      link_ = owner_.dialer_.dial(hello, *this);
    }
  }
  ~Line() override {
    {
      const std::lock_guard guard(owner_.mutex_);
      owner_.line_ = nullptr;
    }
    link_.reset();
  }

  void say(act::Report report) override {
    if (link_ != nullptr && !owner_.loses(Way::ToServer)) link_->say(std::move(report));
  }
  std::size_t waiting() const override { return link_ == nullptr ? 0 : link_->waiting(); }
  void received(act::Order order) override {
    if (!owner_.loses(Way::ToNode)) listener_.received(std::move(order));
  }
  void broke(const Error& why) override { listener_.broke(why); }

 private:
  CutDialer& owner_;
  LinkListener& listener_;
  std::unique_ptr<Link> link_;  // null: it was dialed during a cut
};

std::unique_ptr<Link> CutDialer::dial(const act::Hello& hello, LinkListener& listener) {
  return std::make_unique<Line>(*this, hello, listener);
}

bool CutDialer::loses(Way direction) const {
  const std::lock_guard guard(mutex_);
  return cut_ && (*cut_ == Way::Both || *cut_ == direction);
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
