#include "apps/local_agent.h"

#include <utility>

#include "apps/machine.h"

namespace gyre::apps {
namespace {

class LocalLink final : public agent::Link, public act::OrderSink {
 public:
  LocalLink(live::Fleet& fleet, const act::Hello& hello, agent::LinkListener& listener)
      : listener_(listener) {
    auto opened = fleet.open(hello, *this, false);
    if (opened) {
      session_ = std::move(*opened);
    } else {
      listener_.broke(opened.error());
    }
  }

  void give(const act::Order& order) override { listener_.received(order); }
  void end(const Error& why) override { listener_.broke(why); }
  void say(act::Report report) override {
    if (session_) session_->report(std::move(report));
  }

 private:
  agent::LinkListener& listener_;
  std::unique_ptr<live::Fleet::Session> session_;
};

agent::RunnerOptions runner_options(act::Hello hello) {
  agent::RunnerOptions options;
  options.backoff_min = milliseconds(20);
  options.backoff_max = seconds(1);
  options.hello = [hello = std::move(hello)] { return hello; };
  options.lease = [](Time) {};
  options.notice = [](const std::string& line) {
    if (line != agent::kConnected) say("this machine's agent is " + line);
  };
  return options;
}

}  // namespace

std::unique_ptr<agent::Link> LocalDialer::dial(const act::Hello& hello,
                                               agent::LinkListener& listener) {
  auto link = std::make_unique<LocalLink>(fleet_, hello, listener);
  dialed_ = true;
  dialed_.notify_all();
  return link;
}

LocalAgent::LocalAgent(std::unique_ptr<Tasks> tasks, std::unique_ptr<act::NodeRepairs> repairs,
                       std::unique_ptr<GpuWatch> watch, const act::TaskLogs& logs,
                       const act::TaskArtifacts& artifacts, const act::TaskUsages& usages,
                       live::Fleet& fleet, act::Hello hello)
    : agent_(tasks->executor(), logs, &tasks->execs(), &artifacts, nullptr, repairs.get(),
             &tasks->images(), &usages),
      watch_(std::move(watch)),
      repairs_(std::move(repairs)),
      tasks_(std::move(tasks)),
      dialer_(fleet),
      runner_(agent_, dialer_, runner_options(std::move(hello))),
      thread_([this] { runner_.run(); }) {
  dialer_.wait_for_first();
}

LocalAgent::~LocalAgent() {
  runner_.stop();
  thread_.join();
  repairs_.reset();
  watch_.reset();
}

}  // namespace gyre::apps
