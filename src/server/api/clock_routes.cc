#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/units.h"
#include "server/api/api.h"

namespace gyre::server {
namespace {

constexpr double kSecondsMax = 3e9;  // a seek's; within what a Time can hold

struct ClockView {
  Time now;
  bool simulated = false;
  double speed = 1;
  bool paused = false;
  bool seeking = false;
  bool over = false;
  Time last_arrival_at = {};
};

ClockView view_clock(const ApiOptions& options) {
  if (!options.simulation) return {.now = options.clock()};
  const live::PlayHead& head = options.simulation->head;
  return {head.now(),
          true,
          head.speed(),
          head.paused(),
          head.seeking(),
          head.over(),
          options.simulation->last_arrival_at};
}

http::Response clock_response(const ClockView& view, int status) {
  JsonText out;
  out.open('{').member("now", format_utc(view.now)).key("simulation");
  if (view.simulated) {
    out.open('{').key("speed").thousandths(std::llround(view.speed * 1000));
    out.member("paused", view.paused).member("seeking", view.seeking).member("over", view.over);
    out.member("last_arrival_at", format_utc(view.last_arrival_at)).close('}');
  } else {
    out.null();
  }
  out.close('}');
  http::Response response = json_response(std::move(out));
  response.status = status;
  response.headers.emplace_back("Cache-Control", "no-store");
  return response;
}

http::Problem bad_turn(std::string pointer, std::string detail) {
  return {422,
          "invalid-turn",
          "The simulation cannot be turned so",
          detail,
          {{std::move(pointer), detail, ""}},
          {}};
}

/// What a body asks of a play head; each part may be absent.
struct Turn {
  std::optional<double> speed;
  std::optional<bool> paused;
  std::optional<double> seek_s;
};

std::variant<Turn, http::Problem> read_turn(const std::string& body) {
  const auto json = nlohmann::json::parse(body, nullptr, false);
  if (!json.is_object() || json.empty()) {
    return bad_turn("", R"(the body must be an object with "speed", "paused" or "seek_s")");
  }
  Turn turn;
  for (const auto& [name, value] : json.items()) {
    if (name == "paused" && value.is_boolean()) {
      turn.paused = value.get<bool>();
    } else if (name == "speed" && value.is_number() &&
               value.get<double>() >= live::PlayHead::kSpeedMin &&
               value.get<double>() <= live::PlayHead::kSpeedMax) {
      turn.speed = value.get<double>();
    } else if (name == "seek_s" && value.is_number() && value.get<double>() >= 0 &&
               value.get<double>() <= kSecondsMax) {
      turn.seek_s = value.get<double>();
    } else {
      return bad_turn("/" + name,
                      R"("speed" is 0.01 to 1000000, "paused" true or false, "seek_s" seconds )"
                      "since the simulation's beginning");
    }
  }
  return turn;
}

}  // namespace

void Api::add_clock_routes() {
  router_.add("GET", "/v1/clock", {}, [this](const Call& call) { show_clock(call); });
  router_.add("POST", "/v1/simulation", {}, [this](const Call& call) { turn_simulation(call); });
}

void Api::show_clock(const Call& call) const {
  ask<ClockView>(
      call, [this](const auto&) { return view_clock(options_); },
      [](const ClockView& view) { return clock_response(view, 200); });
}

void Api::turn_simulation(const Call& call) const {
  if (!options_.simulation) {
    return call.fail({409,
                      "no-simulation",
                      "This is no simulation",
                      "time goes by itself here; 'gyre simulate --serve' shows one that can be "
                      "paused and turned back",
                      {},
                      {}});
  }
  auto read = read_turn(call.request.body);
  if (auto* problem = std::get_if<http::Problem>(&read)) return call.fail(*problem);
  ask<ClockView>(
      call,
      [this, turn = std::get<Turn>(read)](const auto&) {
        live::PlayHead& head = options_.simulation->head;
        if (turn.speed) head.set_speed(*turn.speed);
        if (turn.paused) head.set_paused(*turn.paused);
        if (turn.seek_s) head.seek(Time{std::llround(*turn.seek_s * 1e9)});
        return view_clock(options_);
      },
      [](const ClockView& view) { return clock_response(view, 202); });
}

}  // namespace gyre::server
