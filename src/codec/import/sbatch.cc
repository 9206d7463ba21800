#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <cstring>
#include <utility>

#include "codec/import/draft.h"
#include "codec/import/sbatch_text.h"
#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

constexpr std::size_t kArrayBytesMax = 16U << 20U;  // of the scripts of one array together

/// What the options of one script ask for, before it is known what they come to together.
struct Sbatch : Draft {
  SpecNode at;  // of the option that is read
  std::int64_t nodes_asked = 0;
  std::int64_t tasks = 0;
  std::int64_t tasks_per_node = 0;
  std::int64_t cpus_per_task = 0;
  std::string gpu_name;
  std::int64_t gpus_per_node = 0;
  std::int64_t gpus = 0;
  std::int64_t gpus_per_task = 0;
  std::string memory_per_node;
  std::string memory_per_cpu;
  std::string memory_per_gpu;
  std::vector<std::int64_t> array;
};

struct Option {
  std::string_view name;
  char letter = 0;
  bool has_value = true;
  void (*read)(Sbatch&, const std::string& value, const std::string& path) = nullptr;
  std::string_view why = "Gyre has nothing like it";
};

std::int64_t number(Sbatch& job, const std::string& value, const std::string& path,
                    std::int64_t most = kTasksPerJobMax) {
  SpecNode node = job.at;
  node.kind = SpecNode::Kind::Number;
  node.text = value;
  return job.whole(node, path, 1, most).value_or(1);
}

void nodes(Sbatch& job, const std::string& value, const std::string& path) {
  const std::size_t dash = value.find('-');
  if (dash != std::string::npos) job.changed(path, "the least number of nodes is asked for");
  job.nodes_asked = number(job, value.substr(0, dash), path);
}

/// "gpu", "gpu:4", "gpu:a100:4", "a100:4", "4"; with "(S:0-1)" behind it.
void take_gpus(Sbatch& job, std::string value, const std::string& path, std::int64_t& count) {
  value = value.substr(0, value.find('('));
  const std::size_t colon = value.rfind(':');
  std::string last = colon == std::string::npos ? value : value.substr(colon + 1);
  const bool counted = !last.empty() && last.find_first_not_of("0123456789") == std::string::npos;
  if (counted) {
    job.gpu_name = colon == std::string::npos ? job.gpu_name : value.substr(0, colon);
  } else {
    job.gpu_name = value;
  }
  count = counted ? number(job, last, path) : 1;
}

void gres(Sbatch& job, const std::string& value, const std::string& path) {
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    const std::string part = value.substr(begin, end - begin);
    begin = end + 1;
    if (part == "gpu") {
      job.gpus_per_node = 1;
    } else if (part.starts_with("gpu:")) {
      take_gpus(job, part.substr(4), path, job.gpus_per_node);
    } else if (!part.empty() && part != "none") {
      job.dropped(path + "=" + part, "Gyre knows no resource of that name");
    }
  }
}

void time_limit(Sbatch& job, const std::string& value, const std::string& path) {
  const auto limit = slurm_time(value);
  if (!limit) {
    return job.wrong(job.at, path, "expected a time as in 30, 1:30:00 or 2-12:00:00");
  }
  if (*limit == Duration{}) return;  // Slurm: no limit
  job.spec.expected_duration = *limit;
  job.changed(path, "it is expected_duration now, which plans with it and stops nothing");
}

/// "B:USR1@120"
void signal(Sbatch& job, const std::string& value, const std::string& path) {
  std::string name = value.substr(value.find(':') == std::string::npos ? 0 : value.find(':') + 1);
  const std::size_t at_sign = name.find('@');
  const std::string lead = at_sign == std::string::npos ? "60" : name.substr(at_sign + 1);
  name = name.substr(0, at_sign);
  if (name.starts_with("SIG")) name.erase(0, 3);
  for (int signal = 1; signal < 32; ++signal) {
    const char* known = sigabbrev_np(signal);
    const bool same = known != nullptr && (name == known || name == std::to_string(signal));
    if (!same || signal == SIGKILL || signal == SIGSTOP) continue;
    job.spec.checkpoint.signal = signal;
    job.spec.checkpoint.grace = seconds(number(job, lead, path, 65'535));
    job.changed(path, "it is sent when Gyre stops the job, not before a time limit");
    return;
  }
  job.wrong(job.at, path, fmt::format("'{}' is no signal", printable(name)));
}

void environment(Sbatch& job, const std::string& value, const std::string& path) {
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find(',', begin), value.size());
    const std::string part = value.substr(begin, end - begin);
    begin = end + 1;
    const std::size_t equals = part.find('=');
    if (equals != std::string::npos) {
      job.variable(part.substr(0, equals), part.substr(equals + 1));
    } else if (part != "NONE" && !part.empty()) {
      job.dropped(path + "=" + part, "a job does not inherit the submitter's environment");
    }
  }
}

