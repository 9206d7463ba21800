#include "codec/import/sbatch_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/units.h"
#include "codec/job_spec_text.h"
#include "codec/printable.h"

namespace gyre::codec::import {
namespace {

constexpr std::string_view kMark = "#SBATCH";
constexpr std::string_view kBlank = " \t\r";

std::optional<std::int64_t> digits(std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, value);
  if (read.ec != std::errc{} || read.ptr != end || value < 0 || value > 1'000'000'000) {
    return std::nullopt;
  }
  return value;
}

/// Words as a shell would have them, quotes undone; a word that begins with '#' ends the line.
std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < line.size();) {
    if (kBlank.find(line[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    if (line[i] == '#') break;
    std::string word;
    char quote = 0;
    for (; i < line.size(); ++i) {
      const char c = line[i];
      if (quote != 0) {
        if (c == quote) {
          quote = 0;
        } else {
          word += c;
        }
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (kBlank.find(c) != std::string_view::npos) {
        break;
      } else {
        word += c;
      }
    }
    words.push_back(std::move(word));
  }
  return words;
}

Result<std::vector<std::string>> interpreter_of(std::string_view line) {
  if (!line.starts_with("#!")) {
    return fail(ErrorKind::Invalid, "line 1: an sbatch script begins with '#!', as in #!/bin/bash");
  }
  auto words = words_of(line.substr(2));
  if (words.empty()) return fail(ErrorKind::Invalid, "line 1: '#!' names no interpreter");
  const bool by_name = words[0].ends_with("/env") && words.size() > 1;
  const std::string& program = by_name ? words[1] : words[0];
  const std::string base = program.substr(program.rfind('/') + 1);
  if (base.ends_with("sh") || base.starts_with("python")) return words;
  return fail(ErrorKind::Unsupported,
              "line 1: Gyre gives a script to its interpreter with '-c', which '{}' does not have",
              printable(base));
}

}  // namespace

Result<SbatchText> split_sbatch(std::string_view text) {
  SbatchText out;
  bool began = false;
  int number = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) {
      out.dos_line_ends = true;
      line.remove_suffix(1);
    }
    if (++number == 1) {
      auto interpreter = interpreter_of(line);
      if (!interpreter) return tl::unexpected(interpreter.error());
      out.interpreter = std::move(*interpreter);
      continue;
    }
    if (line.starts_with(kMark) && began) out.late.push_back(number);
    if (line.starts_with(kMark) && !began) {
      SbatchText::Line read{number, words_of(line.substr(kMark.size()))};
      if (!read.words.empty() && (read.words[0] == "hetjob" || read.words[0] == "packjob")) {
        return fail(ErrorKind::Unsupported,
                    "line {}: a heterogeneous job has several parts; import each on its own",
                    number);
      }
      out.options.push_back(std::move(read));
      continue;
    }
    const std::size_t first = line.find_first_not_of(kBlank);
    began = began || (first != std::string_view::npos && line[first] != '#');
    out.body += line;
    out.body += '\n';
  }
  if (number == 0) return fail(ErrorKind::Invalid, "there is no script");
  if (!began) return fail(ErrorKind::Invalid, "the script has no command");
  if (out.body.size() > kArgumentBytesMax) {
    return fail(ErrorKind::Invalid, "the script has {} bytes; at most {}", out.body.size(),
                kArgumentBytesMax);
  }
  return out;
}

std::optional<Duration> slurm_time(std::string_view text) {
  if (text == "UNLIMITED" || text == "INFINITE") return Duration{};
  std::int64_t total_s = 0;
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto days = digits(text.substr(0, dash));
    if (!days || *days > 3650) return std::nullopt;
    total_s = *days * 86'400;
    text.remove_prefix(dash + 1);
  }
  std::vector<std::int64_t> parts;
  for (bool more = true; more && parts.size() < 4;) {
    const std::size_t colon = text.find(':');
    const auto part = digits(text.substr(0, colon));
    if (!part) return std::nullopt;
    parts.push_back(*part);
    more = colon != std::string_view::npos;
    text.remove_prefix(more ? colon + 1 : text.size());
  }
  if (parts.size() > 3) return std::nullopt;
  // With days the first number is hours; without them two numbers are minutes and seconds.
  constexpr std::array<std::int64_t, 3> kUnits{3600, 60, 1};
  const std::size_t first = dash != std::string_view::npos || parts.size() == 3 ? 0 : 1;
  for (std::size_t i = 0; i < parts.size(); ++i) total_s += parts[i] * kUnits.at(first + i);
  if (total_s > kSpecDurationMax.ns / seconds(1).ns) return std::nullopt;
  return seconds(total_s);
}

