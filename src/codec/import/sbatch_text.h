#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/quantity.h"
#include "base/result.h"
#include "base/time.h"

/// The text of an sbatch script and of its values (https://slurm.schedmd.com/sbatch.html).
namespace gyre::codec::import {

struct SbatchText {
  struct Line {
    int number = 0;  // from 1
    std::vector<std::string> words;
  };
  std::vector<std::string> interpreter;  // "/bin/bash", "-l"; never empty
  std::vector<Line> options;             // of the #SBATCH lines before the first command
  std::vector<int> late;                 // #SBATCH lines behind it: comments, or of a here-document
  std::string body;            // without the first line and the options; its lines end in LF
  bool dos_line_ends = false;  // a line ended in CR LF
};

/// Errors: Invalid, no text, too long for one argument, no `#!` line; Unsupported, an interpreter
/// that has no `-c`, several components (hetjob).
Result<SbatchText> split_sbatch(std::string_view text);

/// "30" (minutes), "30:15", "1:30:00", "2-12", "2-12:30", "2-12:30:15"; 0 for UNLIMITED.
std::optional<Duration> slurm_time(std::string_view text);

/// "64G", "500M", "2T", "4096K", a bare number of MiB.
std::optional<MemoryMib> slurm_memory(std::string_view text);

/// "0-9", "1,3,5-7", "0-99:10"; at most `most` indices, ascending as written.
std::optional<std::vector<std::int64_t>> slurm_array(std::string_view text, std::size_t most);

/// Whether the script has the word srun.
bool uses_srun(std::string_view script);

/// A shell function `srun` that drops Slurm's options and runs its command `tasks` times at once
/// on this node, each with its SLURM_PROCID and SLURM_LOCALID; it returns the last bad exit code.
std::string srun_function(std::int64_t tasks);

}  // namespace gyre::codec::import