void array(Sbatch& job, const std::string& value, const std::string& path) {
  const std::size_t percent = value.find('%');
  if (percent != std::string::npos) {
    job.dropped(path + value.substr(percent), "Gyre has no limit of tasks at once");
  }
  const auto indices = slurm_array(value.substr(0, percent), kJobsMax);
  if (!indices) {
    return job.wrong(
        job.at, path,
        fmt::format("expected indices as in 0-9, 1,3,5 or 0-99:10, {} at most", kJobsMax));
  }
  job.array = *indices;
}

constexpr std::string_view kOutput = "see 'gyre logs'";
constexpr std::string_view kMail = "follow 'gyre events -f' instead";
constexpr std::string_view kPlace = "Gyre chooses the nodes";

template <std::int64_t Sbatch::*member>
void count(Sbatch& job, const std::string& value, const std::string& path) {
  job.*member = number(job, value, path);
}
template <std::string Sbatch::*member>
void keep(Sbatch& job, const std::string& value, const std::string&) {
  job.*member = value;
}

constexpr std::array<Option, 51> kOptions{{
    {"job-name", 'J', true,
     [](Sbatch& job, const std::string& value, const std::string&) { job.name(value); }},
    {"nodes", 'N', true, nodes},
    {"ntasks", 'n', true, count<&Sbatch::tasks>},
    {"ntasks-per-node", 0, true, count<&Sbatch::tasks_per_node>},
    {"cpus-per-task", 'c', true, count<&Sbatch::cpus_per_task>},
    {"gres", 0, true, gres},
    {"gpus-per-node", 0, true,
     [](Sbatch& job, const std::string& value, const std::string& path) {
       take_gpus(job, value, path, job.gpus_per_node);
     }},
    {"gpus", 'G', true,
     [](Sbatch& job, const std::string& value, const std::string& path) {
       take_gpus(job, value, path, job.gpus);
     }},
    {"gpus-per-task", 0, true,
     [](Sbatch& job, const std::string& value, const std::string& path) {
       take_gpus(job, value, path, job.gpus_per_task);
     }},
    {"mem", 0, true, keep<&Sbatch::memory_per_node>},
    {"mem-per-cpu", 0, true, keep<&Sbatch::memory_per_cpu>},
    {"mem-per-gpu", 0, true, keep<&Sbatch::memory_per_gpu>},
    {"time", 't', true, time_limit},
    {"signal", 0, true, signal},
    {"export", 0, true, environment},
    {"array", 'a', true, array},
    {"chdir", 'D', true,
     [](Sbatch& job, const std::string& value, const std::string& path) {
       job.directory(path, value);
     }},
    {"requeue", 0, false,
     [](Sbatch& job, const std::string&, const std::string&) {
       job.spec.retry.on_interruption = true;
     }},
    {"no-requeue", 0, false,
     [](Sbatch& job, const std::string&, const std::string&) {
       job.spec.retry.on_interruption = job.spec.retry.on_no_capacity = false;
     }},
    {"partition", 'p', true, nullptr, "name a queue with 'queue:' if there is one for it"},
    {"account", 'A', true, nullptr, "Gyre knows tenants and queues"},
    {"qos", 'q', true, nullptr, "use 'priority: 0..10' and a queue"},
    {"nice", 0, true, nullptr, "use 'priority: 0..10'"},
    {"priority", 0, true, nullptr, "use 'priority: 0..10'"},
    {"output", 'o', true, nullptr, kOutput},
    {"error", 'e', true, nullptr, kOutput},
    {"input", 'i', true, nullptr, "a job's standard input is empty"},
    {"open-mode", 0, true, nullptr, kOutput},
    {"mail-type", 0, true, nullptr, kMail},
    {"mail-user", 0, true, nullptr, kMail},
    {"dependency", 'd', true, nullptr, "this version has no dependencies between jobs"},
    {"constraint", 'C', true, nullptr, "choose a GPU model with resources.gpu"},
    {"nodelist", 'w', true, nullptr, kPlace},
    {"exclude", 'x', true, nullptr, kPlace},
    {"exclusive", 0, false, nullptr, "ask for a whole node's GPUs, CPUs and memory"},
    {"hint", 0, true, nullptr},
    {"licenses", 'L', true, nullptr},
    {"reservation", 0, true, nullptr},
    {"begin", 'b', true, nullptr, "Gyre has no timetable"},
    {"deadline", 0, true, nullptr, "give 'deadline:' as a time from submission"},
    {"distribution", 'm', true, nullptr, "there is one task on each node"},
    {"gpu-bind", 0, true, nullptr, "a task sees its own GPUs and no others"},
    {"switches", 0, true, nullptr},
    {"wckey", 0, true, nullptr},
    {"comment", 0, true, nullptr},
    {"clusters", 'M', true, nullptr},
    {"tmp", 0, true, nullptr, "Gyre does not reserve disk space"},
    {"threads-per-core", 0, true, nullptr},
    {"cores-per-socket", 0, true, nullptr},
    {"ntasks-per-gpu", 0, true, nullptr},
    {"oversubscribe", 's', false, nullptr, "use 'sharing:'"},
}};

