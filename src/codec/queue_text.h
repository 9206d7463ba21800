#pragma once

#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "codec/job_spec_text.h"
#include "domain/queue.h"

namespace gyre::codec {

/// Reads a queue file (docs/guide/quotas.md): `version: 1` and `queues`, each with a name, its
/// parent, weight, guarantee and limits. Parents come before their children in the result, which
/// validate() accepts. All problems of form are found in one pass. Pure, thread-safe, O(text).
tl::expected<std::vector<QueueSpec>, std::vector<SpecProblem>> parse_queues(std::string_view text);

/// The same for callers that show one message: the problems joined by "; ", each as describe()
/// prints it.
Result<std::vector<QueueSpec>> read_queues(std::string_view text);

}  // namespace gyre::codec
