#include "codec/job_spec_text.h"

#include <fmt/format.h>

#include "codec/spec_tree.h"

namespace gyre::codec {

tl::expected<JobSpec, std::vector<SpecProblem>> parse_job_spec(std::string_view text,
                                                               SpecFormat format,
                                                               std::string_view image_base) {
  const auto root = parse_spec_tree(text, format);
  if (!root) return tl::unexpected(std::vector{root.error()});
  return parse_job_spec(*root, image_base);
}

Result<JobSpec> read_job_spec(std::string_view text, SpecFormat format) {
  auto spec = parse_job_spec(text, format);
  if (spec) return std::move(*spec);
  std::string message;
  bool unsupported = true;
  for (const SpecProblem& problem : spec.error()) {
    message += (message.empty() ? "" : "; ") + describe(problem);
    unsupported = unsupported && problem.kind == ErrorKind::Unsupported;
  }
  return fail(unsupported ? ErrorKind::Unsupported : ErrorKind::Invalid, "{}", message);
}

std::string describe(const SpecProblem& problem) {
  std::string out;
  if (problem.line > 0) out = fmt::format("line {}, column {}: ", problem.line, problem.column);
  if (!problem.path.empty()) out += problem.path + ": ";
  out += problem.message;
  if (!problem.suggestion.empty()) out += fmt::format(" (did you mean '{}'?)", problem.suggestion);
  return out;
}

}  // namespace gyre::codec
