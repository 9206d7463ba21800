#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/job_spec.h"

/// Job files of other systems, read as Gyre's. Nothing is lost in silence: what Gyre cannot say is
/// named in a note. Pure, thread-safe; time and memory grow with the text, which is bounded.
namespace gyre::codec::import {

inline constexpr std::size_t kJobsMax = 1000;   // of one file, array tasks counted
inline constexpr std::size_t kNotesMax = 1000;  // the rest is counted, not listed

enum class Format : unsigned char {
  Auto,        // found out from the text
  Dstack,      // a `type: task` configuration (https://dstack.ai/docs/reference/dstack.yml/task)
  Skypilot,    // a task YAML (https://docs.skypilot.co/en/latest/reference/yaml-spec.html)
  Sbatch,      // a script with #SBATCH lines (https://slurm.schedmd.com/sbatch.html)
  Kubernetes,  // batch/v1 Jobs, several documents in a file allowed
};

/// What a file became.
struct Import {
  Format format = Format::Auto;  // never Auto in an answer
  std::vector<JobSpec> jobs;     // at least one, each accepted by read_job_spec() as to_yaml() says
  std::vector<std::string> notes;  // what was dropped or changed, one line each, safe to print
};

/// Errors: Invalid, it is no file of that system, or its values are wrong, with the place;
/// Unsupported, it asks for what Gyre cannot run at all (a dstack service, a TPU).
Result<Import> import_jobs(std::string_view text, Format format);

/// "dstack", "skypilot", "sbatch", "k8s"; "auto".
std::string_view to_string(Format format);

}  // namespace gyre::codec::import
