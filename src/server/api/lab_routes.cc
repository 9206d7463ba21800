// /v1/lab/...
#include <utility>
#include <variant>

#include "server/api/api.h"
#include "server/api/lab_order.h"
#include "server/api/parse_whole.h"
#include "server/lab/bundled_trace.h"
#include "server/lab/lab.h"

namespace gyre::server {
namespace {

/// As a string, or null where there is none.
void write_text(JsonText& out, std::string_view name, const std::string& text) {
  out.key(name);
  if (text.empty()) {
    out.null();
  } else {
    out.value(text);
  }
}

/// All but the report.
void write_run(JsonText& out, const LabRun& run) {
  out.member("id", run.id).member("state", to_string(run.state));
  write_time(out, "asked_at", run.asked_at);
  write_time(out, "started_at", run.started_at);
  write_time(out, "ended_at", run.ended_at);
  write_time(out, "since", run.since);
  write_time(out, "until", run.until);
  out.key("trace");
  if (run.trace) {
    out.open('{').member("name", run.trace->name);
    write_text(out, "nodes", run.trace->nodes);
    out.close('}');
  } else {
    out.null();
  }
  out.key("policies").open('[');
  for (const LabRun::Policy& policy : run.policies) {
    out.open('{').member("name", policy.name).member("description", policy.description);
    write_text(out, "text", policy.text);
    out.close('}');
  }
  out.close(']').key("progress");
  if (run.state == LabRun::State::Running) {
    out.open('{').member("doing", run.progress.doing).member("part", run.progress.part).close('}');
  } else {
    out.null();
  }
  write_text(out, "error", run.error);
}

void list_bundled_traces(const Call& call) {
  JsonText out;
  out.open('{').key("traces").open('[');
  for (const BundledTrace& trace : bundled_traces()) {
    out.open('{').member("name", trace.name).member("description", trace.description);
    out.member("nodes", trace.nodes).close('}');
  }
  out.close(']').key("limits").open('{').member("trace_bytes", Lab::kTraceBytesMax);
  out.member("nodes_bytes", Lab::kNodesBytesMax).close('}');
  call.answer(json_response(std::move(out.close('}'))));
}

http::Response created(std::uint64_t id) {
  JsonText out;
  out.open('{').member("id", id).close('}');
  http::Response response = json_response(std::move(out));
  response.status = 202;
  response.headers.emplace_back("Location", fmt::format("/v1/lab/runs/{}", id));
  return response;
}

/// What is wrong with a trace is wrong with the order.
http::Response refused(const Error& error) {
  return http::respond(error.kind == ErrorKind::Invalid ? bad_lab_order("/trace", error.message)
                                                        : http::problem_of(error));
}

http::Response deleted(std::uint64_t id) {
  JsonText out;
  out.open('{').member("id", id).member("deleted", true).close('}');
  return json_response(std::move(out));
}

Result<std::uint64_t> read_run_id(const std::string& text) {
  std::uint64_t id = 0;
  if (parse_whole(text, id)) return id;
  return fail(ErrorKind::NotFound, "'{}' is no run's id; ids are whole numbers", text);
}

}  // namespace

void Api::add_lab_routes() {
  const auto add = [this](const char* method, const char* path, auto handle) {
    router_.add(method, path, {}, [this, handle](const Call& call) {
      if (options_.lab != nullptr) return handle(*options_.lab, call);
      call.fail(http::problem_of({ErrorKind::Unsupported, "this server has no policy lab"}));
    });
  };
  add("GET", "/v1/lab/traces", [](Lab&, const Call& call) { list_bundled_traces(call); });
  add("GET", "/v1/lab/runs", [](Lab& lab, const Call& call) { list_lab_runs(lab, call); });
  add("POST", "/v1/lab/runs", [this](Lab& lab, const Call& call) { start_lab_run(lab, call); });
  add("GET", "/v1/lab/runs/{id}", [](Lab& lab, const Call& call) { show_lab_run(lab, call); });
  add("DELETE", "/v1/lab/runs/{id}", [](Lab& lab, const Call& call) { delete_lab_run(lab, call); });
}

void Api::list_lab_runs(Lab& lab, const Call& call) {
  JsonText out;
  out.open('{').key("runs").open('[');
  for (const LabRun& run : lab.runs()) {
    out.open('{');
    write_run(out, run);
    out.close('}');
  }
  out.close(']').close('}');
  call.answer(json_response(std::move(out)));
}

void Api::start_lab_run(Lab& lab, const Call& call) const {
  const bool posted =
      lab.post([&lab, reply = call.reply, body = call.request.body, now = options_.clock()] {
        auto read = read_lab_order(body, now);
        if (const auto* problem = std::get_if<http::Problem>(&read)) {
          return reply([problem = *problem] { return http::respond(problem); });
        }
        auto& order = std::get<LabOrder>(read);
        const auto id = lab.ask(std::move(order.question), std::move(order.shown));
        reply([id] { return id ? created(*id) : refused(id.error()); });
      });
  if (!posted)
    call.fail(
        http::problem_of({ErrorKind::Unavailable, "too much is asked of the policy lab at once"}));
}

void Api::show_lab_run(Lab& lab, const Call& call) {
  const auto id = read_run_id(call.id);
  const auto run = id ? lab.find(*id) : Result<LabRun>(tl::unexpected(id.error()));
  if (!run) return call.fail(http::problem_of(run.error()));
  JsonText out;
  out.open('{');
  write_run(out, *run);
  out.key("report");
  if (run->report.empty()) {
    out.null();
  } else {
    out.json(run->report);
  }
  call.answer(json_response(std::move(out.close('}'))));
}

void Api::delete_lab_run(Lab& lab, const Call& call) {
  const auto id = read_run_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  const bool posted = lab.post([&lab, reply = call.reply, id = *id] {
    const auto done = lab.remove(id);
    reply(
        [id, done] { return done ? deleted(id) : http::respond(http::problem_of(done.error())); });
  });
  if (!posted)
    call.fail(
        http::problem_of({ErrorKind::Unavailable, "too much is asked of the policy lab at once"}));
}

}  // namespace gyre::server
