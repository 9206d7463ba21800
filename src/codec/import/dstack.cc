#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/units.h"
#include "codec/import/draft.h"
#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

using Kind = SpecNode::Kind;

struct Dstack : Draft {
  std::string script;
  std::string shell = "/bin/sh";
};
using Field = Rule<Dstack>;

void env(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.kind == Kind::Map) {
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      if (const auto value = job.text(node.items[i], path)) {
        job.variable(node.keys[i].name, *value);
      }
    }
    return;
  }
  if (node.kind != Kind::List) return job.wrong(node, path, "expected a list or a map");
  for (const SpecNode& item : node.items) {
    const auto pair = job.text(item, path);
    if (!pair) return;
    const std::size_t equals = pair->find('=');
    if (equals == std::string::npos) {
      job.dropped(path + "." + *pair, "its value would come from the submitter's environment");
    } else {
      job.variable(pair->substr(0, equals), pair->substr(equals + 1));
    }
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t first = std::min(text.find_first_not_of(kBlank), text.size());
  return text.substr(first, text.find_last_not_of(kBlank) + 1 - first);
}

/// Whether it can stand before or behind '&&', and all of it be what is joined there.
bool is_one_plain_command(std::string_view text) {
  return !text.empty() && text.find_first_of("\n;&|#<\\") == std::string_view::npos;
}

/// Each command runs only if the one before went well. What '&&' would not join as a whole (a
/// comment, a here-document, several lines, a command in the background) gets a line of its own
/// that looks at how it ended.
void commands(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.kind != Kind::List) return job.wrong(node, path, "expected a list of commands");
  bool plain = false;
  for (const SpecNode& item : node.items) {
    const auto text = job.text(item, path);
    if (!text) return;
    const std::string_view command = trimmed(*text);
    const bool was_plain = std::exchange(plain, is_one_plain_command(command));
    if (!job.script.empty()) {
      job.script += was_plain && plain ? " &&\n" : "\n(exit $?) || exit\n";
    }
    job.script += command;
    if (command.ends_with('\\')) job.script += '\n';  // it goes on in an empty line
  }
}

void gpu_parts(Dstack& job, const SpecNode& node, const std::string& path) {
  std::vector<std::string> names;
  std::string memory;
  std::string count;
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string& key = node.keys[i].name;
    const SpecNode& item = node.items[i];
    const std::string where = path + "." + key;
    if (key == "name" && item.kind == Kind::List) {
      for (const SpecNode& name : item.items) {
        if (const auto text = job.text(name, where)) names.push_back(*text);
      }
    } else if (key == "name") {
      if (const auto text = job.text(item, where)) names.push_back(*text);
    } else if (key == "memory") {
      if (const auto text = job.text(item, where)) memory = least_of(job, where, *text);
    } else if (key == "count" && item.kind == Kind::Map) {
      const SpecNode* least = child(item, "min");
      if (least != nullptr) count = job.text(*least, where).value_or("");
      job.changed(where, "the least count is asked for");
    } else if (key == "count") {
      if (const auto text = job.text(item, where)) count = least_of(job, where, *text);
    } else {
      job.dropped(where, "Gyre has nothing like it");
    }
  }
  job.gpu(node, path, names,
          memory.empty() || count.empty() ? memory + count : memory + ":" + count);
}

/// "A100:80GB:2", "24GB..80GB:1..2", "nvidia:A100,H100".
void gpu(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.kind == Kind::Map) return gpu_parts(job, node, path);
  const auto whole = job.text(node, path);
  if (!whole) return;
  std::string rest = *whole;
  std::vector<std::string> names;
  std::string amounts;
  for (bool more = true; more;) {
    const std::size_t colon = rest.find(':');
    std::string part = rest.substr(0, colon);
    more = colon != std::string::npos;
    rest = more ? rest.substr(colon + 1) : "";
    if (part == "nvidia") continue;
    if (part == "amd" || part == "intel" || part == "google" || part == "tpu" ||
        part.starts_with("tpu-") || part == "tenstorrent") {
      return job.wrong(node, path, fmt::format("'{}' is no NVIDIA GPU", printable(part)),
                       ErrorKind::Unsupported);
    }
    const bool amount = !part.empty() && ((part[0] >= '0' && part[0] <= '9') || part[0] == '.');
    if (amount) {
      const std::string least = least_of(job, path, part);
      if (!least.empty()) amounts += (amounts.empty() ? "" : ":") + least;
      continue;
    }
    for (std::size_t comma = 0; comma != std::string::npos;) {
      comma = part.find(',');
      names.push_back(part.substr(0, comma));
      if (comma != std::string::npos) part.erase(0, comma + 1);
    }
  }
  job.gpu(node, path, names, amounts);
}

