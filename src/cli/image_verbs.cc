#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "base/units.h"
#include "cli/job_stream.h"
#include "cli/verbs.h"
#include "domain/image_holders.h"
#include "domain/image_ref.h"
#include "server/http/message.h"

namespace gyre::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::chrono::milliseconds kLookPause{200};

struct Prefetch {
  std::string image;
  std::string login;
  std::vector<std::string> nodes;  // names or ids; empty: all that are up
  std::string patience = "10m";
  bool wait = false;
};

Outcome<int> list_images(const Session& session) {
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/nodes");
  if (!document) return tl::unexpected(document.error());
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> nodes_of;
  for (const Json& node : document->at("nodes")) {
    for (const Json& image : node.at("images")) {
      nodes_of[{image.value("reference", ""), image.value("digest", "")}].push_back(
          node.value("name", ""));
    }
  }
  const Format format = session.format();
  Json list = Json::array();
  Table table({"IMAGE", "DIGEST", "NODES"});
  for (const auto& [image, nodes] : nodes_of) {
    list.push_back({{"reference", image.first}, {"digest", image.second}, {"nodes", nodes}});
    table.add({terminal_safe(image.first), image.second.substr(0, sizeof("sha256:") - 1 + 12),
               terminal_safe(fmt::format("{}", fmt::join(nodes, ",")))});
  }
  if (is_document(format)) {
    print_document(Json{{"images", std::move(list)}}, format);
  } else if (nodes_of.empty()) {
    fmt::print(stderr, "no node holds an image\n");
  } else {
    table.print();
  }
  return kOk;
}

/// A path as seen from here, since a node does not know where that is.
Outcome<std::string> whole_image(const std::string& text) {
  const bool relative = is_image_path(text) && !text.starts_with('/');
  const std::string whole =
      relative ? std::filesystem::absolute(text).lexically_normal().string() : text;
  if (auto image = parse_image_ref(whole); !image)
    return give_up(kUsage, "{}", image.error().message);
  return whole;
}

/// The names of the nodes that are meant. Errors: one that is not there.
Outcome<std::vector<std::string>> nodes_meant(const Json& document, const Prefetch& wanted) {
  std::vector<std::string> names;
  for (const Json& node : document.at("nodes")) {
    if (wanted.nodes.empty() && node.value("state", "") == "up") {
      names.push_back(node.value("name", ""));
    }
  }
  for (const std::string& one : wanted.nodes) {
    const auto& all = document.at("nodes");
    const auto found = std::find_if(all.rbegin(), all.rend(), [&](const Json& node) {
      return node.value("name", "") == one || node.at("id").dump() == one;
    });
    if (found == all.rend()) return give_up(kError, "there is no node '{}'", one);
    names.push_back(found->value("name", ""));
  }
  if (names.empty()) return give_up(kError, "no node is up; 'gyre nodes' lists all");
  return names;
}

/// Whether the node has it by now. Errors: it could not fetch it.
Outcome<bool> has_image(const Json& node, const std::string& image) {
  const Json& trouble = node.at("image_trouble");
  if (trouble.is_object() && trouble.value("image", "") == image) {
    return give_up(kError, "node {} cannot fetch it: {}", node.value("name", ""),
                   terminal_safe(trouble.value("error", "")));
  }
  const auto& images = node.at("images");
  return std::any_of(images.begin(), images.end(), [&](const Json& held) {
    return image_id(held.value("reference", "")) == image_id(image);
  });
}

/// Until all those nodes have it.
Outcome<int> wait_for(HttpClient& client, std::vector<std::string> nodes, const std::string& image,
                      Duration patience) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::nanoseconds(patience.ns);
  for (;;) {
    const auto document = get_json(client, "/v1/nodes");
    if (!document) return tl::unexpected(document.error());
    for (const Json& node : document->at("nodes")) {
      const auto missing = std::find(nodes.begin(), nodes.end(), node.value("name", ""));
      if (missing == nodes.end()) continue;
      const auto there = has_image(node, image);
      if (!there) return tl::unexpected(there.error());
      if (*there) nodes.erase(missing);
    }
    if (nodes.empty()) return kOk;
    if (std::chrono::steady_clock::now() >= deadline) {
      return give_up(kWaitTimedOut, "node {} has not fetched it within {}; it goes on",
                     nodes.front(), format_duration(patience));
    }
    std::this_thread::sleep_for(kLookPause);
  }
}

Outcome<int> prefetch(const Session& session, const Prefetch& wanted) {
  const auto patience = parse_duration(wanted.patience);
  if (!patience) return give_up(kUsage, "--timeout: {}", patience.error().message);
  const auto image = whole_image(wanted.image);
  if (!image) return tl::unexpected(image.error());
  auto client = session.connect();
  if (!client) return tl::unexpected(client.error());
  const auto document = get_json(*client, "/v1/nodes");
  if (!document) return tl::unexpected(document.error());
  auto nodes = nodes_meant(*document, wanted);
  if (!nodes) return tl::unexpected(nodes.error());
  Json body{{"action", "prefetch"}, {"image", *image}};
  if (!wanted.login.empty()) body["registry_login"] = wanted.login;
  for (const std::string& node : *nodes) {
    HttpCall call;
    call.method = "POST";
    call.target = "/v1/nodes/" + server::http::percent_encode(node) + "/actions";
    call.body = body.dump();
    const auto done = client->call(call);
    if (!done) return tl::unexpected(done.error());
  }
  return wanted.wait ? wait_for(*client, std::move(*nodes), *image, *patience) : Outcome<int>(kOk);
}

}  // namespace

void add_image_verbs(CLI::App& app, Session& session) {
  auto* image = add_verb(app, "image", "List the images that nodes hold, and have them fetch one",
                         "  gyre image ls\n  gyre image prefetch registry.example/team/train:1.2");
  image->require_subcommand(1);
  auto* ls = add_verb(*image, "ls", "List images, and the nodes that hold them",
                      "  gyre image ls\n  gyre image ls -o json");
  add_server_flags(*ls, session);
  add_output_flag(*ls, session);
  on_verb(ls, session, [&session] { return list_images(session); });

  auto* fetch = add_verb(*image, "prefetch", "Have nodes fetch an image before a job needs it",
                         "  gyre image prefetch registry.example/team/train:1.2\n"
                         "  gyre image prefetch ./train.tar --node gpu-7 --wait");
  auto wanted = std::make_shared<Prefetch>();
  fetch->add_option("IMAGE", wanted->image, "as a job names it")->required();
  fetch->add_option("--node", wanted->nodes, "this node alone; may be repeated (all that are up)")
      ->take_all()
      ->expected(1);
  fetch->add_option("--registry-login", wanted->login, "the secret that opens the registry");
  auto* wait = fetch->add_flag("--wait", wanted->wait, "until they have it");
  fetch->add_option("--timeout", wanted->patience, "with --wait: how long")
      ->needs(wait)
      ->capture_default_str()
      ->type_name("DURATION");
  add_server_flags(*fetch, session);
  on_verb(fetch, session, [&session, wanted] { return prefetch(session, *wanted); });
}

}  // namespace gyre::cli
