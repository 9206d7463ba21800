#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "codec/import/draft.h"
#include "codec/import/kubernetes_placement.h"
#include "codec/job_spec_text.h"
#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

using Kind = SpecNode::Kind;

struct Kubernetes : Draft {
  std::int64_t parallelism = 1;
  std::int64_t completions = 0;
  std::int64_t backoff_limit = 6;  // the Job controller's default
  bool indexed = false;
  std::vector<std::string> command;
  std::vector<std::string> arguments;
  const SpecNode* container_at = nullptr;
  const SpecNode* arguments_at = nullptr;
  std::map<std::string, std::string, std::less<>> values;  // of variables that the file has whole
  std::size_t expanded_bytes = 0;
  std::string gpus;
  std::string gpu_model;
  SpecNode gpu_at;
  PodPlacement pod;
};
using Field = Rule<Kubernetes>;

/// A quantity as in "500m", "2", "64Gi", "128M", "1e9", in its own unit. Errors: nullopt.
std::optional<double> quantity(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || value < 0 || value > 1e18) return std::nullopt;
  const std::string_view unit(read.ptr, static_cast<std::size_t>(end - read.ptr));
  constexpr std::array<std::pair<std::string_view, double>, 12> kUnits{
      {{"", 1},
       {"m", 1e-3},
       {"k", 1e3},
       {"M", 1e6},
       {"G", 1e9},
       {"T", 1e12},
       {"P", 1e15},
       {"Ki", 1024.0},
       {"Mi", 1048576.0},
       {"Gi", 1073741824.0},
       {"Ti", 1099511627776.0},
       {"Pi", 1125899906842624.0}}};
  for (const auto& [name, scale] : kUnits) {
    if (name == unit) return value * scale;
  }
  return std::nullopt;
}

void cpu(Kubernetes& job, const SpecNode& node, const std::string& path) {
  const auto cores = quantity(node.text);
  if (!cores || *cores > 1e6) return job.wrong(node, path, "expected CPUs as in 2 or 500m");
  job.request().cpu = CpuMilli{std::llround(*cores * 1000)};
}

void memory(Kubernetes& job, const SpecNode& node, const std::string& path) {
  const auto bytes = quantity(node.text);
  if (!bytes || *bytes > 1e18) return job.wrong(node, path, "expected a size as in 64Gi");
  job.request().memory = MemoryMib{static_cast<std::int64_t>(std::ceil(*bytes / 1048576))};
}

void amounts(Kubernetes& job, const SpecNode& node, const std::string& path) {
  if (node.kind != Kind::Map) return job.wrong(node, path, "expected fields");
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    const std::string& key = node.keys[i].name;
    const SpecNode& item = node.items[i];
    const std::string where = path + "." + key;
    if (key == "cpu") {
      cpu(job, item, where);
    } else if (key == "memory") {
      memory(job, item, where);
    } else if (key == "nvidia.com/gpu") {
      const auto count = job.whole(item, where, 0, kGpusPerTaskMax);
      if (count) job.gpus = std::to_string(*count);
      job.gpu_at = item;
    } else if (key.find("/gpu") != std::string::npos || key.starts_with("nvidia.com/")) {
      job.wrong(item, where, "Gyre imports whole GPUs, as nvidia.com/gpu", ErrorKind::Unsupported);
    } else {
      job.dropped(where, "Gyre knows no resource of that name");
    }
  }
}

/// Limits hold where they are given, requests elsewhere: Gyre enforces what it reserves.
void resources(Kubernetes& job, const SpecNode& node, const std::string& path) {
  if (const SpecNode* requests = child(node, "requests")) {
    amounts(job, *requests, path + ".requests");
  }
  if (const SpecNode* limits = child(node, "limits")) amounts(job, *limits, path + ".limits");
}

/// $(NAME) is the value of a variable, $$ a dollar; a name that is not known stays as it is
/// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1, "env.value").
std::string expanded(Kubernetes& job, std::string_view text, const std::string& path) {
  std::string out;
  std::string unknown;
  const std::size_t behind_last = text.size() - (text.rfind(')') + 1);  // the last ')'
  while (!text.empty()) {
    const std::size_t dollar = std::min(text.find('$'), text.size());
    out += text.substr(0, dollar);
    text.remove_prefix(dollar);
    if (text.starts_with("$(") && text.size() > behind_last) {
      const std::string_view name = text.substr(2, text.find(')') - 2);
      const auto known = job.values.find(name);
      if (known == job.values.end() && unknown.empty()) unknown = name;
      const std::string_view value =
          known == job.values.end() ? text.substr(0, name.size() + 3) : known->second;
      if ((job.expanded_bytes += value.size()) > kSpecBytesMax) {
        job.wrong({}, path, "what its $(NAME) stand for is more than a job spec may hold");
        return {};
      }
      out += value;
      text.remove_prefix(name.size() + 3);
    } else if (!text.empty()) {
      out += '$';
      text.remove_prefix(text.starts_with("$$") ? 2 : 1);
    }
  }
  if (!unknown.empty()) {
    job.notes.push_back(fmt::format("kept $({}) in {}: the file has no value for it up to there",
                                    printable(unknown), printable(path)));
  }
  return out;
}