std::optional<MemoryMib> slurm_memory(std::string_view text) {
  if (text.ends_with('K') || text.ends_with('k')) {
    const auto kib = digits(text.substr(0, text.size() - 1));
    return kib ? std::optional(MemoryMib{(*kib + 1023) / 1024}) : std::nullopt;
  }
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  const auto size = parse_memory(upper);
  return size ? std::optional(*size) : std::nullopt;
}

std::optional<std::vector<std::int64_t>> slurm_array(std::string_view text, std::size_t most) {
  std::vector<std::int64_t> indices;
  for (bool more = true; more;) {
    const std::size_t comma = text.find(',');
    std::string_view part = text.substr(0, comma);
    more = comma != std::string_view::npos;
    text.remove_prefix(more ? comma + 1 : text.size());
    std::int64_t step = 1;
    if (const std::size_t colon = part.find(':'); colon != std::string_view::npos) {
      const auto read = digits(part.substr(colon + 1));
      if (!read || *read < 1) return std::nullopt;
      step = *read;
      part = part.substr(0, colon);
    }
    const std::size_t dash = part.find('-');
    const auto first = digits(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : digits(part.substr(dash + 1));
    if (!first || !last || *last < *first) return std::nullopt;
    for (std::int64_t index = *first; index <= *last; index += step) {
      if (indices.size() == most) return std::nullopt;
      indices.push_back(index);
    }
  }
  return indices;
}

bool uses_srun(std::string_view script) {
  constexpr std::string_view kWord = "srun";
  const auto part_of_word = [](char c) {
    return c == '_' || c == '-' || c == '/' || c == '.' || (c >= '0' && c <= '9') ||
           (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  for (std::size_t at = script.find(kWord); at != std::string_view::npos;
       at = script.find(kWord, at + 1)) {
    const std::size_t end = at + kWord.size();
    const bool starts = at == 0 || !part_of_word(script[at - 1]);
    if (starts && (end == script.size() || !part_of_word(script[end]))) return true;
  }
  return false;
}

std::string srun_function(std::int64_t tasks) {
  constexpr std::string_view kOptions =
      "srun() {\n"
      "  while [ $# -gt 0 ]; do case $1 in\n"
      "    --) shift; break ;;\n"
      "    --ntasks|--nodes|--ntasks-per-node|--cpus-per-task|--gpus|--gpus-per-node|--gres|--time|"
      "--mem|--partition|--job-name|--output|--error|--export|--nodelist|--mpi|--cpu-bind|"
      "--gpu-bind|--distribution|--container-image|--container-mounts) shift 2 ;;\n"
      "    -[nNctpJoewxGADCmdqi]) shift 2 ;;\n"
      "    -*) shift ;;\n"
      "    *) break ;;\n"
      "  esac; done\n";
  if (tasks == 1) return std::string(kOptions) + "  \"$@\"\n}\n";
  return fmt::format(
      "{}  gyre_pids=; gyre_i=0; gyre_code=0\n"
      "  while [ $gyre_i -lt {} ]; do\n"
      "    SLURM_LOCALID=$gyre_i SLURM_PROCID=$((GYRE_NODE_RANK*{}+gyre_i)) \"$@\" &\n"
      "    gyre_pids=\"$gyre_pids $!\"; gyre_i=$((gyre_i+1))\n"
      "  done\n"
      "  for gyre_pid in $gyre_pids; do wait $gyre_pid || gyre_code=$?; done\n"
      "  return $gyre_code\n}}\n",
      kOptions, tasks, tasks);
}

}  // namespace gyre::codec::import