void cpu(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.kind == Kind::Map) {
    const SpecNode* count = child(node, "count");
    return count == nullptr ? job.dropped(path, "it names no count") : cpu(job, *count, path);
  }
  auto value = job.text(node, path);
  if (!value) return;
  if (const std::size_t colon = value->find(':'); colon != std::string::npos) {
    job.dropped(path + " " + value->substr(0, colon), "Gyre does not choose by CPU architecture");
    value->erase(0, colon + 1);
  }
  const std::string least = least_of(job, path, *value);
  if (!least.empty()) job.cpu(node, path, least);
}

void memory(Dstack& job, const SpecNode& node, const std::string& path) {
  const auto value = job.text(node, path);
  if (!value) return;
  std::string least = least_of(job, path, *value);
  if (least.empty()) return;
  // dstack's unit is the gigabyte where none is written.
  if (least.find_first_not_of("0123456789.") == std::string::npos) least += "GB";
  job.memory(node, path, least);
}

constexpr std::array<Field, 5> kResources{
    {{"gpu", gpu},
     {"cpu", cpu},
     {"memory", memory},
     {"disk", nullptr, "Gyre does not reserve disk space"},
     {"shm_size", nullptr, "a container's /dev/shm has 256 MiB"}}};

void resources(Dstack& job, const SpecNode& node, const std::string& path) {
  read_fields<Dstack>(job, node, path, kResources);
}

void type(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.text == "task") return;
  job.wrong(node, path,
            fmt::format("Gyre imports dstack tasks, and this is a {}", printable(node.text)),
            ErrorKind::Unsupported);
}

void max_duration(Dstack& job, const SpecNode& node, const std::string& path) {
  const auto value = job.text(node, path);
  if (!value || *value == "off" || *value == "false") return;
  const auto time = parse_duration(printable(*value));
  if (!time) return job.wrong(node, path, time.error().message);
  if (time->ns <= 0) return;
  job.spec.expected_duration = *time;
  job.changed(path, "it is expected_duration now, which plans with it and stops nothing");
}

void retry(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.kind == Kind::Bool) {
    if (job.yes_or_no(node, path).value_or(false)) job.spec.retry.on_error = true;
    return;
  }
  const SpecNode* events = child(node, "on_events");
  if (node.kind != Kind::Map) return job.wrong(node, path, "expected true, false or fields");
  if (child(node, "duration") != nullptr) {
    job.dropped(path + ".duration", "Gyre bounds retries by number, with retry.max");
  }
  Retry& retry = job.spec.retry;
  retry.on_error = retry.on_interruption = retry.on_no_capacity = events == nullptr;
  if (events == nullptr) return;
  for (const SpecNode& event : events->items) {
    if (event.text == "error") retry.on_error = true;
    if (event.text == "interruption") retry.on_interruption = true;
    if (event.text == "no-capacity") retry.on_no_capacity = true;
  }
}

void priority(Dstack& job, const SpecNode& node, const std::string& path) {
  const auto value = job.whole(node, path, 0, 100);
  if (!value) return;
  job.spec.priority = static_cast<std::int32_t>(*value / 10);
  job.changed(path, fmt::format("{} of 100 is {} of 10", *value, job.spec.priority));
}

void spot(Dstack& job, const SpecNode& node, const std::string& path) {
  if (node.text == "on-demand") return;
  job.spec.preemptible = true;
  job.changed(path, "it is preemptible now: a job of higher priority may stop it");
}

