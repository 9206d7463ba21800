#include "server/api/watch.h"

namespace gyre::server {
namespace {

/// Hands what a journal's end tells to the logs of it. The counts over time stay: they are of this
/// life.
class Memory final : public live::Recollection {
 public:
  explicit Memory(Watch& watch) : watch_(watch) {}

  void begin(const control::Controller& core) override {
    watch_.feed.begin_anew(core.last_event());
    watch_.decisions.begin_anew(core);
    watch_.services.begin_anew(core);
    watch_.policies = PolicyLog(core);
  }
  void after(const Event& event, const control::Decisions& made,
             const control::Controller& core) override {
    watch_.feed.after(event, made, core);
    watch_.decisions.after(event, made, core);
    watch_.services.after(event, made, core);
    watch_.policies.after(event, made, core);
    watch_.feed.committed(event.seq);
  }

 private:
  Watch& watch_;
};

}  // namespace

Result<void> Watch::remember(const control::Controller& core, Time now,
                             const std::function<Result<void>(live::Recollection&)>& recall) {
  Memory memory(*this);
  auto done = recall(memory);
  if (done) {
    services.take_up(core);
  } else {
    begin_anew(core, now);
  }
  return done;
}

}  // namespace gyre::server
