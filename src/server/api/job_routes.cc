#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>

#include "base/units.h"
#include "codec/job_spec_text.h"
#include "control/forecast/quote.h"
#include "server/api/api.h"
#include "server/api/job_list.h"
#include "server/api/spec_body.h"

namespace gyre::server {
namespace {

/// The spec in the body of a request.
std::variant<JobSpec, http::Problem> read_spec(const http::Request& request) {
  const auto format = spec_format(request);
  if (const auto* problem = std::get_if<http::Problem>(&format)) return *problem;
  auto spec = codec::parse_job_spec(request.body, std::get<codec::SpecFormat>(format));
  if (!spec) return spec_problem(spec.error(), "job");
  return std::move(*spec);
}

constexpr std::size_t kKeyBytesMax = 256;

constexpr std::string_view kTooMany =
    "too many questions of what is to come are being answered; ask again in a moment";

/// `no_outlook`: why there is none, though it was asked for.
http::Response explanation_of(const JobView& job, const control::Outlook* outlook,
                              std::string_view no_outlook = {}) {
  JsonText out;
  out.open('{').member("job", job.id.value).member("name", job.name);
  out.member("state", to_string(job.state));
  write_ports(out, job);
  out.key("waiting");
  if (job.waiting) {
    write_explanation(out, *job.waiting, outlook, no_outlook);
  } else {
    out.null();
  }
  out.key("ended");
  if (is_final(job.state)) {
    out.open('{').member("reason", job.reason).member("detail", job.reason_detail);
    out.member("exit_code", job.exit_code);
    write_exit_codes(out, job);
    out.close('}');
  } else {
    out.null();
  }
  write_cost(out, job);
  write_warning(out, job);
  out.close('}');
  return json_response(std::move(out));
}

struct Planned {
  control::PlannedJob job;
  std::optional<control::Quote> price;
  std::vector<JobView::Place> places;  // of the placement
};

void write_range(JsonText& out, const control::Quote::Range& range) {
  out.open('{').member("low", range.low.value).member("high", range.high.value).close('}');
}

void write_quote(JsonText& out, const std::optional<control::Quote>& quote) {
  out.key("price");
  if (!quote) {
    out.null();
    return;
  }
  out.open('{').key("hour_micro_usd");
  write_range(out, quote->hour);
  out.key("duration_s");
  if (quote->duration) {
    out.thousandths(quote->duration->ns / 1'000'000);
    out.member("duration_by", quote->declared ? "submitter" : "jobs_like_it");
    out.key("total_micro_usd");
    write_range(out, *quote->total);
  } else {
    out.null().key("duration_by").null().key("total_micro_usd").null();
  }
  out.close('}');
}

http::Response plan_response(const Planned& planned) {
  const control::Plan& plan = planned.job.plan;
  const auto& outlook = planned.job.outlook;
  JsonText out;
  out.open('{').member("starts_now", plan.starts_now).key("placement");
  write_placement(out, plan.placement, planned.places);
  out.key("preempts").open('[');
  for (const JobId job : plan.preempts) out.value(job.value);
  out.close(']').key("waiting");
  if (plan.starts_now) {
    out.null();
  } else {
    write_explanation(out, plan.waiting, outlook ? &*outlook : nullptr);
  }
  write_quote(out, planned.price);
  out.close('}');
  return json_response(std::move(out));
}

}  // namespace

void Api::add_job_routes() {
  router_.add("GET", "/v1/jobs",
              {"state", "queue", "node", "search", "sort", "order", "offset", "limit", "cursor"},
              [this](const Call& call) { list_jobs(call); });
  router_.add("POST", "/v1/jobs", {}, [this](const Call& call) { submit_job(call); });
  router_.add("GET", "/v1/jobs/{id}", {}, [this](const Call& call) { show_job(call); });
  router_.add("GET", "/v1/jobs/{id}/spec", {}, [this](const Call& call) { show_spec(call); });
  router_.add("POST", "/v1/jobs/{id}/actions", {}, [this](const Call& call) { act_on_job(call); });
  router_.add("GET", "/v1/jobs/{id}/explanation", {"outlook"},
              [this](const Call& call) { explain_job(call); });
  router_.add("POST", "/v1/plans", {}, [this](const Call& call) { plan_job(call); });
}

/// With what the fleet knows of where its ports are.
JobView Api::with_addresses(JobView job) const {
  for (JobView::Port& port : job.ports) {
    if (auto place = fleet_.place(port.node)) port.address = std::move(place->address);
  }
  return job;
}

JobView Api::with_exits(JobView view, const Job& job) const {
  if (options_.telemetry != nullptr) view.exit_codes = options_.telemetry->exits.of(job);
  return view;
}

void Api::list_jobs(const Call& call) const {
  auto read = read_job_list_query(call.request, options_.page_default, options_.page_max);
  if (auto* problem = std::get_if<http::Problem>(&read)) return call.fail(*problem);
  ask<JobPage>(
      call,
      [this, query = std::move(std::get<JobListQuery>(read))](const auto& core) mutable {
        query.now = options_.clock();
        JobPage page = job_views_.list(core, query);
        for (JobView& job : page.jobs) job = with_addresses(std::move(job));
        return page;
      },
      [](const JobPage& page) {
        JsonText out;
        out.open('{').key("jobs").open('[');
        for (const JobView& job : page.jobs) write_job(out, job);
        out.close(']').key("next_cursor");
        if (page.next) {
          out.value(fmt::format("{}", page.next->value));
        } else {
          out.null();
        }
        out.member("total", page.total).close('}');
        return json_response(std::move(out));
      });
}

void Api::submit_job(const Call& call) const {
  auto read = read_spec(call.request);
  if (auto* problem = std::get_if<http::Problem>(&read)) return call.fail(*problem);
  const std::string key(call.request.header("idempotency-key"));
  if (key.size() > kKeyBytesMax) {
    return call.fail({400,
                      "bad-header",
                      "A header is not valid",
                      fmt::format("Idempotency-Key: at most {} bytes", kKeyBytesMax),
                      {},
                      {}});
  }
  JobSpec spec = std::move(std::get<JobSpec>(read));
  const std::string_view caller = call.request.header("traceparent");
  std::optional<JobTraces::Submission> traced;
  if (options_.traces != nullptr) {
    traced = JobTraces::begin(caller);
    spec.launch.trace_parent = to_string(traced->context);
  } else if (parse_trace_parent(caller)) {
    spec.launch.trace_parent = caller;
  }
  inbox_.submit(std::move(spec), key, [this, traced, reply = call.reply](Result<JobId> id) {
    if (traced) options_.traces->end(*traced, id);
    reply([id] {
      if (!id) return http::respond(http::problem_of(id.error()));
      JsonText out;
      out.open('{').member("id", id->value).close('}');
      http::Response response = json_response(std::move(out));
      response.status = 201;
      response.headers.emplace_back("Location", fmt::format("/v1/jobs/{}", id->value));
      return response;
    });
  });
}

void Api::show_job(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  ask<JobView>(
      call,
      [this, id = *id](const auto& core) {
        return find_job(core, id).map([&](const Job* job) {
          return with_addresses(with_exits(view_job(core, *job, true, options_.clock()), *job));
        });
      },
      [](const JobView& job) {
        JsonText out;
        write_job(out, job);
        return json_response(std::move(out));
      });
}

void Api::show_spec(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  ask<JobSpec>(
      call,
      [id = *id](const auto& core) {
        return find_job(core, id).map([](const Job* job) { return job->spec; });
      },
      [](const JobSpec& spec) { return spec_response(codec::to_yaml(spec)); });
}

void Api::act_on_job(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  const auto body = nlohmann::json::parse(call.request.body, nullptr, false);
  if (!body.is_object() || body.size() != 1 || !body.contains("action") ||
      body["action"] != "stop") {
    return call.fail({422,
                      "invalid-action",
                      "The action is not valid",
                      R"(the body must be {"action": "stop"})",
                      {{"/action", "must be 'stop'", ""}},
                      {}});
  }
  inbox_.post(JobStopRequested{*id}, [reply = call.reply, id = *id](Result<EventSeq> done) {
    reply([done, id] {
      if (!done) return http::respond(http::problem_of(done.error()));
      JsonText out;
      out.open('{').member("id", id.value).member("action", "stop").close('}');
      http::Response response = json_response(std::move(out));
      response.status = 202;
      return response;
    });
  });
}

// On the driver's thread alone, so that who sees room has it.
bool Api::can_look_ahead() const { return options_.ahead == nullptr || options_.ahead->has_room(); }

void Api::look_ahead(std::function<void()> task) const {
  if (options_.ahead == nullptr) return task();
  options_.ahead->post(std::move(task));
}

void Api::explain_job(const Call& call) const {
  const auto id = read_job_id(call.id);
  if (!id) return call.fail(http::problem_of(id.error()));
  bool looks_ahead = false;
  if (auto wrong = read_flag(call.request, "outlook", looks_ahead)) return call.fail(*wrong);
  const auto asked =
      inbox_.ask([this, reply = call.reply, id = *id, looks_ahead](const auto& core) {
        const auto job = find_job(core, id);
        if (!job) {
          return reply([error = job.error()] { return http::respond(http::problem_of(error)); });
        }
        const auto view = std::make_shared<const JobView>(
            with_addresses(with_exits(view_job(core, **job, false, options_.clock()), **job)));
        if (!looks_ahead || (*job)->state != JobState::Queued) {
          return reply([view] { return explanation_of(*view, nullptr); });
        }
        const Foresight::Told told = [reply, view](const auto& outlook) {
          reply([view, outlook] { return explanation_of(*view, outlook.get()); });
        };
        const Foresight::Moment now{core.last_event(), options_.clock()};
        if (foresight_->ask(id, now, told)) return;
        if (!can_look_ahead()) {
          return reply([view] { return explanation_of(*view, nullptr, kTooMany); });
        }
        foresight_->begin(id, now, told);
        look_ahead([id, foresight = foresight_, copy = foresight_->copy_of(core), at = now.at] {
          foresight->tell(
              id, std::make_shared<const control::Outlook>(control::outlook(*copy, id, at)));
        });
      });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

void Api::plan_job(const Call& call) const {
  auto read = read_spec(call.request);
  if (auto* problem = std::get_if<http::Problem>(&read)) return call.fail(*problem);
  const auto refuse = [](const http::Reply& reply, const Error& error) {
    reply([error] { return http::respond(http::problem_of(error)); });
  };
  const auto asked = inbox_.ask(
      [this, refuse, reply = call.reply, spec = std::get<JobSpec>(read)](const auto& core) {
        if (const auto fine = core.check(spec); !fine) return refuse(reply, fine.error());
        if (!can_look_ahead()) {
          return refuse(reply, {ErrorKind::Unavailable, "too many plans are being made"});
        }
        look_ahead([refuse, reply, spec, copy = foresight_->copy_of(core), now = options_.clock()] {
          auto planned = control::plan_job(*copy, spec, now);
          if (!planned) return refuse(reply, planned.error());
          auto places = places_of(*copy, planned->plan.placement);
          auto price = control::quote(*copy, spec, planned->plan, now);
          const auto seen = std::make_shared<const Planned>(
              Planned{std::move(*planned), std::move(price), std::move(places)});
          reply([seen] { return plan_response(*seen); });
        });
      });
  if (!asked) call.fail(http::problem_of(asked.error()));
}

}  // namespace gyre::server