const Option* option_named(std::string_view name) {
  const auto known = std::find_if(kOptions.begin(), kOptions.end(),
                                  [&](const Option& it) { return it.name == name; });
  return known == kOptions.end() ? nullptr : &*known;
}

const Option* option_lettered(char letter) {
  const auto known = std::find_if(kOptions.begin(), kOptions.end(),
                                  [&](const Option& it) { return it.letter == letter; });
  return known == kOptions.end() ? nullptr : &*known;
}

/// One line's words: "--nodes=2", "--nodes 2", "-N 2", "-N2".
void read_options(Sbatch& job, const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_long = word.starts_with("--");
    if (word.size() < 2 || word[0] != '-') {
      job.dropped(word, "it is no option");
      continue;
    }
    const std::size_t equals = is_long ? word.find('=') : std::string::npos;
    const std::string name = is_long ? word.substr(0, equals) : word.substr(0, 2);
    const Option* option = is_long ? option_named(name.substr(2)) : option_lettered(word[1]);
    if (option == nullptr) {
      job.dropped(word, "it is not known");
      continue;
    }
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (!is_long && word.size() > 2) {
      value = word.substr(2);
    } else if (option->has_value && i + 1 < words.size()) {
      value = words[++i];
    } else if (option->has_value) {
      return job.wrong(job.at, name, "its value is missing");
    }
    if (option->read != nullptr) {
      option->read(job, value, name);
    } else {
      job.dropped(name + (value.empty() ? "" : "=" + value), option->why);
    }
  }
}

