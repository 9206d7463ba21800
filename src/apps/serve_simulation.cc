#include "apps/serve_simulation.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <thread>
#include <utility>

#include "apps/ending.h"
#include "apps/lab.h"
#include "cli/print.h"
#include "cli/serve_options.h"
#include "control/driver.h"
#include "live/clock.h"
#include "live/fleet.h"
#include "live/playback.h"
#include "server/api/api.h"
#include "server/http/server.h"
#include "sim/setting.h"

namespace gyre::apps {
namespace {

using cli::give_up;

constexpr int kIoThreads = 2;

void say(const std::string& line) { fmt::print(stderr, "{}\n", cli::terminal_safe(line)); }

/// Tells the world what the core is done with, and the rest to who watches.
class Onlooker final : public control::Observer {
 public:
  Onlooker(sim::World& world, server::Watch& watch) : world_(world), watch_(watch) {}
  void after(const Event& event, const control::Decisions& decisions,
             const control::Controller& core) override {
    for (const Transition& transition : decisions.transitions) {
      if (is_final(transition.to)) world_.job_over(transition.job);
    }
    watch_.after(event, decisions, core);
  }
  void committed(EventSeq seq) override { watch_.committed(seq); }

 private:
  sim::World& world_;
  server::Watch& watch_;
};

/// Members stand in the order in which they need each other.
struct Play {
  Play(const sim::Setting& what, double speed, ServedTrace served)
      : setting(what),
        head([] { return live::system_clock_source()().monotonic; }, speed),
        lab(
            std::move(served), [this] { return head.now(); }, say),
        watch(server::kEventsKept, control::Controller(control::Config{}), Time{}),
        api(inbox, fleet, watch,
            {.clock = [this] { return head.now(); },
             .simulation = server::Simulation{head, what.trace.jobs.back().submit},
             .lab = &lab.lab,
             .ahead = &ahead}) {}

  Result<void> run(const sim::SimulateOptions& options);

  const sim::Setting& setting;
  live::Inbox inbox;
  live::PlayHead head;
  PolicyLab lab;
  live::Fleet fleet{inbox, {}, [] { return Duration{}; }};  // no node: simulated jobs write nothing
  server::Watch watch;
  server::Api api;
  std::unique_ptr<server::http::Server> http;
  server::WorkThread ahead{
      server::kLooksAheadMax};  // ends before the server that it answers through
};

/// From the beginning, again and again, until the inbox is shut down.
Result<void> Play::run(const sim::SimulateOptions& options) {
  while (!inbox.is_over()) {
    head.begin_anew();
    control::Controller core(control::Config{});
    watch.begin_anew(core, Time{});
    sim::World world = setting.world(options.policies.front(), options.execution);
    live::Playback playback(world, inbox, head, core);
    Onlooker onlooker(world, watch);
    control::NullJournal journal;
    if (auto done = control::run(core, playback, journal, onlooker); !done) return done;
  }
  return {};
}

}  // namespace

cli::Outcome<int> serve_simulation(const cli::ServeOptions& options) {
  const auto address = server::http::parse_address(options.listen);
  if (!address) return give_up(cli::kUsage, "--serve: {}", address.error().message);
  std::vector<std::string> notes;
  auto inputs = sim::read_inputs(options.simulation);
  if (!inputs) return give_up(cli::kError, "{}", inputs.error().message);
  ServedTrace own{*inputs, options.simulation};
  const auto setting = sim::make_setting(std::move(*inputs), options.simulation, notes);
  if (!setting) return give_up(cli::kError, "{}", setting.error().message);
  for (const std::string& note : notes) say("note: " + note);
  const Ending ending;
  raise_descriptor_limit();
  Play play(*setting, options.speed, std::move(own));
  auto served = server::http::Server::start(
      *address, {}, kIoThreads, [&play](server::http::Request request, server::http::Reply reply) {
        play.api.handle(std::move(request), std::move(reply));
      });
  if (!served) return give_up(cli::kError, "{}", served.error().message);
  play.http = std::move(*served);
  say(fmt::format("a simulation of {} jobs under '{}', {:g} times as fast as life, on http://{}",
                  setting->trace.jobs.size(), options.simulation.policies.front().name,
                  options.speed, play.http->authority()));
  say("the page pauses it, changes its speed and goes back; Ctrl-C ends it");
  Result<void> result;
  std::thread driver([&] {
    result = play.run(options.simulation);
    ending.driver_ended();
  });
  ending.wait();
  play.inbox.shutdown();
  driver.join();
  play.http->stop();
  if (!result) return give_up(cli::kError, "{}", result.error().message);
  return cli::kOk;
}

}  // namespace gyre::apps
