#pragma once

#include <cstddef>
#include <string_view>

namespace gyre::server::http {

/// The one target whose bodies may be larger than ParserLimits::body_bytes_max, and how large:
/// traces for the policy lab, as JSON.
inline constexpr std::string_view kUploadTarget = "/v1/lab/runs";
inline constexpr std::size_t kUploadBytesMax = std::size_t{20} << 20;

}  // namespace gyre::server::http
