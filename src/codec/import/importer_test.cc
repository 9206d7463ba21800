#include "codec/import/importer.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "codec/import/sbatch_text.h"
#include "codec/job_spec_text.h"

namespace gyre::codec::import {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

std::string sample(const std::string& name) {
  std::ifstream file(std::string(GYRE_SOURCE_DIR) + "/tests/fuzz/import/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

Import import_file(const std::string& name, Format expected) {
  auto out = import_jobs(sample(name), Format::Auto);
  EXPECT_TRUE(out) << out.error().message;
  if (!out) return {};
  EXPECT_EQ(out->format, expected);
  return std::move(*out);
}

Error refusal(std::string_view text, Format format = Format::Auto) {
  const auto out = import_jobs(text, format);
  EXPECT_FALSE(out);
  return out ? Error{} : out.error();
}

TEST(ImportDstack, ADistributedTask) {
  const Import out = import_file("dstack-distributed.dstack.yml", Format::Dstack);
  ASSERT_EQ(out.jobs.size(), 1U);
  const JobSpec& job = out.jobs[0];
  EXPECT_EQ(job.name, "train-distrib");
  EXPECT_EQ(job.tasks[0].count, 2);
  const Request& request = job.tasks[0].request;
  EXPECT_EQ(format_gpu(request), "A100:80GB:2");
  EXPECT_EQ(request.cpu, CpuMilli{16'000});
  EXPECT_EQ(request.memory, MemoryMib{200 * 1024});
  EXPECT_EQ(job.expected_duration, seconds(6 * 3600));
  EXPECT_FALSE(job.retry.on_error);
  EXPECT_TRUE(job.retry.on_no_capacity);
  EXPECT_EQ(job.priority, 5);
  EXPECT_TRUE(job.preemptible);
  EXPECT_THAT(job.launch.env, ElementsAre(Pair("NCCL_DEBUG", "INFO")));
  ASSERT_EQ(job.launch.command.size(), 3U);
  EXPECT_THAT(job.launch.command[2], AllOf(HasSubstr("export DSTACK_NODE_RANK=$GYRE_NODE_RANK\n"),
                                           HasSubstr("export DSTACK_GPUS_PER_NODE=2\n"),
                                           HasSubstr("pytorch-examples &&\ncd pytorch-examples"),
                                           HasSubstr("multinode.py 50 10")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped env.HF_TOKEN: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("changed resources.cpu: '16..32'")));
  for (const char* field : {"python", "resources.disk", "resources.shm_size", "backends",
                            "max_price", "retry.duration"}) {
    EXPECT_THAT(out.notes, Contains(StartsWith(std::string("dropped ") + field + ": ")));
  }
}

TEST(ImportDstack, AGpuInParts) {
  const Import out = import_file("dstack-gpu-parts.dstack.yml", Format::Dstack);
  ASSERT_EQ(out.jobs.size(), 1U);
  EXPECT_EQ(format_gpu(out.jobs[0].tasks[0].request), "H100,A100:40GB:4");
  EXPECT_EQ(out.jobs[0].tasks[0].request.memory, MemoryMib{128 * 1024});
  EXPECT_THAT(out.jobs[0].launch.command,
              ElementsAre("/bin/sh", "-c", "axolotl train config.yaml"));
  EXPECT_EQ(out.jobs[0].launch.container.image, "nvcr.io/nvidia/pytorch:24.07-py3");
}

TEST(ImportDstack, RefusesWhatIsNoTask) {
  const Error service = refusal("type: service\nname: llama\ncommands: [x]\nport: 80\n");
  EXPECT_EQ(service.kind, ErrorKind::Unsupported);
  EXPECT_THAT(service.message, HasSubstr("service"));
  EXPECT_THAT(refusal("type: task\nname: x\n").message, HasSubstr("commands"));
  EXPECT_EQ(refusal("type: task\ncommands: [x]\nresources: {gpu: tpu-v5}\n").kind,
            ErrorKind::Unsupported);
  EXPECT_EQ(refusal("type: task\ncommands: [x]\nresources: {gpu: 'amd:MI300X'}\n").kind,
            ErrorKind::Unsupported);
  EXPECT_THAT(refusal("type: task\ncommands: [x]\nnodes: many\n").message,
              HasSubstr("line 3, column 8: nodes: "));
}

TEST(ImportSkypilot, ATaskWithSetup) {
  const Import out = import_file("skypilot-finetune.sky.yaml", Format::Skypilot);
  ASSERT_EQ(out.jobs.size(), 1U);
  const JobSpec& job = out.jobs[0];
  EXPECT_EQ(job.name, "vicuna-finetune");
  EXPECT_EQ(job.tasks[0].count, 2);
  EXPECT_EQ(format_gpu(job.tasks[0].request), "A100:80GB:8");
  EXPECT_EQ(job.tasks[0].request.cpu, CpuMilli{32'000});
  EXPECT_EQ(job.tasks[0].request.memory, MemoryMib{256 * 1024});
  EXPECT_TRUE(job.preemptible);
  EXPECT_THAT(job.launch.env,
              ElementsAre(Pair("MODEL_SIZE", "7"), Pair("HF_TOKEN", "not-a-token")));
  EXPECT_EQ(job.launch.command[0], "/bin/bash");
  EXPECT_THAT(job.launch.command[2],
              AllOf(HasSubstr("export SKYPILOT_NUM_GPUS_PER_NODE=8\n"), HasSubstr("|| exit 1\n")));
  EXPECT_THAT(out.notes, Contains("kept $SKYPILOT_NODE_IPS: Gyre does not set it"));
  EXPECT_THAT(out.notes, Contains(StartsWith("changed secrets: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped workdir: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped file_mounts: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped resources.infra: ")));
}

TEST(ImportSkypilot, APipelineBecomesJobs) {
  const Import out = import_file("skypilot-pipeline.sky.yaml", Format::Skypilot);
  ASSERT_EQ(out.jobs.size(), 2U);
  EXPECT_EQ(out.jobs[0].name, "train");
  EXPECT_EQ(format_gpu(out.jobs[0].tasks[0].request), "V100:4");
  EXPECT_EQ(out.jobs[1].tasks[0].request.gpu_models, (std::vector<std::string>{"T4", "L4"}));
  EXPECT_EQ(out.jobs[1].tasks[0].request.gpus, 1);
  EXPECT_THAT(out.notes, Contains(StartsWith("changed the pipeline: ")));
}

TEST(ImportSkypilot, RefusesServicesAndOtherDevices) {
  EXPECT_EQ(refusal("service: {readiness_probe: /}\nrun: x\n").kind, ErrorKind::Unsupported);
  EXPECT_EQ(refusal("resources: {accelerators: 'tpu-v4-8'}\nrun: x\n").kind,
            ErrorKind::Unsupported);
  EXPECT_THAT(refusal("name: x\nsetup: y\n").message, HasSubstr("nothing to run"));
}

TEST(ImportSbatch, AMultiNodeScript) {
  const Import out = import_file("train.sbatch", Format::Sbatch);
  ASSERT_EQ(out.jobs.size(), 1U);
  const JobSpec& job = out.jobs[0];
  EXPECT_EQ(job.name, "gpt-train");
  EXPECT_EQ(job.tasks[0].count, 4);
  EXPECT_EQ(format_gpu(job.tasks[0].request), "A100:2");
  EXPECT_EQ(job.tasks[0].request.cpu, CpuMilli{16'000});
  EXPECT_EQ(job.tasks[0].request.memory, MemoryMib{200 * 1024});
  EXPECT_EQ(job.expected_duration, seconds(36 * 3600));
  EXPECT_EQ(job.checkpoint.signal, SIGUSR1);
  EXPECT_EQ(job.checkpoint.grace, seconds(120));
  EXPECT_THAT(job.launch.env, ElementsAre(Pair("WANDB_MODE", "offline")));
  ASSERT_EQ(job.launch.command.size(), 4U);
  EXPECT_EQ(job.launch.command[0], "/bin/bash");
  EXPECT_EQ(job.launch.command[1], "-l");
  EXPECT_THAT(job.launch.command[3],
              AllOf(HasSubstr("export SLURM_GPUS_ON_NODE=2\n"), HasSubstr("srun() {"),
                    HasSubstr("module load cuda/12.2"), Not(HasSubstr("#SBATCH -N"))));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped --partition=gpu: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped --account=proj42: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped --export=ALL: ")));
  EXPECT_THAT(out.notes, Contains(StartsWith("kept line 16: ")));
  EXPECT_THAT(out.notes, Contains("kept $SLURM_JOB_NODELIST: Gyre does not set it"));
  EXPECT_THAT(out.notes, Contains(StartsWith("changed the script: every node runs it")));
}

TEST(ImportSbatch, AnArrayBecomesJobs) {
  const Import out = import_file("array.sbatch", Format::Sbatch);
  ASSERT_EQ(out.jobs.size(), 3U);
  EXPECT_THAT(out.jobs[2].launch.env, Contains(Pair("SLURM_ARRAY_TASK_ID", "9")));
  EXPECT_EQ(out.jobs[2].expected_duration, seconds(1800));
  EXPECT_EQ(out.jobs[2].tasks[0].request.gpus, 1);
  EXPECT_THAT(out.notes, Contains("changed --array: it is 3 jobs now"));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped -a%2: ")));
  EXPECT_THAT(out.notes, Not(Contains(HasSubstr("SLURM_ARRAY_TASK_ID"))));
}

TEST(ImportSbatch, CountsComeToWhatANodeGets) {
  struct Case {
    std::string options;
    std::int32_t nodes, gpus;
    std::int64_t cpu_milli, memory_mib;
  };
  const std::vector<Case> cases = {
      {"-n 8 --ntasks-per-node=4", 2, 0, 4'000, 0},
      {"-n 6 -N 3", 3, 0, 2'000, 0},
      {"-N2-4 -G 8", 2, 4, 0, 0},
      {"--gpus-per-task=2 -n 4 -N 1", 1, 8, 4'000, 0},
      {"--gres=gpu", 1, 1, 0, 0},
      {"--gres=gpu:v100:4(S:0-1),lscratch:50", 1, 4, 0, 0},
      {"--gpus-per-node=4 --mem-per-gpu=32G", 1, 4, 0, 131'072},
      {"-c 4 --mem-per-cpu 2048", 1, 0, 4'000, 8'192},
      {"--mem=1048576K", 1, 0, 0, 1'024},
  };
  for (const Case& it : cases) {
    const auto out = import_jobs("#!/bin/sh\n#SBATCH " + it.options + "\nhostname\n", Format::Auto);
    ASSERT_TRUE(out) << it.options << ": " << out.error().message;
    const TaskGroup& group = out->jobs[0].tasks[0];
    EXPECT_EQ(group.count, it.nodes) << it.options;
    EXPECT_EQ(group.request.gpus, it.gpus) << it.options;
    EXPECT_EQ(group.request.cpu.value, it.cpu_milli) << it.options;
    EXPECT_EQ(group.request.memory.value, it.memory_mib) << it.options;
  }
}

TEST(ImportSbatch, AGpuWithoutAModelIsAnyGpu) {
  const auto out = import_jobs("#!/bin/sh\n#SBATCH --gres=gpu:tesla:2\nx\n", Format::Auto);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(format_gpu(out->jobs[0].tasks[0].request), "2");
  EXPECT_THAT(out->notes,
              ElementsAre("changed the GPUs: 'tesla' names no model of GPU: any is asked for"));
}

TEST(ImportSbatch, APartOfAGpuIsRefused) {
  for (const std::string gres : {"gpu:nvidia_a100_3g.20gb:1", "gpu:1g.10gb+me:2", "gpu:2g.10gb"}) {
    const Error error = refusal("#!/bin/sh\n#SBATCH --gres=" + gres + "\nx\n");
    EXPECT_EQ(error.kind, ErrorKind::Unsupported) << gres;
    EXPECT_THAT(error.message, AllOf(HasSubstr("by MIG"), HasSubstr("sharing: mig"))) << gres;
  }
}

TEST(ImportSbatch, SaysWhatTheScriptReadsAndWhatItsLinesEndedIn) {
  const auto out = import_jobs("#!/bin/sh\r\necho $SLURMD_NODENAME\r\n", Format::Auto);
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->jobs[0].launch.command.back(), "echo $SLURMD_NODENAME\n");
  EXPECT_THAT(out->notes, UnorderedElementsAre("kept $SLURMD_NODENAME: Gyre does not set it",
                                               StartsWith("changed the line ends: ")));
}

TEST(ImportSbatch, RefusesWhatItCannotRun) {
  EXPECT_THAT(refusal("#!/bin/sh\n#SBATCH -N 3 -G 8\nx\n").message, HasSubstr("do not divide"));
  EXPECT_THAT(refusal("#!/bin/sh\n#SBATCH -N\nx\n").message, HasSubstr("value is missing"));
  EXPECT_THAT(refusal("#!/bin/sh\n#SBATCH -N x\nx\n").message, HasSubstr("line 2"));
  EXPECT_THAT(refusal("#SBATCH -N 1\nx\n").message, HasSubstr("#!"));
  EXPECT_THAT(refusal("#!/bin/sh\n#SBATCH -N 1\n").message, HasSubstr("no command"));
  EXPECT_THAT(refusal("#!/bin/sh\n#SBATCH -a 0-5000\nx\n").message, HasSubstr("1000 at most"));
  EXPECT_EQ(refusal("#!/usr/bin/perl\nx\n").kind, ErrorKind::Unsupported);
  EXPECT_EQ(refusal("#!/bin/sh\n#SBATCH -n1\n#SBATCH hetjob\nx\n").kind, ErrorKind::Unsupported);
}

TEST(ImportSbatch, TimesOfEveryForm) {
  EXPECT_EQ(slurm_time("30"), seconds(1800));
  EXPECT_EQ(slurm_time("30:15"), seconds(1815));
  EXPECT_EQ(slurm_time("1:30:00"), seconds(5400));
  EXPECT_EQ(slurm_time("2-12"), seconds(60 * 3600));
  EXPECT_EQ(slurm_time("2-12:30"), seconds(60 * 3600 + 1800));
  EXPECT_EQ(slurm_time("UNLIMITED"), Duration{});
  for (const char* wrong : {"", "x", "1:2:3:4", "-1", "1-", "99999-0", "1:", "999999999"}) {
    EXPECT_FALSE(slurm_time(wrong)) << wrong;
  }
}

TEST(ImportKubernetes, AnIndexedJob) {
  const Import out = import_file("kubernetes-jobs.yaml", Format::Kubernetes);
  ASSERT_EQ(out.jobs.size(), 1U);
  const JobSpec& job = out.jobs[0];
  EXPECT_EQ(job.name, "resnet-train");
  EXPECT_EQ(job.tasks[0].count, 2);
  EXPECT_EQ(format_gpu(job.tasks[0].request), "A100:80GB:4");
  EXPECT_EQ(job.tasks[0].request.cpu, CpuMilli{8500});
  EXPECT_EQ(job.tasks[0].request.memory, MemoryMib{64 * 1024});
  EXPECT_EQ(job.deadline, seconds(86'400));
  EXPECT_EQ(job.checkpoint.grace, seconds(60));
  EXPECT_TRUE(job.retry.on_error);
  EXPECT_EQ(job.retry.retries_max, 3);
  EXPECT_EQ(job.launch.working_directory, "/workspace");
  EXPECT_EQ(job.launch.container.image, "docker.io/pytorch/pytorch:2.4.0-cuda12.1-cudnn9-runtime");
  EXPECT_THAT(job.launch.env, ElementsAre(Pair("NCCL_DEBUG", "INFO")));
  EXPECT_THAT(job.launch.command,
              ElementsAre("/bin/sh", "-c", HasSubstr("JOB_COMPLETION_INDEX"), "sh", "python",
                          "train.py", "--epochs", "90", "--name=$(JOB)"));
  EXPECT_EQ(out.notes.front(), "dropped a ConfigMap: Gyre imports batch/v1 Jobs");
  EXPECT_THAT(out.notes, Contains(HasSubstr("'logger'")));
  EXPECT_THAT(out.notes, Contains(StartsWith("dropped containers[0].env.TOKEN: ")));
  EXPECT_THAT(out.notes, Contains(HasSubstr("nodeSelector.zone")));
  EXPECT_THAT(out.notes, Contains(HasSubstr("ephemeral-storage")));
}

TEST(ImportKubernetes, WhomItIsToBeWithAndWithout) {
  const Import out = import_file("kubernetes-affinity.yaml", Format::Kubernetes);
  ASSERT_EQ(out.jobs.size(), 2U);
  EXPECT_EQ(to_string(out.jobs[0].placement.value()),
            "group: web, max_per_node: 1, spread: zone, near: cache, apart: batch");
  EXPECT_EQ(to_string(out.jobs[1].placement.value()), "pack: rack");
  for (const char* note :
       {"dropped affinity.nodeAffinity: ", "near: wished for, not required", "the group 'batch'",
        "podAntiAffinity.preferred[0]: to be apart", "topologySpreadConstraints[0]: wished for",
        "topologySpreadConstraints[1]: its topologyKey",
        "podAntiAffinity.required[2]: Gyre keeps nodes apart"}) {
    EXPECT_THAT(out.notes, Contains(HasSubstr(note)));
  }
}

TEST(ImportKubernetes, APlacementThatCannotBeSaidIsDroppedAndNamed) {
  const auto notes_of = [](const std::string& pod) {
    const auto out = import_jobs(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {name: a}\nspec: {template: {metadata: "
        "{labels: "
        "{app: web, tier: x}}, spec: {containers: [{command: [x]}], " +
            pod + "}}}\n",
        Format::Kubernetes);
    EXPECT_TRUE(out) << pod << (out ? "" : out.error().message);
    if (!out) return std::string();
    EXPECT_FALSE(out->jobs[0].placement) << to_string(*out->jobs[0].placement);
    std::string all;
    for (const std::string& note : out->notes) all += note + "\n";
    return all;
  };
  const auto anti = [](const std::string& term) {
    return "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [" + term +
           "]}}";
  };
  const std::string host = "topologyKey: kubernetes.io/hostname";
  EXPECT_THAT(notes_of(anti("{" + host + "}")), HasSubstr("a group is one name"));
  EXPECT_THAT(notes_of(anti("{" + host + ", labelSelector: {matchLabels: {app: b, tier: c}}}")),
              HasSubstr("a group is one name"));
  EXPECT_THAT(notes_of(anti("{" + host +
                            ", labelSelector: {matchExpressions: [{key: app, "
                            "operator: Exists}]}}")),
              HasSubstr("a group is one name"));
  EXPECT_THAT(notes_of(anti("{topologyKey: power, labelSelector: {matchLabels: {app: b}}}")),
              HasSubstr("no level that Gyre knows"));
  EXPECT_THAT(refusal("apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {affinity: 3, "
                      "containers: [{command: [x]}]}}}\n")
                  .message,
              HasSubstr("affinity: expected fields"));
}

std::string kubernetes_job(const std::string& container) {
  return "apiVersion: batch/v1\nkind: Job\nspec: {template: {spec: {containers: [{" + container +
         "}]}}}\n";
}

TEST(ImportKubernetes, VariablesStandForWhatTheFileSays) {
  const auto out = import_jobs(
      kubernetes_job("args: ['$(B)', '$$(A)', '$(', 'a$b'], command: [x, '$(TOKEN)'], env: ["
                     "{name: A, value: a}, {name: B, value: '$(A)-$(A)'}, {name: A, value: z},"
                     "{name: TOKEN, valueFrom: {}}, {name: C, value: '$(D)$(TOKEN)'},"
                     "{name: D, value: '$'}]"),
      Format::Auto);
  ASSERT_TRUE(out) << out.error().message;
  const Launch& launch = out->jobs[0].launch;
  EXPECT_THAT(launch.env, ElementsAre(Pair("A", "z"), Pair("B", "a-a"), Pair("C", "$(D)$(TOKEN)"),
                                      Pair("D", "$")));
  EXPECT_THAT(launch.command, ElementsAre("x", "$(TOKEN)", "a-a", "$(A)", "$(", "a$b"));
  EXPECT_THAT(out->notes,
              UnorderedElementsAre(StartsWith("dropped containers[0].env.TOKEN: "),
                                   StartsWith("kept $(D) in containers[0].env.C: "),
                                   StartsWith("kept $(TOKEN) in containers[0].command: ")));
}

TEST(ImportKubernetes, VariablesThatGrowWithoutEndAreRefused) {
  std::string env = "{name: A0, value: aaaaaaaaaaaaaaaa}";
  for (int i = 1; i < 40; ++i) {
    env += fmt::format(", {{name: A{}, value: '$(A{})$(A{})'}}", i, i - 1, i - 1);
  }
  EXPECT_THAT(refusal(kubernetes_job("command: [x], env: [" + env + "]")).message,
              HasSubstr("more than a job spec may hold"));
}

TEST(ImportKubernetes, TheItemsOfAListAreItsJobs) {
  const auto out = import_jobs(
      "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Secret}\n"
      "- {apiVersion: batch/v1, kind: Job, metadata: {name: a},\n"
      "   spec: {template: {spec: {containers: [{command: [x]}]}}}}\n",
      Format::Auto);
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_EQ(out->jobs.size(), 1U);
  EXPECT_EQ(out->jobs[0].name, "a");
  EXPECT_EQ(out->notes.front(), "dropped a Secret: Gyre imports batch/v1 Jobs");
  EXPECT_EQ(refusal("apiVersion: v1\nkind: List\nitems: []\n").kind, ErrorKind::Unsupported);
}

TEST(ImportKubernetes, ArgumentsNeedACommand) {
  const Error arguments = refusal(kubernetes_job("image: busybox, args: [x]"));
  EXPECT_EQ(arguments.kind, ErrorKind::Unsupported);
  EXPECT_THAT(arguments.message, StartsWith("line 3, column 62: containers[0].args: "));
  const Error neither = refusal(kubernetes_job("name: a"));
  EXPECT_EQ(neither.kind, ErrorKind::Invalid);
  EXPECT_THAT(neither.message, StartsWith("line 3, column 39: containers[0]: "));
}

TEST(ImportKubernetes, RefusesWhatIsNoPlainJob) {
  EXPECT_THAT(refusal("apiVersion: apps/v1\nkind: Deployment\n").message,
              HasSubstr("no batch/v1 Job"));
  const std::string head = "apiVersion: batch/v1\nkind: Job\nspec:\n";
  const auto job = [&](const std::string& spec, const std::string& container) {
    return head + spec + "  template: {spec: {containers: [{" + container + "}]}}\n";
  };
  EXPECT_EQ(refusal(job("  completionMode: Indexed\n", "image: b")).kind, ErrorKind::Unsupported);
  EXPECT_EQ(refusal(job("  completions: 9\n", "command: [x]")).kind, ErrorKind::Unsupported);
  EXPECT_EQ(refusal(job("", "command: [x], resources: {limits: {nvidia.com/mig-1g.5gb: 1}}")).kind,
            ErrorKind::Unsupported);
  EXPECT_THAT(refusal(job("", "command: [x], resources: {limits: {memory: lots}}")).message,
              HasSubstr("64Gi"));
}

TEST(Import, EveryJobReadsBackAsItIsPrinted) {
  for (const char* name :
       {"dstack-distributed.dstack.yml", "dstack-gpu-parts.dstack.yml",
        "skypilot-finetune.sky.yaml", "skypilot-pipeline.sky.yaml", "train.sbatch", "array.sbatch",
        "kubernetes-jobs.yaml", "kubernetes-affinity.yaml", "kubernetes-list.yaml",
        "odd-commands.dstack.yml", "crlf.sbatch"}) {
    const auto out = import_jobs(sample(name), Format::Auto);
    ASSERT_TRUE(out) << name;
    for (const JobSpec& job : out->jobs) {
      EXPECT_EQ(read_job_spec(to_yaml(job).value(), SpecFormat::Yaml), job) << name;
      EXPECT_EQ(read_job_spec(to_json(job).value(), SpecFormat::Json), job) << name;
    }
    EXPECT_THAT(out->notes, Each(Not(HasSubstr("\n")))) << name;
  }
}

TEST(Import, SaysWhereAndWhat) {
  EXPECT_THAT(refusal("").message, HasSubstr("nothing in it"));
  EXPECT_THAT(refusal("a: 1\n").message, HasSubstr("none of the files that are known"));
  EXPECT_THAT(refusal("name: p\n---\nrun: x\nnum_nodes: 0\n").message,
              HasSubstr("line 4, column 12: num_nodes: "));
  EXPECT_THAT(refusal("run: x\n---\nrun: [\n").message, HasSubstr("line "));
  EXPECT_THAT(refusal("type: task\n---\ntype: task\n", Format::Dstack).message, HasSubstr("has 2"));
  EXPECT_THAT(refusal(std::string(kSpecBytesMax + 1, '\n'), Format::Dstack).message,
              HasSubstr("at most"));
}

}  // namespace
}  // namespace gyre::codec::import
