#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/outlook.h"
#include "cli/verbs.h"
#include "codec/job_spec_text.h"
#include "domain/image_ref.h"

namespace gyre::cli {

Outcome<std::string> read_input(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    return give_up(
        kUsage, "cannot read '{}': {}", path,
        std::filesystem::exists(path) ? "it is no readable file" : "there is no such file");
  }
  text << file.rdbuf();
  return text.str();
}

namespace {

using Json = nlohmann::ordered_json;

struct RunOptions {
  std::string gpu, cpu, memory, name, queue, image;
  int nodes = 1;
  int priority = -1;
  bool preemptible = false;
  bool detach = false;
  std::vector<std::string> env;
};

/// The last part of the program's path, as a job may be named.
std::string name_for(const std::string& program) {
  std::string name = std::filesystem::path(program).filename().string();
  for (char& c : name) {
    if (!codec::is_valid_name(std::string("a") + c)) c = '-';
  }
  name = name.substr(0, codec::kNameBytesMax);
  return codec::is_valid_name(name) ? name : "job";
}

Outcome<std::string> spec_text(const RunOptions& options, const std::vector<std::string>& command) {
  Json spec;
  spec["name"] = options.name.empty() ? name_for(command.front()) : options.name;
  spec["command"] = command;
  if (options.image.empty()) {
    spec["working_directory"] = std::filesystem::current_path().string();
  } else {
    spec["image"] = is_image_path(options.image)
                        ? std::filesystem::absolute(options.image).lexically_normal().string()
                        : options.image;
  }
  if (options.nodes != 1) spec["nodes"] = options.nodes;
  if (!options.gpu.empty()) spec["resources"]["gpu"] = options.gpu;
  if (!options.cpu.empty()) spec["resources"]["cpu"] = options.cpu;
  if (!options.memory.empty()) spec["resources"]["memory"] = options.memory;
  if (options.priority >= 0) spec["priority"] = options.priority;
  if (options.preemptible) spec["preemptible"] = true;
  if (!options.queue.empty()) spec["queue"] = options.queue;
  for (const std::string& pair : options.env) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == pair.npos) {
      return give_up(kUsage, "--env '{}': it must look like NAME=VALUE", pair);
    }
    spec["env"][pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  try {
    return spec.dump();
  } catch (const Json::exception&) {
    return give_up(kUsage, "the command and its environment must be UTF-8 text");
  }
}

/// The failure without a place in a text that the user never saw.
Failure without_place(Failure failure) {
  const std::size_t end = failure.message.find(": ");
  if (failure.message.starts_with("line ") && end != std::string::npos) {
    failure.message.erase(0, end + 2);
  }
  return failure;
}

Outcome<std::string> submit(HttpClient& client, HttpCall call) {
  call.method = "POST";
  call.target = "/v1/jobs";
  const auto body = client.call(call);
  if (!body) return tl::unexpected(body.error());
  const Json answer = Json::parse(*body, nullptr, false);
  if (!answer.is_object() || !answer.contains("id")) {
    return give_up(kError, "what answers at {} is not Gyre", client.address().text());
  }
  return answer["id"].dump();
}

Outcome<void> stop_job(HttpClient& client, const std::string& path) {
  HttpCall call;
  call.method = "POST";
  call.target = path + "/actions";
  call.body = R"({"action":"stop"})";
  const auto done = client.call(call);
  if (!done) return tl::unexpected(done.error());
  return {};
}

/// Shows the job's output to its end. The first Ctrl-C stops the job, the second leaves it alone.
Outcome<int> attach(HttpClient& client, const std::string& id) {
  const std::string path = "/v1/jobs/" + id;
  auto job = get_json(client, path);
  if (!job) return tl::unexpected(job.error());
  if (job->value("state", "") == "queued") {
    complain(terminal_safe(fmt::format("job {} waits ({}): {}", id, job->value("reason", ""),
                                       job->value("reason_detail", ""))));
  }
  StreamFollower follower(client.address());
  follow_log(follower, path, "attempt=1&stream=stdout", STDOUT_FILENO);
  follow_log(follower, path, "attempt=1&stream=stderr", STDERR_FILENO);
  bool stopping = false;
  follower.on_interrupt([&] {
    if (std::exchange(stopping, true)) return false;
    complain(fmt::format("stopping job {}; once more to leave it to itself", id));
    if (const auto done = stop_job(client, path); !done) complain(done.error().message);
    return true;
  });
  const auto end = follower.run();
  if (!end) return tl::unexpected(end.error());
  if (*end == StreamFollower::End::Interrupted) {
    complain(fmt::format("detached; see 'gyre logs -f {}' and 'gyre ps'", id));
    return 130;  // 128 + SIGINT, as a shell has it
  }
  job = get_json(client, path);
  if (!job) return tl::unexpected(job.error());
  return exit_code_of(*job);
}

/// Where stdout does not take it, on stderr: the job is there.
void print_id(const std::string& id, Format format) {
  if (is_document(format)) {
    print_document(Json{{"id", Json::parse(id)}}, format);
  } else {
    fmt::print("{}\n", id);
  }
  if (lost_output()) complain(fmt::format("job {} was submitted", id));
}

Outcome<int> run_command(const Session& session, const RunOptions& options,
                         const std::vector<std::string>& command) {
  if (command.empty()) {
    return give_up(kUsage, "what is to be run? gyre run [OPTIONS] -- COMMAND [ARGUMENTS]");
  }
  auto text = spec_text(options, command);
  if (!text) return tl::unexpected(text.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  HttpCall call;
  call.body = std::move(*text);
  const auto id = submit(*client, std::move(call));
  if (!id) return tl::unexpected(without_place(id.error()));
  if (!options.detach) return attach(*client, *id);
  print_id(*id, Format::Table);
  return kOk;
}

/// The job spec in a file, as a request. JSON is YAML too; the reader finds out which it is.
Outcome<HttpCall> spec_call(const std::string& path) {
  auto text = read_input(path);
  if (!text) return tl::unexpected(text.error());
  const std::filesystem::path folder =
      path == "-" ? "." : std::filesystem::absolute(path).parent_path();
  const std::string base = std::filesystem::absolute(folder).lexically_normal().string();
  const bool is_json = path.ends_with(".json");
  const auto format = is_json ? codec::SpecFormat::Json : codec::SpecFormat::Auto;
  const auto parsed = codec::parse_job_spec(*text, format, base);
  if (!parsed) {
    std::string message = fmt::format("{}: the job spec is not valid", path);
    for (const auto& problem : parsed.error()) message += "\n  " + codec::describe(problem);
    return give_up(kUsage, "{}", message);
  }
  HttpCall call;
  call.method = "POST";
  call.content_type = is_json ? "application/json" : "application/yaml";
  call.body = std::move(*text);
  if (!parsed->launch.container.image.empty()) {  // its path may have been relative
    const auto whole = codec::to_json(*parsed);
    if (!whole) return give_up(kUsage, "{}: {}", path, whole.error().message);
    call.content_type = "application/json";
    call.body = *whole;
  }
  return call;
}

/// Waits for the job's end, `seconds_max` at most (0: for ever).
Outcome<int> wait_for(HttpClient& client, const std::string& id, std::int64_t seconds_max) {
  StreamFollower follower(client.address());
  // From the oldest event known, so that an end before the stream was open is not overlooked.
  follower.add("/v1/events?follow=true&job=" + id, "0.0", [&](const StreamEvent& event) {
    const Json data = Json::parse(event.data, nullptr, false);
    const std::string to = data.is_object() ? data.value("to", "") : "";
    if (to == "succeeded" || to == "failed" || to == "cancelled") follower.finish();
  });
  const auto end = follower.run(seconds_max);
  if (!end) return tl::unexpected(end.error());
  if (*end == StreamFollower::End::TimedOut) {
    return give_up(kWaitTimedOut, "job {} has not ended within {} s; it goes on", id, seconds_max);
  }
  const auto job = get_json(client, "/v1/jobs/" + id);
  if (!job) return tl::unexpected(job.error());
  return exit_code_of(*job);
}

struct SubmitOptions {
  std::string file, key, timeout;
  bool wait = false;
};

Outcome<int> submit_file(const Session& session, const SubmitOptions& options) {
  std::int64_t seconds_max = 0;
  if (!options.timeout.empty()) {
    const auto timeout = parse_duration(options.timeout);
    if (!timeout) return give_up(kUsage, "--timeout: {}", timeout.error().message);
    seconds_max = std::max<std::int64_t>(1, timeout->ns / seconds(1).ns);
  }
  auto call = spec_call(options.file);
  if (!call) return tl::unexpected(call.error());
  call->idempotency_key = options.key;
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto id = submit(*client, *call);
  if (!id) return tl::unexpected(id.error());
  print_id(*id, session.format());
  return options.wait ? wait_for(*client, *id, seconds_max) : kOk;
}

std::string describe_place(const Json& place) {
  std::string devices;
  for (const Json& device : place.at("devices")) {
    devices += (devices.empty() ? " GPU " : ",") + device.dump();
  }
  const bool declared = !devices.empty() && place.value("virtual_gpus", false);
  return place.value("node", "") + devices + (declared ? " (virtual)" : "");
}

std::string range_text(const Json& range) {
  const Money low{range.value("low", std::int64_t{0})};
  const Money high{range.value("high", std::int64_t{0})};
  return low == high ? format_money(low) : format_money(low) + " to " + format_money(high);
}

void print_price(const Json& price) {
  fmt::print("It would cost {} an hour", range_text(price.at("hour_micro_usd")));
  if (price.at("total_micro_usd").is_object()) {
    const Duration time =
        milliseconds(static_cast<std::int64_t>(price.value("duration_s", 0.0) * 1000));
    fmt::print("; {} in {}, {}\n", range_text(price.at("total_micro_usd")), format_duration(time),
               price.value("duration_by", "") == "submitter" ? "as it is expected to take"
                                                             : "the median of jobs like it");
  } else {
    fmt::print("; how long it takes is not known\n");
  }
}

void print_plan(const Json& plan) {
  if (plan.value("starts_now", false)) {
    fmt::print("It would start now:\n");
    for (const Json& place : plan.at("placement")) {
      fmt::print("  task {}: {}\n", place.value("rank", 0), terminal_safe(describe_place(place)));
    }
  } else {
    const Json& waiting = plan.at("waiting");
    fmt::print("It would wait ({}): {}\n", waiting.value("reason", ""),
               terminal_safe(waiting.value("detail", "")));
    print_outlook(waiting);
  }
  for (const Json& job : plan.at("preempts")) fmt::print("It would stop job {}\n", job.dump());
  if (const Json& price = plan.at("price"); price.is_object()) print_price(price);
}

Outcome<int> plan_file(const Session& session, const std::string& file) {
  auto call = spec_call(file);
  if (!call) return tl::unexpected(call.error());
  call->target = "/v1/plans";
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto body = client->call(*call);
  if (!body) return tl::unexpected(body.error());
  const Json plan = Json::parse(*body, nullptr, false);
  if (session.format() == Format::Json || session.format() == Format::Yaml) {
    print_document(plan, session.format());
  } else {
    print_plan(plan);
  }
  return kOk;
}

Outcome<int> stop_jobs(const Session& session, const std::vector<std::string>& ids) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  int result = kOk;
  for (const std::string& id : ids) {
    const auto path = job_path(id);
    if (!path) return tl::unexpected(path.error());
    if (const auto done = stop_job(*client, *path); !done) {
      complain(done.error().message);
      result = done.error().exit_code;
    }
  }
  return result;
}

void add_run(CLI::App& app, Session& session) {
  auto* verb =
      add_verb(app, "run", "Run a command as a job, and show its output",
               "  gyre run -- nvidia-smi\n"
               "  gyre run --gpu 2 --name train -- python train.py\n"
               "  gyre run --gpu 0.5 --detach -- ./serve.sh\n\n"
               "Returns the command's own exit code; 128 plus the number of the signal that "
               "ended it. Ctrl-C\nstops the job, a second one leaves it to itself.");
  auto options = std::make_shared<RunOptions>();
  verb->add_option("--gpu", options->gpu, "GPUs: 1, 0.5, H100:2, A100,H100:80GB:4");
  verb->add_option("--cpu", options->cpu, "CPU cores: 2, 0.5");
  verb->add_option("--memory", options->memory, "memory: 16GB, 512MB");
  verb->add_option("--nodes", options->nodes, "run on so many nodes at once")->type_name("N");
  verb->add_option("--name", options->name, "the job's name; else the program's");
  verb->add_option("--image", options->image,
                   "run in a container of this OCI image: a layout folder, an archive, or a "
                   "registry's HOST/NAME[:TAG]");
  verb->add_option("--queue", options->queue, "the queue it waits in");
  verb->add_option("--priority", options->priority, "0 to 10, higher first; else 5")
      ->check(CLI::Range(0, 10))
      ->type_name("0..10");
  verb->add_flag("--preemptible", options->preemptible, "may be stopped for a higher priority");
  verb->add_option("--env", options->env, "set a variable; may be repeated")
      ->type_name("NAME=VALUE")
      ->take_all()
      ->expected(1);
  verb->add_flag("-d,--detach", options->detach, "print the job's id and return");
  add_server_flags(*verb, session);
  verb->prefix_command();
  on_verb(verb, session, [&session, options, verb] {
    std::vector<std::string> command = verb->remaining();
    if (!command.empty() && command.front().starts_with('-')) {
      return Outcome<int>(give_up(kUsage, "{}", unknown_option(*verb, command.front())));
    }
    command.insert(command.end(), session.after_dashes.begin(), session.after_dashes.end());
    return run_command(session, *options, command);
  });
}

}  // namespace