void environment(Kubernetes& job, const SpecNode& node, const std::string& path) {
  for (const SpecNode& item : node.items) {
    const SpecNode* name = child(item, "name");
    const SpecNode* value = child(item, "value");
    if (name == nullptr) return job.wrong(item, path, "a variable without a name");
    const std::string where = path + "." + name->text;
    std::string text;
    if (value != nullptr && value->kind != Kind::Null) {
      text = expanded(job, job.text(*value, where).value_or(""), where);
    } else if (child(item, "valueFrom") != nullptr) {
      job.values.erase(name->text);
      job.dropped(where, "its value comes from an object of the cluster");
      continue;
    }
    job.values[name->text] = text;
    job.variable(name->text, text);
  }
}

void texts(Kubernetes& job, const SpecNode& node, const std::string& path,
           std::vector<std::string>& out) {
  if (node.kind != Kind::List) return job.wrong(node, path, "expected a list of texts");
  for (const SpecNode& item : node.items) {
    if (const auto text = job.text(item, path)) out.push_back(*text);
  }
}

constexpr std::string_view kUser = "write 'user:' by hand; without it the image's own user runs";
constexpr std::string_view kMounts = "give the path of the files on the nodes";

constexpr std::array<Field, 19> kContainer{{
    {"name", [](Kubernetes&, const SpecNode&, const std::string&) {}},
    {"image",
     [](Kubernetes& job, const SpecNode& node, const std::string& path) { job.image(node, path); }},
    {"imagePullPolicy", nullptr, "it belongs to an image"},
    {"command", [](Kubernetes& job, const SpecNode& node,
                   const std::string& path) { texts(job, node, path, job.command); }},
    {"args",
     [](Kubernetes& job, const SpecNode& node, const std::string& path) {
       job.arguments_at = &node;
       texts(job, node, path, job.arguments);
     }},
    {"workingDir",
     [](Kubernetes& job, const SpecNode& node, const std::string& path) {
       if (const auto text = job.text(node, path)) job.directory(path, *text);
     }},
    {"env", environment},
    {"envFrom", nullptr, "its values come from objects of the cluster"},
    {"resources", resources},
    {"volumeMounts", nullptr, kMounts},
    {"volumeDevices", nullptr, kMounts},
    {"ports", nullptr, "a job's ports are the host's own"},
    {"securityContext", nullptr, kUser},
    {"lifecycle", nullptr},
    {"livenessProbe", nullptr, "a job is not probed"},
    {"readinessProbe", nullptr, "a job is not probed"},
    {"startupProbe", nullptr, "a job is not probed"},
    {"stdin", nullptr, "a job's standard input is empty"},
    {"tty", nullptr, "a job has no terminal"},
}};

void containers(Kubernetes& job, const SpecNode& node, const std::string& path) {
  if (node.kind != Kind::List || node.items.empty()) {
    return job.wrong(node, path, "expected a list with a container");
  }
  job.container_at = &node.items[0];
  read_fields<Kubernetes>(job, node.items[0], "containers[0]", kContainer);
  for (std::size_t i = 1; i < node.items.size(); ++i) {
    const SpecNode* name = child(node.items[i], "name");
    job.dropped(fmt::format("containers[{}] '{}'", i, name == nullptr ? "" : name->text),
                "a task is one command: the first container's");
  }
}

void selector(Kubernetes& job, const SpecNode& node, const std::string& path) {
  for (std::size_t i = 0; i < node.keys.size(); ++i) {
    const std::string& key = node.keys[i].name;
    if (key == "nvidia.com/gpu.product" || key.ends_with("/gke-accelerator") ||
        key.ends_with("/gpu_nvidia_class") || key == "accelerator") {
      job.gpu_model = node.items[i].text;
    } else {
      job.dropped(path + "." + key, "Gyre chooses the nodes");
    }
  }
}

constexpr std::string_view kPlace = "Gyre chooses the nodes";

