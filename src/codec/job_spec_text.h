#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"
#include "domain/job_spec.h"

namespace gyre::codec {

/// Limits of a job spec's text. Each is a bound on what a stranger can make the reader do.
inline constexpr std::size_t kSpecBytesMax = 1U << 20U;
inline constexpr int kSpecDepthMax = 32;
inline constexpr std::size_t kSpecNodesMax = 50'000;  // values and keys together
inline constexpr std::size_t kSpecProblemsMax = 50;   // the rest is counted, not listed
inline constexpr std::size_t kNameBytesMax = 128;
inline constexpr std::size_t kPathBytesMax = 4096;
inline constexpr std::size_t kArgumentBytesMax = 131'071;  // Linux: MAX_ARG_STRLEN less its NUL
inline constexpr std::size_t kArgumentsMax = 4096;
inline constexpr std::size_t kEnvMax = 1024;
inline constexpr int kRetriesMax = 1000;
inline constexpr Duration kSpecDurationMax = seconds(10LL * 366 * 86'400);

/// One thing wrong with a spec.
struct SpecProblem {
  ErrorKind kind = ErrorKind::Invalid;  // or Unsupported: understood, but this version cannot do it
  std::string path;                     // "resources.gpu", "command[2]"; empty: the whole text
  int line = 0;                         // from 1; 0: no place in the text
  int column = 0;                       // from 1, in bytes
  std::string message;                  // what was found and what is expected; no line break
  std::string suggestion;               // the nearest known word; empty if none is near
};

enum class SpecFormat : unsigned char {
  Auto,  // JSON if the text is JSON, else YAML
  Json,
  Yaml,
};

/// Reads a job spec (docs/guide/job-spec.md; api/job-spec.schema.json). All problems are found in
/// one pass. A field that is absent takes the default of JobSpec. An image's relative path is below
/// `image_base`, an absolute folder; without one it is refused. Pure, thread-safe, O(text).
tl::expected<JobSpec, std::vector<SpecProblem>> parse_job_spec(std::string_view text,
                                                               SpecFormat format,
                                                               std::string_view image_base = {});

/// The same for callers that show one message: the problems joined by "; ", each as describe()
/// prints it.
Result<JobSpec> read_job_spec(std::string_view text, SpecFormat format);

/// "line 3, column 7: priority: ..." with the suggestion at its end.
std::string describe(const SpecProblem& problem);

/// The spec as a person would write it, defaults left out. Reading it back gives `spec` again, if
/// reading can give it at all: durations in whole milliseconds, text in UTF-8. Errors:
/// Unsupported if its tasks are not all alike, which the text form cannot say.
Result<std::string> to_yaml(const JobSpec& spec);
Result<std::string> to_json(const JobSpec& spec);

/// Reads the GPU part of a request: `[vendor:]model[,model][:memory][:count]`, each part but one
/// optional, as in "H100:80GB:8", "A100,H100:2", "80GB", "nvidia:T4", "2" or "0.5" (half of one).
/// The memory is the least that each device must have. Errors: Invalid; Unsupported, a range or a
/// vendor that this version cannot do.
Result<void> parse_gpu(std::string_view text, Request& request);

/// The text that parse_gpu reads so; empty where no GPU is asked for.
std::string format_gpu(const Request& request);

/// Letters, digits, '.', '_' and '-', at most kNameBytesMax, a letter or digit first.
bool is_valid_name(std::string_view name);

}  // namespace gyre::codec