void add_job_verbs(CLI::App& app, Session& session) {
  add_run(app, session);

  auto* submit_verb = add_verb(app, "submit", "Submit a job from a spec file",
                               "  gyre submit job.yaml\n"
                               "  gyre submit --wait --timeout 2h job.yaml\n"
                               "  generate | gyre submit -");
  auto submit_options = std::make_shared<SubmitOptions>();
  submit_verb->add_option("FILE", submit_options->file, "YAML or JSON; '-' for stdin")->required();
  auto* wait = submit_verb->add_flag("--wait", submit_options->wait,
                                     "wait for its end, return its exit code");
  submit_verb
      ->add_option("--timeout", submit_options->timeout,
                   "with --wait: wait so long at most, then return 4")
      ->needs(wait)
      ->type_name("DURATION");
  submit_verb->add_option("--key", submit_options->key,
                          "a repeated submission with this key is the same job");
  add_server_flags(*submit_verb, session);
  add_output_flag(*submit_verb, session);
  on_verb(submit_verb, session,
          [&session, submit_options] { return submit_file(session, *submit_options); });

  auto* plan_verb =
      add_verb(app, "plan", "Say what submitting a job would lead to",
               "  gyre plan job.yaml\n\n"
               "Returns 3 if no node could ever hold it, and says which comes nearest.");
  auto file = std::make_shared<std::string>();
  plan_verb->add_option("FILE", *file, "YAML or JSON; '-' for stdin")->required();
  add_server_flags(*plan_verb, session);
  add_output_flag(*plan_verb, session);
  on_verb(plan_verb, session, [&session, file] { return plan_file(session, *file); });

  auto* stop_verb = add_verb(app, "stop", "Stop jobs", "  gyre stop 12\n  gyre stop 12 13 14");
  auto ids = std::make_shared<std::vector<std::string>>();
  stop_verb->add_option("JOB", *ids, "ids of jobs")->required();
  add_server_flags(*stop_verb, session);
  on_verb(stop_verb, session, [&session, ids] { return stop_jobs(session, *ids); });
}

}  // namespace gyre::cli
