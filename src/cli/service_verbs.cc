#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "codec/service_spec_text.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kLookPause{200};

Outcome<std::string> service_path(const std::string& name) {
  if (codec::is_valid_name(name)) return "/v1/services/" + name;
  return give_up(kUsage, "'{}' is no name of a service; 'gyre services' lists all", name);
}

/// The spec of a file as the server takes it: an image's path as seen from the file.
Outcome<HttpCall> apply_call(const std::string& file) {
  const auto text = read_input(file);
  if (!text) return tl::unexpected(text.error());
  const std::string base =
      file == "-" ? std::filesystem::current_path().string()
                  : std::filesystem::absolute(file).lexically_normal().parent_path().string();
  const auto spec = codec::parse_service_spec(*text, codec::SpecFormat::Auto, base);
  if (!spec) {
    std::string all;
    for (const codec::SpecProblem& problem : spec.error()) {
      all += fmt::format("\n  {}", codec::describe(problem));
    }
    return give_up(kUsage, "{} is no service spec:{}", file == "-" ? "the input" : file, all);
  }
  auto yaml = codec::to_yaml(*spec);
  if (!yaml) return give_up(kUsage, "{}", yaml.error().message);
  HttpCall call;
  call.method = "POST";
  call.target = "/v1/services";
  call.content_type = "application/yaml";
  call.body = std::move(*yaml);
  return call;
}

bool is_rolled_out(const Json& service) {
  if (!service.at("previous_revision").is_null()) return false;
  if (service.value("ready", 0) < service.value("wanted", 0)) return false;
  for (const Json& replica : service.at("replicas")) {
    if (replica.at("revision") != service.at("revision")) return false;
  }
  return true;
}

/// Until every wanted replica is ready and of the new revision.
Outcome<int> wait_for(HttpClient& client, const std::string& path, Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience.ns);
  for (;;) {
    const auto service = get_json(client, path);
    if (!service) return tl::unexpected(service.error());
    const std::string notice = service->value("notice", "");
    if (!notice.empty()) return give_up(kError, "{}", terminal_safe(notice));
    if (is_rolled_out(*service)) return kOk;
    if (std::chrono::steady_clock::now() >= deadline) {
      return give_up(kWaitTimedOut, "service {} is not ready within {}; it goes on ({})",
                     service->value("name", ""), format_duration(patience),
                     terminal_safe(service->value("trouble", "")));
    }
    std::this_thread::sleep_for(kLookPause);
  }
}

