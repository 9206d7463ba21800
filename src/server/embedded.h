#pragma once

#include <string>
#include <string_view>

namespace gyre::server {

/// web/index.html, as it was when the program was built.
std::string_view index_html();

/// api/openapi.yaml, as it was when the program was built.
std::string_view openapi_yaml();

/// The same as JSON; made at the first call. Thread-safe.
const std::string& openapi_json();

}  // namespace gyre::server
