#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "codec/job_spec_text.h"
#include "domain/service.h"

namespace gyre::codec {

/// Reads a service spec (docs/guide/services.md; api/service-spec.schema.json): a job spec for the
/// replicas, and what is said of the service beside it. As parse_job_spec() in all else. Replicas
/// are always tried again, however they end.
tl::expected<ServiceSpec, std::vector<SpecProblem>> parse_service_spec(
    std::string_view text, SpecFormat format, std::string_view image_base = {});

/// The spec as a person would write it; reading it back gives `spec` again. Errors: as for a job's.
Result<std::string> to_yaml(const ServiceSpec& spec);

}  // namespace gyre::codec