constexpr std::array<Field, 19> kPod{{
    {"containers", containers},
    {"nodeSelector", selector},
    {"terminationGracePeriodSeconds",
     [](Kubernetes& job, const SpecNode& node, const std::string& path) {
       const auto grace = job.whole(node, path, 0, 86'400);
       if (grace) job.spec.checkpoint.grace = seconds(*grace);
     }},
    {"restartPolicy", [](Kubernetes&, const SpecNode&, const std::string&) {}},
    {"initContainers", nullptr, "a task is one command: do their work in it"},
    {"tolerations", nullptr, kPlace},
    {"affinity",
     [](Kubernetes& job, const SpecNode& node, const std::string&) { job.pod.affinity = &node; }},
    {"nodeName", nullptr, kPlace},
    {"topologySpreadConstraints",
     [](Kubernetes& job, const SpecNode& node, const std::string&) { job.pod.spreads = &node; }},
    {"schedulerName", nullptr, kPlace},
    {"runtimeClassName", nullptr, kPlace},
    {"priorityClassName", nullptr, "use 'priority: 0..10'"},
    {"volumes", nullptr, kMounts},
    {"serviceAccountName", nullptr},
    {"imagePullSecrets", nullptr, "they belong to an image"},
    {"securityContext", nullptr, kUser},
    {"hostNetwork", nullptr, "a job's network is the host's own"},
    {"hostIPC", nullptr, "a host process has the host's own"},
    {"dnsPolicy", nullptr, "a job's network is the host's own"},
}};

/// They say whom placement means, and no more.
void labels(Kubernetes& job, const SpecNode& node, const std::string& path) {
  const SpecNode* labels = child(node, "labels");
  for (std::size_t i = 0; labels != nullptr && i < labels->keys.size(); ++i) {
    job.pod.labels.emplace_back(labels->keys[i].name, labels->items[i].text);
  }
  job.dropped(path, "Gyre keeps no labels");
}

constexpr std::array<Field, 2> kTemplate{
    {{"metadata", labels}, {"spec", [](Kubernetes& job, const SpecNode& node, const std::string&) {
                              read_fields<Kubernetes>(job, node, "pod", kPod);
                            }}}};

template <std::int64_t Kubernetes::*member>
void count(Kubernetes& job, const SpecNode& node, const std::string& path) {
  job.*member = job.whole(node, path, 0, kTasksPerJobMax).value_or(1);
}

constexpr std::array<Field, 11> kSpec{
    {{"template",
      [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        read_fields<Kubernetes>(job, node, path, kTemplate);
      }},
     {"parallelism", count<&Kubernetes::parallelism>},
     {"completions", count<&Kubernetes::completions>},
     {"backoffLimit", count<&Kubernetes::backoff_limit>},
     {"completionMode", [](Kubernetes& job, const SpecNode& node,
                           const std::string&) { job.indexed = node.text == "Indexed"; }},
     {"activeDeadlineSeconds",
      [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        const auto limit = job.whole(node, path, 1, 315'360'000);
        if (limit) job.spec.deadline = seconds(*limit);
      }},
     {"ttlSecondsAfterFinished", nullptr, "Gyre forgets old jobs by itself"},
     {"suspend", nullptr, "do not submit it yet instead"},
     {"selector", nullptr},
     {"manualSelector", nullptr},
     {"podFailurePolicy", nullptr, "see retry.on"}}};

constexpr std::array<Field, 3> kMetadata{
    {{"name",
      [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        if (const auto text = job.text(node, path)) job.name(*text);
      }},
     {"generateName",
      [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        if (const auto text = job.text(node, path)) job.name(*text);
      }},
     {"namespace", nullptr, "Gyre knows tenants and queues"}}};

constexpr std::array<Field, 4> kFields{
    {{"apiVersion", [](Kubernetes&, const SpecNode&, const std::string&) {}},
     {"kind", [](Kubernetes&, const SpecNode&, const std::string&) {}},
     {"metadata",
      [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        read_fields<Kubernetes>(job, node, path, kMetadata);
      }},
     {"spec", [](Kubernetes& job, const SpecNode& node, const std::string& path) {
        read_fields<Kubernetes>(job, node, path, kSpec);
      }}}};

void settle_retry(Kubernetes& job) {
  Retry& retry = job.spec.retry;
  retry.on_error = job.backoff_limit > 0;
  retry.retries_max =
      static_cast<std::int32_t>(std::min<std::int64_t>(job.backoff_limit, kRetriesMax));
  retry.backoff = seconds(10);  // the Job controller's: 10 s, doubling, 6 min at most
  retry.backoff_max = seconds(360);
}

/// The image's own entry point can run alone: a spec has a whole command or none.
void check_command(Kubernetes& job, const SpecNode& root) {
  if (job.error || !job.command.empty()) return;
  const SpecNode& container = job.container_at == nullptr ? root : *job.container_at;
  if (!job.arguments.empty()) {
    job.wrong(*job.arguments_at, "containers[0].args",
              "Gyre runs an image's entry point without arguments, or a whole command: write the "
              "entry point as 'command' too ('skopeo inspect --config' shows it)",
              ErrorKind::Unsupported);
  } else if (job.spec.launch.container.image.empty()) {
    job.wrong(container, "containers[0]", "it has neither a command nor an image");
  } else if (job.indexed) {
    job.wrong(container, "containers[0].command",
              "it is missing: the index is handed to a command, not to an image's entry point",
              ErrorKind::Unsupported);
  }
}

Result<Draft> job_of(const SpecNode& root) {
  Kubernetes job;
  read_fields<Kubernetes>(job, root, "", kFields);
  check_command(job, root);
  const std::int64_t nodes = std::max<std::int64_t>(1, job.parallelism);
  if (job.completions > nodes) {
    job.wrong(root, "spec.completions",
              fmt::format("{} runs, {} at a time: submit one job for each run instead",
                          job.completions, nodes),
              ErrorKind::Unsupported);
  }
  if (!job.gpus.empty()) {
    const std::vector<std::string> names =
        job.gpu_model.empty() ? std::vector<std::string>{} : std::vector{job.gpu_model};
    job.gpu(job.gpu_at, "nvidia.com/gpu", names, job.gpus);
  }
  if (job.error) return tl::unexpected(*job.error);
  job.nodes() = static_cast<std::int32_t>(nodes);
  if (nodes > 1) job.changed("spec.parallelism", "a gang on different nodes, started together");
  read_placement(job, job.pod);
  if (job.error) return tl::unexpected(*job.error);
  settle_retry(job);
  for (const std::string& word : job.command) {
    job.spec.launch.command.push_back(expanded(job, word, "containers[0].command"));
  }
  for (const std::string& word : job.arguments) {
    job.spec.launch.command.push_back(expanded(job, word, "containers[0].args"));
  }
  if (job.error) return tl::unexpected(*job.error);
  if (job.indexed) {
    job.spec.launch.command.insert(
        job.spec.launch.command.begin(),
        {"/bin/sh", "-c", "export JOB_COMPLETION_INDEX=$GYRE_TASK_RANK; exec \"$@\"", "sh"});
  }
  return static_cast<Draft&>(job);
}

/// Those of a List, as 'kubectl get -o yaml' prints it, are its items.
std::vector<const SpecNode*> objects_of(std::span<const SpecNode> documents) {
  std::vector<const SpecNode*> objects;
  for (const SpecNode& document : documents) {
    const SpecNode* kind = child(document, "kind");
    const SpecNode* items = child(document, "items");
    if (kind == nullptr || kind->text != "List" || items == nullptr || items->kind != Kind::List) {
      objects.push_back(&document);
      continue;
    }
    for (const SpecNode& item : items->items) objects.push_back(&item);
  }
  return objects;
}

}  // namespace

Result<std::vector<Draft>> from_kubernetes(std::span<const SpecNode> documents) {
  std::vector<Draft> drafts;
  std::vector<std::string> others;
  for (const SpecNode* object : objects_of(documents)) {
    const SpecNode* kind = child(*object, "kind");
    const SpecNode* version = child(*object, "apiVersion");
    const bool is_job = kind != nullptr && kind->text == "Job" && version != nullptr &&
                        version->text.starts_with("batch/");
    if (!is_job) {
      others.push_back(fmt::format("dropped a {}: Gyre imports batch/v1 Jobs",
                                   kind == nullptr ? "document" : printable(kind->text)));
      continue;
    }
    if (drafts.size() == kJobsMax) {
      return fail(ErrorKind::Invalid, "more than {} jobs", kJobsMax);
    }
    auto draft = job_of(*object);
    if (!draft) return tl::unexpected(draft.error());
    drafts.push_back(std::move(*draft));
  }
  if (drafts.empty()) {
    return fail(ErrorKind::Unsupported, "there is no batch/v1 Job in it");
  }
  drafts[0].notes.insert(drafts[0].notes.begin(), others.begin(), others.end());
  return drafts;
}

}  // namespace gyre::codec::import