constexpr std::string_view kCloud = "Gyre places on its own fleet";
constexpr std::string_view kFolders = "Gyre copies no files: put them where the nodes see them";

constexpr std::array<Field, 39> kFields{{
    {"type", type},
    {"name",
     [](Dstack& job, const SpecNode& node, const std::string& path) {
       if (const auto text = job.text(node, path)) job.name(*text);
     }},
    {"commands", commands},
    {"env", env},
    {"resources", resources},
    {"nodes", [](Dstack& job, const SpecNode& node,
                 const std::string& path) { job.nodes_from(node, path); }},
    {"working_dir",
     [](Dstack& job, const SpecNode& node, const std::string& path) {
       if (const auto text = job.text(node, path)) job.directory(path, *text);
     }},
    {"shell",
     [](Dstack& job, const SpecNode& node, const std::string& path) {
       const auto text = job.text(node, path);
       if (text) job.shell = text->find('/') == std::string::npos ? "/bin/" + *text : *text;
     }},
    {"max_duration", max_duration},
    {"retry", retry},
    {"priority", priority},
    {"spot_policy", spot},
    {"max_price", nullptr, "this version has no price limit"},
    {"image",
     [](Dstack& job, const SpecNode& node, const std::string& path) { job.image(node, path); }},
    {"python", nullptr, "the image's or the host's own Python runs"},
    {"nvcc", nullptr, "the image's or the host's own CUDA toolkit is used"},
    {"docker", nullptr, "there is no Docker inside a job"},
    {"entrypoint", nullptr, "it belongs to an image"},
    {"privileged", nullptr, "a job gets no privileges"},
    {"registry_auth", nullptr, "it belongs to an image"},
    {"user", nullptr, "write 'user:' by hand: a host process has the node's user"},
    {"ports", nullptr, "a job's ports are the host's own"},
    {"volumes", nullptr, kFolders},
    {"files", nullptr, kFolders},
    {"repos", nullptr, kFolders},
    {"home_dir", nullptr, kFolders},
    {"backends", nullptr, kCloud},
    {"regions", nullptr, kCloud},
    {"availability_zones", nullptr, kCloud},
    {"instance_types", nullptr, kCloud},
    {"reservation", nullptr, kCloud},
    {"fleets", nullptr, kCloud},
    {"creation_policy", nullptr, kCloud},
    {"idle_duration", nullptr, kCloud},
    {"stop_duration", nullptr, "use checkpoint.grace"},
    {"utilization_policy", nullptr},
    {"schedule", nullptr, "Gyre has no timetable: submit it from one"},
    {"startup_order", nullptr, "a gang starts together"},
    {"stop_criteria", nullptr, "a gang ends together"},
}};

}  // namespace

Result<std::vector<Draft>> from_dstack(const SpecNode& root) {
  Dstack job;
  read_fields<Dstack>(job, root, "", kFields);
  if (!job.error && job.script.empty()) job.wrong(root, "commands", "there is nothing to run");
  if (job.error) return tl::unexpected(*job.error);
  const std::string gpus = std::to_string(job.request().gpus);
  const std::array<Alias, 7> aliases{
      {{"DSTACK_NODE_RANK", "$GYRE_NODE_RANK"},
       {"DSTACK_NODES_NUM", "$GYRE_NUM_NODES"},
       {"DSTACK_MASTER_NODE_IP", "$MASTER_ADDR"},
       {"DSTACK_GPUS_PER_NODE", gpus},
       {"DSTACK_GPUS_NUM", fmt::format("$((GYRE_NUM_NODES*{}))", gpus)},
       {"DSTACK_RUN_NAME", "$GYRE_JOB_NAME"},
       {"DSTACK_RUN_ID", "$GYRE_JOB_ID"}}};
  job.script = aliases_for(job, job.script, "DSTACK_", aliases) + job.script;
  if (!job.script.ends_with('\n') && job.script.find('\n') != std::string::npos) job.script += '\n';
  job.spec.launch.command = {job.shell, "-c", job.script};
  return std::vector<Draft>{static_cast<Draft&>(job)};
}

}  // namespace gyre::codec::import
