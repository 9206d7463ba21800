#include <fmt/format.h>

#include <array>

#include "codec/import/draft.h"
#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

using Kind = SpecNode::Kind;

struct Skypilot : Draft {
  std::string setup;
  std::string run;
};
using Field = Rule<Skypilot>;

/// "A100:8", "A100", "tpu-v4-8:1".
void split_accelerator(std::string_view text, std::string& name, std::string& count) {
  const std::size_t colon = text.rfind(':');
  name = text.substr(0, colon);
  if (colon != std::string_view::npos) count = text.substr(colon + 1);
}

void accelerators(Skypilot& job, const SpecNode& node, const std::string& path) {
  std::vector<std::string> names;
  std::string count;
  const auto add = [&](const std::string& text, std::string said) {
    std::string name;
    split_accelerator(text, name, said);
    if (!names.empty() && said != count) {
      job.changed(path, fmt::format("every model is asked for {} times", printable(count)));
    } else {
      count = said;
    }
    names.push_back(name);
  };
  if (node.kind == Kind::Map) {  // {A100: 8}, or the set {A100:8, H100:8}
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      add(node.keys[i].name, node.items[i].kind == Kind::Null ? "" : node.items[i].text);
    }
  } else if (node.kind == Kind::List) {
    for (const SpecNode& item : node.items) {
      if (const auto text = job.text(item, path)) add(*text, "");
    }
    if (node.items.size() > 1) job.changed(path, "the order of preference is lost: any of them");
  } else if (const auto text = job.text(node, path)) {
    add(*text, "");
  }
  for (const std::string& name : names) {
    if (!name.starts_with("tpu")) continue;
    return job.wrong(node, path, fmt::format("'{}' is no NVIDIA GPU", printable(name)),
                     ErrorKind::Unsupported);
  }
  job.gpu(node, path, names, count);
}

void cpus(Skypilot& job, const SpecNode& node, const std::string& path) {
  if (const auto value = job.text(node, path)) job.cpu(node, path, least_of(job, path, *value));
}

void memory(Skypilot& job, const SpecNode& node, const std::string& path) {
  const auto value = job.text(node, path);
  if (!value) return;
  if (value->ends_with('x')) return job.dropped(path, "a multiple of the CPUs is no size");
  std::string least = least_of(job, path, *value);
  if (least.find_first_not_of("0123456789.") == std::string::npos) least += "GB";
  job.memory(node, path, least);
}

constexpr std::string_view kCloud = "Gyre places on its own fleet";
constexpr std::string_view kFolders = "Gyre copies no files: put them where the nodes see them";

constexpr std::array<Field, 20> kResources{{
    {"accelerators", accelerators},
    {"cpus", cpus},
    {"memory", memory},
    {"use_spot",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       if (!job.yes_or_no(node, path).value_or(false)) return;
       job.spec.preemptible = true;
       job.changed(path, "it is preemptible now: a job of higher priority may stop it");
     }},
    {"image_id",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       if (node.text.starts_with("docker:")) return job.image(node, path);
       job.dropped(path, "a machine image is chosen by who runs the nodes");
     }},
    {"infra", nullptr, kCloud},
    {"cloud", nullptr, kCloud},
    {"region", nullptr, kCloud},
    {"zone", nullptr, kCloud},
    {"instance_type", nullptr, kCloud},
    {"any_of", nullptr, "Gyre asks for one set of resources"},
    {"ordered", nullptr, "Gyre asks for one set of resources"},
    {"disk_size", nullptr, "Gyre does not reserve disk space"},
    {"disk_tier", nullptr, "Gyre does not reserve disk space"},
    {"network_tier", nullptr},
    {"ports", nullptr, "a job's ports are the host's own"},
    {"accelerator_args", nullptr},
    {"job_recovery", nullptr, "Gyre retries interrupted jobs by itself: see retry"},
    {"autostop", nullptr, "a job ends when its command does"},
    {"labels", nullptr},
}};