Outcome<int> apply(const Session& session, const std::string& file, bool wait,
                   const std::string& timeout) {
  const auto patience = parse_duration(timeout);
  if (!patience) return give_up(kUsage, "--timeout: {}", patience.error().message);
  const auto call = apply_call(file);
  if (!call) return tl::unexpected(call.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto body = client->call(*call);
  if (!body) return tl::unexpected(body.error());
  const Json answer = Json::parse(*body, nullptr, false);
  const std::string name = answer.is_object() ? answer.value("name", "") : "";
  const auto path = service_path(name);
  if (!path) return tl::unexpected(path.error());
  const auto service = get_json(*client, *path);
  if (!service) return tl::unexpected(service.error());
  if (session.format() == Format::Json || session.format() == Format::Yaml) {
    print_document(*service, session.format());
  } else {
    fmt::print("{}\n", service->at("url").is_string() ? service->value("url", "") : name);
    std::fflush(stdout);
  }
  return wait ? wait_for(*client, *path, *patience) : kOk;
}

std::string ms_text(const Json& value) {
  return value.is_number() ? fmt::format("{:.1f}ms", value.get<double>()) : "-";
}

void print_services(const Json& services, bool wide) {
  std::vector<std::string> heading = {"NAME",       "REVISION", "READY", "IN FLIGHT", "QUEUED",
                                      "REQUESTS/S", "P50",      "P99",   "NOTE"};
  if (wide) heading.emplace_back("URL");
  Table table(std::move(heading));
  for (const Json& one : services) {
    const Json& requests = one.at("requests");
    const bool known = requests.is_object();
    const std::string trouble = one.value("trouble", "");
    std::string note = one.value("deleted", false) ? "is being deleted" : trouble;
    if (note.empty()) note = one.value("notice", "");
    if (note.empty() && !one.at("previous_revision").is_null()) note = "is being rolled out";
    std::vector<std::string> row = {
        one.value("name", ""),
        one.at("revision").dump(),
        fmt::format("{}/{}", one.at("ready").dump(), one.at("wanted").dump()),
        known ? requests.at("in_flight").dump() : "-",
        known ? requests.at("queued").dump() : "-",
        known ? fmt::format("{:.1f}", requests.at("per_second").get<double>()) : "-",
        known ? ms_text(requests.at("p50_ms")) : "-",
        known ? ms_text(requests.at("p99_ms")) : "-",
        note};
    if (wide) row.push_back(one.at("url").is_string() ? one.value("url", "") : "-");
    table.add(std::move(row));
  }
  table.print();
}

Outcome<int> list(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/services");
  if (!document) return tl::unexpected(document.error());
  const Format format = session.format();
  if (is_document(format)) {
    print_document(*document, format);
  } else {
    print_services(document->at("services"), format == Format::Wide);
  }
  return kOk;
}

Outcome<int> show(const Session& session, const std::string& name) {
  const auto path = service_path(name);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto service = get_json(*client, *path);
  if (!service) return tl::unexpected(service.error());
  if (print_as_document(*service, session.format())) return kOk;
  print_services(Json::array({*service}), true);
  Table table({"REPLICA", "REVISION", "STATE", "PHASE", "READY", "NODE", "FAULT"});
  for (const Json& one : service->at("replicas")) {
    table.add({one.at("job").dump(), one.at("revision").dump(), one.value("state", ""),
               one.value("phase", ""), one.value("ready", false) ? "yes" : "no",
               one.at("node").is_string() ? one.value("node", "") : "-", one.value("fault", "")});
  }
  table.print();
  return kOk;
}

Outcome<int> print_spec(const Session& session, const std::string& name) {
  const auto path = service_path(name);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto text = client->get(*path + "/spec");
  if (!text) return tl::unexpected(text.error());
  fmt::print("{}", *text);
  return kOk;
}

Outcome<int> list_events(const Session& session, const std::string& name) {
  const auto path = service_path(name);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  Json all = Json::array();
  std::string cursor = "0.0";
  for (bool more = true; more;) {
    const auto page =
        get_json(*client, fmt::format("{}/events?limit=1000&cursor={}", *path, cursor));
    if (!page) return tl::unexpected(page.error());
    for (const Json& event : page->at("events")) all.push_back(event);
    cursor = page->value("next_cursor", "");
    more = page->value("more", false);
  }
  const Format format = session.format();
  if (is_document(format)) {
    print_document(Json{{"events", std::move(all)}}, format);
    return kOk;
  }
  Table table({"AT", "EVENT", "REVISION", "REPLICA", "DETAIL"});
  for (const Json& one : all) {
    table.add({one.value("at", ""), one.value("event", ""), one.at("revision").dump(),
               text_or_dash(one.at("replica")), one.value("detail", "")});
  }
  table.print();
  return kOk;
}

Outcome<int> remove(const Session& session, const std::string& name) {
  const auto path = service_path(name);
  if (!path) return tl::unexpected(path.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  HttpCall call;
  call.method = "DELETE";
  call.target = *path;
  const auto done = client->call(call);
  if (!done) return tl::unexpected(done.error());
  return kOk;
}

void add_apply(CLI::App& service, Session& session) {
  auto* verb = add_verb(service, "apply", "Make a service, or make it another",
                        "  gyre service apply chat.yaml\n  gyre service apply --wait chat.yaml\n\n"
                        "Prints where it is reached. With --wait returns once all replicas are of "
                        "this revision and ready;\n1 if the revision was undone, 4 if it takes "
                        "longer.");
  auto file = std::make_shared<std::string>();
  auto wait = std::make_shared<bool>(false);
  auto timeout = std::make_shared<std::string>("10m");
  verb->add_option("FILE", *file, "YAML or JSON; '-' for stdin")->required();
  auto* waits = verb->add_flag("--wait", *wait, "wait until it is ready");
  verb->add_option("--timeout", *timeout, "of --wait")
      ->needs(waits)
      ->capture_default_str()
      ->type_name("DURATION");
  add_server_flags(*verb, session);
  add_output_flag(*verb, session);
  on_verb(verb, session,
          [&session, file, wait, timeout] { return apply(session, *file, *wait, *timeout); });
}

template <class Action>
void add_named(CLI::App& service, Session& session, const std::string& what,
               const std::string& summary, Action action) {
  auto* verb = add_verb(service, what, summary, fmt::format("  gyre service {} chat", what));
  auto name = std::make_shared<std::string>();
  verb->add_option("NAME", *name, "the service's")->required();
  add_server_flags(*verb, session);
  if (what == "show" || what == "events") add_output_flag(*verb, session);
  on_verb(verb, session, [&session, name, action] { return action(session, *name); });
}

}  // namespace

void add_service_verbs(CLI::App& app, Session& session) {
  auto* all = add_verb(app, "services", "List the services",
                       "  gyre services\n"
                       "  gyre services -o json");
  add_server_flags(*all, session);
  add_output_flag(*all, session);
  on_verb(all, session, [&session] { return list(session); });
  auto* service = add_verb(app, "service", "Make, show and delete a service",
                           "  gyre service apply chat.yaml\n  gyre service show chat");
  service->require_subcommand(1);
  add_apply(*service, session);
  add_named(*service, session, "show", "Show a service and its replicas", show);
  add_named(*service, session, "events", "Show what became of a service and its replicas",
            list_events);
  add_named(*service, session, "spec", "Print a service's spec as YAML", print_spec);
  add_named(*service, session, "delete", "Delete a service with its replicas", remove);
}

}  // namespace gyre::cli