/// What the counts come to on each node.
void settle_counts(Sbatch& job) {
  std::int64_t& per_node = job.tasks_per_node;
  if (job.nodes_asked == 0) {
    job.nodes_asked = per_node > 0 && job.tasks > 0 ? (job.tasks + per_node - 1) / per_node : 1;
  }
  if (per_node == 0) {
    per_node = std::max<std::int64_t>(1, (job.tasks + job.nodes_asked - 1) / job.nodes_asked);
  }
  job.nodes() = static_cast<std::int32_t>(job.nodes_asked);
  std::int64_t gpus = job.gpus_per_node;
  if (job.gpus > 0 && job.gpus % job.nodes_asked != 0) {
    return job.wrong({}, "--gpus",
                     fmt::format("{} GPUs do not divide among {} nodes; use --gpus-per-node",
                                 job.gpus, job.nodes_asked));
  }
  if (gpus == 0) gpus = job.gpus / job.nodes_asked;
  if (gpus == 0) gpus = job.gpus_per_task * per_node;
  if (gpus > 0) {
    const std::vector<std::string> names =
        job.gpu_name.empty() ? std::vector<std::string>{} : std::vector{job.gpu_name};
    job.gpu({}, "the GPUs", names, std::to_string(gpus));
  }
  const std::int64_t cpus = std::max<std::int64_t>(1, job.cpus_per_task) * per_node;
  if (job.cpus_per_task > 0 || job.tasks > 0) job.request().cpu = CpuMilli{cpus * 1000};
  const std::array<std::pair<const std::string*, std::int64_t>, 3> memories{
      {{&job.memory_per_node, 1}, {&job.memory_per_cpu, cpus}, {&job.memory_per_gpu, gpus}}};
  for (const auto& [text, times] : memories) {
    if (text->empty()) continue;
    const auto size = slurm_memory(*text);
    if (!size) return job.wrong({}, "--mem", fmt::format("'{}' is no size", printable(*text)));
    if (size->value == 0) job.dropped("--mem=0", "ask for a whole node's memory by its size");
    job.request().memory = MemoryMib{std::min<std::int64_t>(size->value * times, 1'000'000'000)};
  }
}

void set_command(Sbatch& job, const SbatchText& file) {
  std::string script = file.body;
  const bool shell = file.interpreter.front().ends_with("sh");
  if (shell) {
    const std::string per_node = std::to_string(job.tasks_per_node);
    const bool spawns = job.tasks_per_node > 1;
    const std::string all = fmt::format("$((GYRE_NUM_NODES*{}))", per_node);
    const std::array<Alias, 13> aliases{
        {{"SLURM_JOB_ID", "$GYRE_JOB_ID"},
         {"SLURM_JOBID", "$GYRE_JOB_ID"},
         {"SLURM_JOB_NAME", "$GYRE_JOB_NAME"},
         {"SLURM_NNODES", "$GYRE_NUM_NODES"},
         {"SLURM_JOB_NUM_NODES", "$GYRE_NUM_NODES"},
         {"SLURM_NODEID", "$GYRE_NODE_RANK"},
         {"SLURM_PROCID", spawns ? "${SLURM_PROCID:-0}" : "$GYRE_NODE_RANK"},
         {"SLURM_LOCALID", spawns ? "${SLURM_LOCALID:-0}" : "0"},
         {"SLURM_NTASKS", all},
         {"SLURM_NTASKS_PER_NODE", per_node},
         {"SLURM_CPUS_PER_TASK", std::to_string(std::max<std::int64_t>(1, job.cpus_per_task))},
         {"SLURM_GPUS_ON_NODE", std::to_string(job.request().gpus)},
         {"SLURM_SUBMIT_DIR", "$PWD"}}};
    std::string prelude = aliases_for(job, script, "SLURM", aliases);
    if (uses_srun(script)) {
      prelude += srun_function(job.tasks_per_node);
      job.changed("srun", fmt::format("it starts {} process{} here, on the node that runs it",
                                      per_node, spawns ? "es" : ""));
    }
    script = prelude + script;
  }
  if (job.nodes() > 1) {
    job.changed("the script", "every node runs it, not the first one alone");
  }
  job.spec.launch.command = file.interpreter;
  job.spec.launch.command.insert(job.spec.launch.command.end(), {"-c", script});
}

}  // namespace

Result<std::vector<Draft>> from_sbatch(std::string_view text) {
  const auto file = split_sbatch(text);
  if (!file) return tl::unexpected(file.error());
  Sbatch job;
  for (const SbatchText::Line& line : file->options) {
    job.at.line = line.number;
    job.at.column = 1;
    read_options(job, line.words);
  }
  for (const int line : file->late) {
    job.notes.push_back(
        fmt::format("kept line {}: behind the first command #SBATCH asks for nothing", line));
  }
  if (file->dos_line_ends) job.changed("the line ends", "CR LF is LF now, as a shell needs it");
  if (!job.error) settle_counts(job);
  if (job.error) return tl::unexpected(*job.error);
  const bool alone = job.array.empty();
  if (alone) job.array = {0};
  if (file->body.size() * job.array.size() > kArrayBytesMax) {
    return fail(ErrorKind::Invalid, "{} copies of a script of {} bytes are too many",
                job.array.size(), file->body.size());
  }
  std::vector<Draft> drafts;
  for (const std::int64_t index : job.array) {
    Sbatch element = job;
    if (!alone) {
      element.variable("SLURM_ARRAY_TASK_ID", std::to_string(index));
      element.variable("SLURM_ARRAY_TASK_COUNT", std::to_string(job.array.size()));
    }
    set_command(element, *file);
    if (!drafts.empty()) element.notes.clear();  // the same as the first one's
    drafts.push_back(std::move(element));
  }
  if (!alone) drafts[0].changed("--array", fmt::format("it is {} jobs now", drafts.size()));
  return drafts;
}

}  // namespace gyre::codec::import