void variables(Skypilot& job, const SpecNode& node, const std::string& path) {
  if (node.kind != Kind::Map) return job.wrong(node, path, "expected a map of names and values");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    if (node.items[i].kind == Kind::Null) {
      job.dropped(path + "." + node.keys[i].name, "its value is to be given with --env");
    } else if (const auto value = job.text(node.items[i], path)) {
      job.variable(node.keys[i].name, *value);
    }
  }
}

void secrets(Skypilot& job, const SpecNode& node, const std::string& path) {
  variables(job, node, path);
  job.changed(path, "they are plain variables now, which whoever may see the job can read");
}

constexpr std::array<Field, 17> kFields{{
    {"name",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       if (const auto text = job.text(node, path)) job.name(*text);
     }},
    {"resources",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       read_fields<Skypilot>(job, node, path, kResources);
     }},
    {"num_nodes", [](Skypilot& job, const SpecNode& node,
                     const std::string& path) { job.nodes_from(node, path); }},
    {"workdir",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       if (node.kind != Kind::String) return job.dropped(path, kFolders);
       job.directory(path, node.text);
     }},
    {"envs", variables},
    {"secrets", secrets},
    {"setup", [](Skypilot& job, const SpecNode& node,
                 const std::string& path) { job.setup = job.text(node, path).value_or(""); }},
    {"run", [](Skypilot& job, const SpecNode& node,
               const std::string& path) { job.run = job.text(node, path).value_or(""); }},
    {"service",
     [](Skypilot& job, const SpecNode& node, const std::string& path) {
       job.wrong(node, path, "Gyre imports SkyPilot tasks, and this is a service",
                 ErrorKind::Unsupported);
     }},
    {"pool", nullptr, kCloud},
    {"file_mounts", nullptr, kFolders},
    {"storage_mounts", nullptr, kFolders},
    {"volumes", nullptr, kFolders},
    {"inputs", nullptr, kFolders},
    {"outputs", nullptr, kFolders},
    {"config", nullptr, "it configures SkyPilot itself"},
    {"event_callback", nullptr, "follow 'gyre events -f' instead"},
}};

Result<Draft> task(const SpecNode& root) {
  Skypilot job;
  read_fields<Skypilot>(job, root, "", kFields);
  if (!job.error && job.run.empty()) job.wrong(root, "run", "there is nothing to run");
  if (job.error) return tl::unexpected(*job.error);
  std::string script;
  if (!job.setup.empty()) {
    // The ':' is for a setup of comments alone, the second line end for a '\' at its end.
    script = fmt::format("( :\n{}\n\n)\n[ $? -eq 0 ] || exit 1\n", job.setup);
    job.changed("setup", "it runs before every attempt, on every node");
  }
  script += job.run;
  const std::array<Alias, 4> aliases{
      {{"SKYPILOT_NODE_RANK", "$GYRE_NODE_RANK"},
       {"SKYPILOT_NUM_NODES", "$GYRE_NUM_NODES"},
       {"SKYPILOT_NUM_GPUS_PER_NODE", std::to_string(job.request().gpus)},
       {"SKYPILOT_TASK_ID", "$GYRE_JOB_ID"}}};
  script = aliases_for(job, script, "SKYPILOT_", aliases) + script;
  job.spec.launch.command = {"/bin/bash", "-c", script};
  return static_cast<Draft&>(job);
}

}  // namespace

Result<std::vector<Draft>> from_skypilot(std::span<const SpecNode> documents) {
  std::vector<Draft> drafts;
  bool pipeline = false;
  for (const SpecNode& document : documents) {
    // The first document of a pipeline has its name alone.
    const bool head = document.keys.size() == 1 && child(document, "name") != nullptr;
    if (head && documents.size() > 1 && &document == documents.data()) {
      pipeline = true;
      continue;
    }
    auto draft = task(document);
    if (!draft) return tl::unexpected(draft.error());
    drafts.push_back(std::move(*draft));
  }
  if ((pipeline || drafts.size() > 1) && !drafts.empty()) {
    drafts[0].changed("the pipeline", "its tasks are jobs of their own, and wait for nothing");
  }
  return drafts;
}

}  // namespace gyre::codec::import
